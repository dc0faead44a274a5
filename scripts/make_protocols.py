"""Writes the committed splits from the names of the recordings.

python -m scripts.make_protocols            needs SER_CORPORA; writes assets/protocols/*.csv
"""

import sys
from collections import Counter

from scripts.common.errors import explains
from scripts.common.flags import command_parser
from ser_core.data import (
    CORPUS_NAMES,
    PROTOCOLS,
    CorpusError,
    ProtocolError,
    corpora_root,
    read_corpora,
    read_protocol,
    write_protocol,
)


def absent_corpora(name: str, there: set[str]) -> list[str]:
    """Corpora of the present protocol file without a recording: writing the file would lose their rows."""
    try:
        return sorted({row["corpus"] for row in read_protocol(name)} - there)
    except ProtocolError:  # not written yet
        return []


@explains(CorpusError)
def main(arguments: list[str] | None = None) -> int:
    command_parser(__doc__).parse_args(arguments)  # no flags, but --help must not write the splits
    utterances = read_corpora(corpora_root()).utterances
    there = {utterance.corpus for utterance in utterances}
    for name in PROTOCOLS:
        if absent := absent_corpora(name, there):
            print(f"{name}.csv is left as it is: no recordings of {', '.join(CORPUS_NAMES[c] for c in absent)}.")
            continue
        path = write_protocol(name, utterances)
        rows = read_protocol(name)
        column = "part" if "part" in rows[0] else "fold"
        print(path.name, dict(sorted(Counter(row[column] for row in rows).items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
