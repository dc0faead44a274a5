"""What requests cost, by the number of clients that send them."""

import os
from pathlib import Path

from scripts.bench.fuzz import SAMPLE
from scripts.bench.load import client, load
from scripts.bench.scaling.costs import print_row
from scripts.bench.server import resident_bytes, running_server

CLIENTS = (1, 4, 16, 64)
N_REQUESTS = 64  # for each number of clients


def client_costs() -> list[dict]:
    """A row for each number of clients: processor time of the server per request, its memory, waiting times."""
    rows: list[dict] = []
    with running_server("--rate", "100000") as (address, process_id):
        host = address.removeprefix("http://")
        client(host, SAMPLE.read_bytes(), 3)  # the model is loaded
        for n_clients in CLIENTS:
            before_s = processor_s(process_id)
            row = load(host, n_clients, N_REQUESTS, rows[0]["p50_s"] if rows else None)
            row["server_s"] = (processor_s(process_id) - before_s) / (N_REQUESTS // n_clients * n_clients)
            rows.append(print_row(row | {"server_mb": resident_bytes(process_id) / 1e6}))
    return rows


def processor_s(process_id: int) -> float:
    """Seconds of the processor that a process has taken."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
