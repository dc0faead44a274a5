"""Downloads the corpora from their official homes, into the folder that all other commands read.

python -m scripts.download_corpora ravdess crema_d tess [--to FOLDER] [--accept-licence]
python -m scripts.download_corpora hindi turev ased           in other languages
python -m scripts.download_corpora savee emovo                prints where to get these, if they are not there

The folder is SER_CORPORA, or datasets/. What has been downloaded is kept: the same command resumes an interrupted
download. Every file is checked against the checksum that its home states. Exit code 0: all is there;
2: something is missing.
"""

import os
import sys
from collections import Counter
from pathlib import Path

from scripts.common.bars import tqdm
from scripts.common.errors import explains
from scripts.common.flags import command_parser
from ser_core.data import (
    CORPUS_NAMES,
    CORPUS_SOURCES,
    DOWNLOAD_INSTRUCTIONS,
    CorpusError,
    DownloadError,
    download_corpus,
    read_corpora,
)

CORPORA = (*CORPUS_SOURCES, *DOWNLOAD_INSTRUCTIONS)


def accepted(name: str, without_asking: bool) -> bool:
    """Shows the licence and waits for consent."""
    source = CORPUS_SOURCES[name]
    print(f"{source.title}\n  from {source.home}\n  licence: {source.licence}\n           {source.licence_url}")
    if without_asking:
        return True
    try:
        return input('Type "yes" to accept this licence: ').strip().lower() == "yes"
    except EOFError:
        return False


def get(name: str, root: Path) -> None:
    with tqdm(desc=name, unit="B", unit_scale=True, unit_divisor=1000, total=0) as bar:

        def advance(n_came: int, n_to_come: int) -> None:
            bar.total += n_to_come
            bar.update(n_came)

        download_corpus(name, root, advance)


def recordings_by_corpus(root: Path) -> Counter[str]:
    """
    Raises:
        CorpusError: none of a known corpus.
    """
    return Counter(utterance.corpus for utterance in read_corpora(root).utterances)


def is_there(name: str, root: Path) -> bool:
    """Whether the folder has recordings of a corpus."""
    try:
        return recordings_by_corpus(root)[name] > 0
    except CorpusError:
        return False


def print_what_is_there(root: Path) -> None:
    try:
        counts = recordings_by_corpus(root)
    except CorpusError as error:
        print(error, file=sys.stderr)
        return
    print(
        "\n".join(f"{CORPUS_NAMES[corpus]}: {counts[corpus]} recordings" for corpus in CORPUS_NAMES if counts[corpus])
    )


def get_or_explain(name: str, root: Path, accept_licence: bool) -> bool:
    """Downloads a corpus, or prints why not; whether it is there.

    Raises:
        DownloadError, OSError: as download_corpus.
    """
    if name in DOWNLOAD_INSTRUCTIONS:
        if there := is_there(name, root):
            print(f"{CORPUS_NAMES[name]} is there already.")
        else:
            print(DOWNLOAD_INSTRUCTIONS[name])
        return there
    if not accepted(name, accept_licence):
        print(f"{name} was not downloaded: its licence was not accepted.", file=sys.stderr)
        return False
    get(name, root)
    return True


@explains(cure="Choose another folder with --to.")
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("corpora", nargs="+", choices=CORPORA, metavar="CORPUS", help=", ".join(CORPORA))
    parser.add_argument("--to", type=Path, default=Path(os.environ.get("SER_CORPORA") or "datasets"))
    parser.add_argument("--accept-licence", action="store_true", help="without the question")
    options = parser.parse_args(arguments)
    try:
        options.to.mkdir(parents=True, exist_ok=True)
        there = [get_or_explain(name, options.to, options.accept_licence) for name in dict.fromkeys(options.corpora)]
        missing = not all(there)
    except DownloadError as error:
        print(error, file=sys.stderr)
        missing = True
    except KeyboardInterrupt:
        print("\nInterrupted. The same command resumes where it stopped.", file=sys.stderr)
        return 130
    print_what_is_there(options.to)
    return 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
