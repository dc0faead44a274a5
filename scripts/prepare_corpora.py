"""Finds the recordings, prints a table of them, and decodes them once into the cache folder.

python -m scripts.prepare_corpora           needs SER_CORPORA; writes cache/ (or SER_CACHE)
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence

from tqdm import tqdm

from scripts.tables import print_table
from ser_core.data import (
    CORPUS_NAMES,
    AudioStore,
    CorporaListing,
    CorpusError,
    Utterance,
    corpora_root,
    decode_recordings,
    read_corpora,
)
from ser_core.labels import EMOTIONS


def print_corpora(reading: CorporaListing, store: AudioStore) -> None:
    """Decoded files, speakers, hours and emotions of each corpus."""
    by_corpus = defaultdict(list)
    for utterance in reading.utterances:
        if utterance.id in store:
            by_corpus[utterance.corpus].append(utterance)
    rows = (_corpus_row(corpus, by_corpus[corpus], store) for corpus in CORPUS_NAMES if corpus in by_corpus)
    print_table(["corpus", "files", "speakers", "hours", *EMOTIONS], rows)


def _corpus_row(corpus: str, utterances: Sequence[Utterance], store: AudioStore) -> list[str]:
    hours = sum(store.duration_s(u.id) for u in utterances) / 3600
    counts = Counter(u.emotion for u in utterances)
    n_speakers = len({u.speaker for u in utterances})
    return [corpus, f"{len(utterances)}", f"{n_speakers}", f"{hours:.2f}", *(f"{counts[e]}" for e in EMOTIONS)]


def not_decoded(reading: CorporaListing) -> list[Utterance]:
    """Recordings that earlier runs have not decoded."""
    try:
        store = AudioStore()
    except FileNotFoundError:
        return list(reading.utterances)
    return [u for u in reading.utterances if u.id not in store]


def main() -> int:
    try:
        reading = read_corpora(corpora_root())
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 2
    missing, failed = not_decoded(reading), {}
    for utterance, reason in tqdm(decode_recordings(missing), total=len(missing), unit="file", desc="decode"):
        if reason:
            failed[utterance.path.name] = reason
    print_corpora(reading, AudioStore())
    for title, entries in (("left out", reading.excluded), ("could not be read", failed)):
        if entries:
            print(f"\n{title}: {len(entries)}")
            print("\n".join(f"  {name}: {reason}" for name, reason in entries.items()))
    if reading.unrecognised:
        print(f"\nnames that fit no grammar: {len(reading.unrecognised)}")
        print("\n".join(f"  {name}" for name in reading.unrecognised))
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
