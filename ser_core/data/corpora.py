"""The folder of the corpora: its usable utterances, and the reason for every file that is not used."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from ser_core.data.file_names import EXCLUDED_RECORDINGS, REPEATED_RECORDINGS, parse_filename
from ser_core.data.utterances import CORPUS_NAMES, CorpusError, Utterance

AUDIO_SUFFIXES = {".wav", ".opus", ".flac", ".ogg", ".mp3"}


@dataclass(frozen=True)
class CorporaListing:
    """Content of a folder: usable utterances, and all other audio files with the reason."""

    utterances: tuple[Utterance, ...]
    excluded: dict[str, str] = field(default_factory=dict)  # path -> reason
    unrecognised: tuple[str, ...] = ()  # audio files that match no file-name grammar

    @property
    def repeated(self) -> dict[str, str]:
        """Utterances that repeat a recording under the same speaker and label: id -> id of the other, both used."""
        there = {utterance.id for utterance in self.utterances}
        return {i: other for i, other in REPEATED_RECORDINGS.items() if {i, other} <= there}


def read_corpora(root: Path) -> CorporaListing:
    """All recordings of the known corpora below a folder.

    Args:
        root: searched recursively; names and nesting of its folders do not matter, but for SAVEE and the Hindi
            corpus, whose folders name the speaker.

    Returns:
        The listing, utterances sorted by id.

    Raises:
        CorpusError: the folder does not exist or contains no recording of a known corpus.
    """
    if not root.is_dir():
        raise CorpusError(
            f"The corpora folder {root} does not exist. Set SER_CORPORA to the folder with the recordings."
        )
    found: dict[str, Utterance] = {}
    excluded: dict[str, str] = {}
    unrecognised: list[str] = []
    paths = (p for p in root.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)
    for path in sorted(paths, key=lambda p: (p.suffix.lower() == ".mp3", p)):  # CREMA-D comes as wav and as mp3
        utterance = parse_filename(path)
        if utterance is None:
            unrecognised.append(str(path.relative_to(root)))
        elif isinstance(utterance, str):
            excluded[str(path.relative_to(root))] = utterance
        elif reason := _exclusion_reason(utterance, found, root):
            excluded[str(path.relative_to(root))] = reason
        else:
            found[utterance.id] = utterance
    if not found:
        raise CorpusError(
            f"No recording of a known corpus below {root} ({len(unrecognised)} audio files match no name grammar). "
            f"Expected: {', '.join(CORPUS_NAMES.values())}."
        )
    return CorporaListing(tuple(found[key] for key in sorted(found)), excluded, tuple(unrecognised))


def _exclusion_reason(utterance: Utterance, found: dict[str, Utterance], root: Path) -> str:
    """Reason why a recording is not used, or ""."""
    if utterance.id in found:
        return f"duplicate of {found[utterance.id].path.relative_to(root)}"
    return EXCLUDED_RECORDINGS.get(utterance.id, "")


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
