"""How the server bears many clients, and damaged files.

python -m scripts.bench.load [URL] [--requests 64] [--json FILE]
python -m scripts.bench.load [URL] --mutate 1000 [--page] [--json FILE]

Without a URL, as http://localhost:8501, a server is started for it. Times are also given as multiples of the time of
one request alone: those hold on other machines. --mutate sends damaged copies of a sample to REST, gives the same
files to `python -m scripts.predict` and with --page to a browser with the page Many files, and ends with exit
code 1 when one of them dies, hangs or takes too much memory, or when they disagree on what is readable.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException

import numpy as np

from scripts.bench.fuzz import SAMPLE, mutations
from scripts.bench.server import PATIENCE_S, post_sound, running_server
from scripts.common.flags import command_parser, writable_path
from ser_core import paths
from ser_core.metrics import round_floats

CLIENTS = (1, 4, 16, 64)


def client(host: str, sound: bytes, n_requests: int) -> tuple[list[float], int]:
    """Seconds of each request from the first try to its response, one after the other, and how often it was refused."""
    took_s, n_refused, connection = [], 0, HTTPConnection(host, timeout=PATIENCE_S)
    for _ in range(n_requests):
        started = time.perf_counter()
        while (response := post_sound(connection, sound))[0] in (429, 503):
            n_refused += 1
            time.sleep(response[1])
        if response[0] != 200:
            raise HTTPException(f"{response[0]}: {response[2].decode(errors='replace')[:200]}")
        took_s.append(time.perf_counter() - started)
    connection.close()
    return took_s, n_refused


def load(host: str, n_clients: int, n_requests: int, alone_s: float | None) -> dict[str, float]:
    """Figures of so many clients at the same time; `alone_s` is the time of one request alone."""
    sound = SAMPLE.read_bytes()
    started = time.perf_counter()
    with ThreadPoolExecutor(n_clients) as pool:
        share = max(1, n_requests // n_clients)
        found = list(pool.map(lambda _: client(host, sound, share), range(n_clients)))
    wall_s = time.perf_counter() - started
    took_s = np.concatenate([took for took, _ in found])
    p50, p95 = np.percentile(took_s, (50, 95))
    alone_s = alone_s or float(p50)
    return {
        "clients": n_clients,
        "requests_per_s": len(took_s) / wall_s,
        "p50_s": p50,
        "p95_s": p95,
        "requests_in_the_time_of_one": len(took_s) / wall_s * alone_s,
        "p50_ratio": p50 / alone_s,
        "p95_ratio": p95 / alone_s,
        "refused": sum(refused for _, refused in found),
    }


def many_clients(host: str, n_requests: int) -> list[dict]:
    """A row for each number of clients, printed as it comes."""
    client(host, SAMPLE.read_bytes(), 3)  # the model is loaded
    rows = []
    print(f"Load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("clients  requests/s  p50 s  p95 s  requests in the time of one  p50, p95 as multiples of it  refused")
    for n_clients in CLIENTS:
        row = load(host, n_clients, n_requests, rows[0]["p50_s"] if rows else None)
        rows.append(row)
        print(
            f"{n_clients:7d}  {row['requests_per_s']:10.1f}  {row['p50_s']:5.3f}  {row['p95_s']:5.3f}  "
            f"{row['requests_in_the_time_of_one']:27.2f}  {row['p50_ratio']:13.2f}  {row['p95_ratio']:12.2f}  "
            f"{row['refused']:7d}",
            flush=True,
        )
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("url", nargs="?", help="of a server that runs")
    parser.add_argument("--requests", type=int, default=64, help="at least so many for each number of clients")
    parser.add_argument("--mutate", type=int, metavar="N", help="send N damaged files instead")
    parser.add_argument("--page", action="store_true", help="these also in a browser; needs requirements-dev.txt")
    parser.add_argument("--json", type=writable_path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    if options.url:
        return _measure(options, options.url, None)
    with running_server("--rate", "100000") as (address, process_id):
        return _measure(options, address, process_id)


def _measure(options: argparse.Namespace, address: str, process_id: int | None) -> int:
    host = address.removeprefix("http://").rstrip("/")
    if options.mutate:
        figures, well = mutations(host, process_id, options.mutate, options.page)
    else:
        figures, well = {"clients": many_clients(host, options.requests)}, True
    if options.json:
        paths.write_json(options.json, round_floats(figures))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
