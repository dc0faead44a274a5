"""Writes the committed splits from the names of the recordings.

python -m scripts.make_protocols            needs SER_CORPORA; writes assets/protocols/*.csv
"""

import sys
from collections import Counter

from ser_core.data import PROTOCOLS, CorpusError, corpora_root, read_corpora, read_protocol, write_protocol


def main() -> int:
    try:
        utterances = read_corpora(corpora_root()).utterances
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 2
    for name in PROTOCOLS:
        path = write_protocol(name, utterances)
        rows = read_protocol(name)
        column = "part" if "part" in rows[0] else "fold"
        print(path.name, dict(sorted(Counter(row[column] for row in rows).items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
