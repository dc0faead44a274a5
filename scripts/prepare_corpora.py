"""Finds the recordings, prints a table of them, and decodes them once into the cache folder.

python -m scripts.prepare_corpora                           needs SER_CORPORA; writes cache/ (or SER_CACHE)
python -m scripts.prepare_corpora --folder my-recordings --map joy=happy       recordings of your own, too or alone
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from scripts.common.bars import tqdm
from scripts.common.errors import explains
from scripts.common.flags import add_folder_flags, command_parser
from scripts.common.folders import print_listed, read_folders
from scripts.common.tables import print_table
from ser_core.data import (
    CORPUS_NAMES,
    AudioStore,
    CorporaListing,
    CorpusError,
    StoreError,
    Utterance,
    audio_cache_folder,
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
    names = [*(corpus for corpus in CORPUS_NAMES if corpus in by_corpus), *sorted(by_corpus.keys() - {*CORPUS_NAMES})]
    rows = (_corpus_row(corpus, by_corpus[corpus], store) for corpus in names)
    print_table(["corpus", "files", "speakers", "hours", *EMOTIONS], rows)


def _corpus_row(corpus: str, utterances: Sequence[Utterance], store: AudioStore) -> list[str]:
    hours = sum(store.duration_s(u.id) for u in utterances) / 3600
    counts = Counter(u.emotion for u in utterances)
    n_speakers = len({u.speaker for u in utterances})
    return [corpus, f"{len(utterances)}", f"{n_speakers}", f"{hours:.2f}", *(f"{counts[e]}" for e in EMOTIONS)]


def not_decoded(reading: CorporaListing) -> list[Utterance]:
    """Recordings that earlier runs have not decoded, or whose samples were damaged since."""
    try:
        store = AudioStore()
    except FileNotFoundError:
        return list(reading.utterances)
    damaged = store.damaged()
    return [u for u in reading.utterances if u.id not in store or u.id in damaged]


def decode(reading: CorporaListing) -> dict[str, str]:
    """Decodes what is missing into the cache; the files that could not be read, with the reasons.

    Raises:
        StoreError: the cache is damaged or cannot be written.
    """
    try:
        missing = not_decoded(reading)
        decoded = tqdm(decode_recordings(missing), total=len(missing), unit="file", desc="decode")
        return {str(utterance.path): reason for utterance, reason in decoded if reason}
    except OSError as error:
        raise StoreError(
            f"{audio_cache_folder()} cannot be written: {error.strerror}. Decoded files are kept."
        ) from None


def read_all(options: argparse.Namespace) -> CorporaListing:
    """Recordings of the corpora and of --folder; with --folder, the corpora may be missing.

    Raises:
        CorpusError: no recording, or a folder that cannot be read.
    """
    own = tuple(read_folders(options))
    try:
        reading = read_corpora(corpora_root())
    except CorpusError:
        if not own:
            raise
        return CorporaListing(own)
    except OSError as error:
        raise CorpusError(f"{error.filename} cannot be read: {error.strerror}. Check its permissions.") from None
    return replace(reading, utterances=reading.utterances + own)


@explains(CorpusError, StoreError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    add_folder_flags(parser)
    options = parser.parse_args(arguments)
    reading = read_all(options)
    failed = decode(reading)
    print_corpora(reading, AudioStore())
    print_listed("left out", reading.excluded)
    print_listed("could not be read", failed)
    print_listed("the same recording under another name, used twice", reading.repeated)
    if reading.unrecognised:
        print(f"\nnames that fit no grammar: {len(reading.unrecognised)}")
        print("\n".join(f"  {name}" for name in reading.unrecognised))
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
