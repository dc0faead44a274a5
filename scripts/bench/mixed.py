"""Many clients with mixed work: is everybody answered, in constant memory?

python -m scripts.bench.mixed [--minutes 30] [--clients 64] [--json FILE]

Each client has an address of its own (127.0.0.2 and on), and sends one request after the other to a server that is
started for it: predictions, windows, embeddings, a longer recording, damaged files, a page, a look at the health, and
uploads that it gives up. Exit code 1: an answer that must not be, none within two minutes, or memory that grew.
"""

import json
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import cycle

import numpy as np

from scripts.bench.fuzz import SAMPLE, damaged_files
from scripts.bench.server import resident_bytes, running_server
from scripts.common.flags import command_parser, writable_path
from ser_core import paths
from ser_core.metrics import round_floats
from ser_core.models import FAST_MODEL
from ser_core.serving import API_PATH

PATIENCE_S = 120.0
LONG = paths.SAMPLES / "story.ogg"  # half a minute
MOST_GROWTH_MB = 150.0  # after the first third
BUSY = (429, 503)
N_DAMAGED = 50
MEMORY_EVERY_S = 15.0

Answer = tuple[int, float]  # status, seconds to wait before the next try
Kind = tuple[float, Callable[[HTTPConnection], Answer], tuple[int, ...]]  # share, request, statuses that are right


@dataclass
class Counts:
    """What happened, of all clients together; each client changes it under the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    outcomes: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    took_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    by_client: Counter = field(default_factory=Counter)

    def add(self, client: int, kind: str, outcome: str, seconds: float) -> None:
        with self.lock:
            self.outcomes[kind][outcome] += 1
            if outcome == "right":
                self.took_s[kind].append(seconds)
                self.by_client[client] += 1


def _request(*request) -> Callable[[HTTPConnection], Answer]:
    """A function that sends a request, with these arguments of HTTPConnection.request, and reads its response."""

    def send(connection: HTTPConnection) -> Answer:
        connection.request(*request)
        response = connection.getresponse()
        response.read()
        return response.status, float(response.headers.get("Retry-After", 1))

    return send


def _post(path: str, sound: bytes) -> Callable[[HTTPConnection], Answer]:
    return _request("POST", path, sound, {"Content-Type": "application/octet-stream"})


def _get(path: str) -> Callable[[HTTPConnection], Answer]:
    return _request("GET", path)


def _give_up(connection: HTTPConnection) -> Answer:
    """A client that leaves while its recording is in line."""
    sound = LONG.read_bytes()
    connection.request("POST", f"{API_PATH}/windows?model={FAST_MODEL}", sound, {"Content-Type": "audio/ogg"})
    time.sleep(0.2)
    connection.close()
    return 0, 0.0


def kinds() -> dict[str, Kind]:
    """By name."""
    sample, fast = SAMPLE.read_bytes(), f"?model={FAST_MODEL}"
    damaged = cycle(_post(f"{API_PATH}/predict{fast}", content) for content in damaged_files(N_DAMAGED).values())
    return {
        "predict": (0.35, _post(f"{API_PATH}/predict{fast}", sample), (200,)),
        "default model": (0.05, _post(f"{API_PATH}/predict", sample), (200,)),
        "windows": (0.1, _post(f"{API_PATH}/windows{fast}", sample), (200,)),
        "embed": (0.1, _post(f"{API_PATH}/embed{fast}", sample), (200,)),
        "half a minute": (0.05, _post(f"{API_PATH}/windows{fast}", LONG.read_bytes()), (200,)),
        "damaged": (0.1, lambda connection: next(damaged)(connection), (200, 422)),
        "given up": (0.05, _give_up, (0,)),
        "health": (0.1, _get(f"{API_PATH}/health"), (200,)),
        "page": (0.1, _get("/"), (200,)),
    }


def client(number: int, host: str, until: float, work: dict[str, Kind], counts: Counts) -> None:
    """Requests of one client until a time."""
    rng = np.random.default_rng(number)
    names, shares = list(work), [share for share, _, _ in work.values()]
    while time.monotonic() < until:
        kind = names[rng.choice(len(names), p=shares)]
        connection = HTTPConnection(host, timeout=PATIENCE_S, source_address=(f"127.0.0.{number + 2}", 0))
        began = time.monotonic()
        try:
            status, wait_s = work[kind][1](connection)
            outcome = "right" if status in work[kind][2] else str(status)
        except (OSError, HTTPException) as error:
            outcome, wait_s = type(error).__name__, 1.0
        connection.close()
        counts.add(number, kind, outcome, time.monotonic() - began)
        if outcome != "right":
            time.sleep(min(wait_s, 10.0))


def run(host: str, process_id: int, n_clients: int, minutes: float) -> tuple[dict, bool]:
    """The figures, and whether all is well."""
    counts, work = Counts(), kinds()
    for _, send, _ in work.values():  # the models are loaded
        connection = HTTPConnection(host, timeout=PATIENCE_S)
        send(connection)
        connection.close()
    began = time.monotonic()
    until = began + 60 * minutes
    threads = [threading.Thread(target=client, args=(n, host, until, work, counts)) for n in range(n_clients)]
    for thread in threads:
        thread.start()
    memory_mb = watch_memory(threads, process_id)
    figures = {"clients": n_clients, "minutes": (time.monotonic() - began) / 60, **summary(counts, n_clients)}
    wrong = {outcome for found in counts.outcomes.values() for outcome in found} - {"right", *map(str, BUSY)}
    after = memory_mb[len(memory_mb) // 3 :]
    return figures | {"server_mb": memory_mb}, not wrong and max(after) - after[0] < MOST_GROWTH_MB


def watch_memory(threads: Sequence[threading.Thread], process_id: int) -> list[float]:
    """Memory of the server in 1e6 bytes, until all threads have ended; printed as it is measured."""
    began, memory_mb = time.monotonic(), []
    while alive := [thread for thread in threads if thread.is_alive()]:
        memory_mb.append(resident_bytes(process_id) / 1e6)
        print(f"{(time.monotonic() - began) / 60:.1f} min  {memory_mb[-1]:.0f} MB", flush=True)
        alive[0].join(MEMORY_EVERY_S)
    return [*memory_mb, resident_bytes(process_id) / 1e6]


def summary(counts: Counts, n_clients: int) -> dict:
    answers = [counts.by_client[number] for number in range(n_clients)]
    return {
        "outcomes": {kind: dict(found) for kind, found in counts.outcomes.items()},
        "p50_s": {kind: float(np.median(took)) for kind, took in counts.took_s.items()},
        "longest_s": {kind: max(took) for kind, took in counts.took_s.items()},
        "answers_of_a_client": [min(answers), max(answers)],
    }


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--json", type=writable_path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    with running_server() as (address, process_id):
        figures, is_well = run(address.removeprefix("http://"), process_id, options.clients, options.minutes)
    print(json.dumps(round_floats(figures), indent=1))
    if options.json:
        paths.write_json(options.json, round_floats(figures))
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
