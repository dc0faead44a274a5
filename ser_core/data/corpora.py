"""The folder of the corpora: its usable utterances, and the reason for every file that is not used."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ser_core.audio import AUDIO_SUFFIXES, AudioError, read_audio, walk_files
from ser_core.data.file_names import EXCLUDED_RECORDINGS, REPEATED_RECORDINGS, parse_filename
from ser_core.data.utterances import CORPUS_NAMES, CorpusError, Utterance

PREFERRED_SUFFIXES = ({".wav", ".opus", ".flac", ".ogg"}, {".mp3"})  # CREMA-D comes as wav and as mp3
SUSPECT_BYTES = 1000  # no recording is smaller


@dataclass(frozen=True)
class CorporaListing:
    """Content of a folder: usable utterances, and all other audio files with the reason."""

    utterances: tuple[Utterance, ...]
    excluded: dict[str, str] = field(default_factory=dict)  # path -> reason
    unrecognised: tuple[str, ...] = ()  # audio files that match no file-name grammar
    note: str = ""  # which columns of the table of a folder are not used, where it has no speakers

    @property
    def repeated(self) -> dict[str, str]:
        """Utterances that repeat a recording under the same speaker and label: id -> id of the other, both used."""
        there = {utterance.id for utterance in self.utterances}
        return {i: other for i, other in REPEATED_RECORDINGS.items() if {i, other} <= there}


def read_corpora(root: str | Path) -> CorporaListing:
    """All recordings of the known corpora below a folder.

    Args:
        root: searched recursively, linked folders too; names and nesting of its folders do not matter, but for SAVEE
            and the Hindi corpus, whose folders name the speaker.

    Returns:
        The listing, utterances sorted by id.

    Raises:
        CorpusError: the folder does not exist or contains no recording of a known corpus.
    """
    root = Path(root)
    if not root.is_dir():
        problem = "is a file, not a folder" if root.exists() else "does not exist"
        raise CorpusError(f"The corpora folder {root} {problem}. Set SER_CORPORA to the folder with the recordings.")
    reading = _Reading(root)
    for path in _audio_files(root, reading.exclude):
        reading.add(path)
    if not reading.found:
        raise CorpusError(
            f"No recording of a known corpus below {root} ({len(reading.unrecognised)} audio files match no name "
            f"grammar). Expected: {', '.join(CORPUS_NAMES.values())}."
        )
    utterances = tuple(reading.found[key] for key in sorted(reading.found))
    return CorporaListing(utterances, reading.excluded, tuple(reading.unrecognised))


class _Reading:
    """The files of a folder, sorted into recordings that are used, excluded and unrecognised ones."""

    def __init__(self, root: Path):
        self._root = root
        self.found: dict[str, Utterance] = {}
        self.excluded: dict[str, str] = {}
        self.unrecognised: list[str] = []

    def exclude(self, path: Path, reason: str) -> None:
        self.excluded[str(path.relative_to(self._root))] = reason

    def add(self, path: Path) -> None:
        utterance = parse_filename(path)
        if not path.exists():
            self.exclude(path, "a link to a file that does not exist")
        elif utterance is None:
            self.unrecognised.append(str(path.relative_to(self._root)))
        elif isinstance(utterance, str):
            self.exclude(path, utterance)
        else:
            self._add_recording(utterance)

    def _add_recording(self, utterance: Utterance) -> None:
        first = self.found.get(utterance.id)
        if first and not _is_better_copy(utterance.path, first.path):
            self.exclude(utterance.path, f"duplicate of {first.path.relative_to(self._root)}")
            return
        if first:
            self.exclude(first.path, f"damaged; {utterance.path.relative_to(self._root)} is used")
        elif reason := EXCLUDED_RECORDINGS.get(utterance.id):
            self.exclude(utterance.path, reason)
            return
        self.found[utterance.id] = utterance


def _audio_files(root: Path, on_link: Callable[[Path, str], None]) -> list[Path]:
    """Audio files by preference of their format, then by path; on_link is called with each link not followed."""

    def rank(path: Path) -> int:
        ranks = (n for n, suffixes in enumerate(PREFERRED_SUFFIXES) if path.suffix.lower() in suffixes)
        return next(ranks, len(PREFERRED_SUFFIXES))

    files = (path for path in walk_files(root, on_link=on_link) if path.suffix.lower() in AUDIO_SUFFIXES)
    return sorted(files, key=lambda path: (rank(path), path))


def _is_better_copy(path: Path, first: Path) -> bool:
    """Whether the first copy of a recording is damaged and this one is not. Copies of ordinary sizes are not opened."""
    size, first_size = path.stat().st_size, first.stat().st_size
    is_suspect = first_size < SUSPECT_BYTES or (path.suffix == first.suffix and first_size < size / 2)
    return is_suspect and _duration_s(path) > _duration_s(first)


def _duration_s(path: Path) -> float:
    try:
        return read_audio(path).duration_s
    except AudioError:
        return 0.0


def corpora_root() -> Path:
    """Folder of the corpora: the environment variable SER_CORPORA, or `datasets/` in the working directory.

    Raises:
        CorpusError: it does not exist.
    """
    named = os.environ.get("SER_CORPORA")
    root = Path(named) if named else Path("datasets")
    if not root.is_dir():
        raise CorpusError(f"No corpora at {root}. Set SER_CORPORA to the folder with RAVDESS, CREMA-D, TESS and SAVEE.")
    return root
