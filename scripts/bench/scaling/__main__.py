"""Cost against work, each size in a process of its own: processor time, and memory above that before.

python -m scripts.bench.scaling [length files names clients workers] [--most 1000000] [--json FILE] [--picture FILE]

length: a recording of 3 s to an hour, shipped voices again and again. files: 10 to 10,000 files of 3 s, hard links to
copies of one, by `scripts.predict_archive`. names: up to --most such files with an empty model: what the bookkeeping
takes. clients: a server and 1 to 64 clients. workers: 1 to 64, simulated from the times of tasks measured here.
--json keeps the figures of what is not measured again; --picture draws all of them and needs chromium.
"""

import sys
from collections.abc import Callable

from scripts.bench.scaling.archive import file_costs, name_costs
from scripts.bench.scaling.clients import client_costs
from scripts.bench.scaling.length import length_costs
from scripts.bench.scaling.picture import write_picture
from scripts.bench.scaling.workers import worker_costs
from scripts.common.flags import command_parser, writable_path
from ser_core import paths
from ser_core.metrics import round_floats

KINDS = ("length", "files", "names", "clients", "workers")
RESULTS = paths.RESULTS / "scaling.json"


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], metavar="KIND", help="default: all")
    parser.add_argument("--most", type=int, default=100_000, help="files of names, at most")
    parser.add_argument("--json", type=writable_path, default=RESULTS, help="where the figures are kept")
    parser.add_argument("--picture", type=writable_path, help="a PNG")
    options = parser.parse_args(arguments)
    steps: dict[str, Callable[[], list[dict]]] = {
        "length": length_costs,
        "files": file_costs,
        "names": lambda: name_costs(options.most),
        "clients": client_costs,
        "workers": worker_costs,
    }
    found = paths.read_json(options.json)
    for kind in options.kinds or ([] if options.picture else steps):
        found[kind] = round_floats(steps[kind]())
        paths.write_json(options.json, found)
    if options.picture:
        write_picture(found, options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
