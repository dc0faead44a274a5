"""Corpora: utterances with speaker, emotion and further labels, parsed from file names.

Labels come from the file name, not from its folder: the original archives, the layout of older projects and re-encoded
copies are all read by the same four file-name grammars.
"""

import csv
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

AUDIO_SUFFIXES = {".wav", ".opus", ".flac", ".ogg", ".mp3"}

CORPUS_NAMES = {
    "ravdess": "RAVDESS speech",
    "ravdess_song": "RAVDESS song",
    "crema_d": "CREMA-D",
    "tess": "TESS",
    "savee": "SAVEE",
}
"""Corpus -> display name."""

SPEECH_CORPORA = ("ravdess", "crema_d", "tess", "savee")

EXCLUDED_RECORDINGS = {
    "crema_d/1076_MTI_SAD_XX": "digital silence",
    **{
        f"crema_d/{name}": "the same recording carries two different labels"
        for name in (
            "1006_TIE_HAP_XX",
            "1006_TIE_NEU_XX",
            "1013_WSI_DIS_XX",
            "1013_WSI_SAD_XX",
            "1017_IWW_ANG_XX",
            "1017_IWW_FEA_XX",
        )
    },
}
"""Utterance id -> reason why this file of the original corpus is not used."""


class CorpusError(ValueError):
    """Recordings that cannot be found; the message names the cure."""


@dataclass(frozen=True)
class Utterance:
    """One recording with the labels in its file name."""

    id: str  # "corpus/NAME", independent of the folder
    path: Path
    corpus: str
    speaker: str  # unique over all corpora
    sex: str  # "female" or "male"
    emotion: str  # one of labels.EMOTIONS
    age: int | None = None  # years
    intensity: str | None = None  # "low", "medium", "normal", "high"
    statement: str | None = None


@dataclass(frozen=True)
class CorporaListing:
    """Content of a folder: usable utterances, and all other audio files with the reason."""

    utterances: tuple[Utterance, ...]
    excluded: dict[str, str] = field(default_factory=dict)  # path -> reason
    unrecognised: tuple[str, ...] = ()  # audio files that match no file-name grammar


RAVDESS_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
CREMA_EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
CREMA_INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high"}
TESS_EMOTIONS = {"ps": "surprise"} | {e: e for e in ("angry", "disgust", "fear", "happy", "neutral", "sad")}
TESS_AGES = {"OAF": 64, "YAF": 26}
SAVEE_EMOTIONS = {
    "a": "angry",
    "d": "disgust",
    "f": "fear",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprise",
}


def _parse_ravdess(match: re.Match, path: Path) -> Utterance | str:
    modality, channel, emotion, intensity, statement, _, actor = (int(part) for part in match[0].split("-"))
    if modality != 3:
        return "a video track; the audio-only file (03-…) is used"
    corpus = {1: "ravdess", 2: "ravdess_song"}[channel]
    return Utterance(
        id=f"{corpus}/{match[0]}",
        path=path,
        corpus=corpus,
        speaker=f"ravdess-{actor:02d}",
        sex="male" if actor % 2 else "female",
        emotion=RAVDESS_EMOTIONS[emotion - 1],
        intensity={1: "normal", 2: "high"}[intensity],
        statement=f"{statement:02d}",
    )


def _parse_crema_d(match: re.Match, path: Path) -> Utterance:
    speaker, statement, emotion, level = match[0].upper().split("_")
    sex, age = crema_d_actors().get(speaker, ("unknown", None))
    return Utterance(
        id=f"crema_d/{match[0].upper()}",
        path=path,
        corpus="crema_d",
        speaker=f"crema_d-{speaker}",
        sex=sex,
        age=age,
        emotion=CREMA_EMOTIONS[emotion],
        intensity=CREMA_INTENSITIES.get(level),
        statement=statement,
    )


def _parse_tess(match: re.Match, path: Path) -> Utterance:
    speaker = "YAF" if match[1].upper() == "YAF" else "OAF"  # one file of OAF is named OA_…
    return Utterance(
        id=f"tess/{match[1].upper()}_{match[2].lower()}_{match[3].lower()}",
        path=path,
        corpus="tess",
        speaker=f"tess-{speaker}",
        sex="female",
        age=TESS_AGES[speaker],
        emotion=TESS_EMOTIONS[match[3].lower()],
        statement=match[2].lower(),
    )


def _parse_savee(match: re.Match, path: Path) -> Utterance:
    speaker, code = match[1].upper(), match[2].lower()
    return Utterance(
        id=f"savee/{speaker}_{code}{match[3]}",
        path=path,
        corpus="savee",
        speaker=f"savee-{speaker}",
        sex="male",
        emotion=SAVEE_EMOTIONS[code],
        statement=match[3],
    )


FILENAME_PARSERS: tuple[tuple[re.Pattern, Callable[[re.Match, Path], Utterance | str]], ...] = (
    (re.compile(r"0[123]-0[12]-0[1-8]-0[12]-0[12]-0[12]-(?:0[1-9]|1\d|2[0-4])"), _parse_ravdess),
    (re.compile(r"1\d{3}_[A-Z]{3}_(?:ANG|DIS|FEA|HAP|NEU|SAD)_(?:LO|MD|HI|XX|X)", re.I), _parse_crema_d),
    (re.compile(r"(OAF?|YAF)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)", re.I), _parse_tess),
    (re.compile(r"(DC|JE|JK|KL)_(sa|su|[adfhn])(\d\d)", re.I), _parse_savee),
)


def parse_filename(path: Path) -> Utterance | str | None:
    """Utterance of a file name.

    Returns:
        The utterance; the reason if the name is known but the file is not used; None if it matches no grammar.
    """
    stem = path.stem
    if re.fullmatch(r"(?:sa|su|[adfhn])\d\d", stem, re.I):  # AudioData/DC/a01.wav: the folder is the speaker
        stem = f"{path.parent.name}_{stem}"
    for pattern, parse in FILENAME_PARSERS:
        if match := pattern.fullmatch(stem):
            return parse(match, path)
    return None


def read_corpora(root: Path) -> CorporaListing:
    """All recordings of the known corpora below a folder.

    Args:
        root: searched recursively; names and nesting of its folders do not matter.

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


@cache
def crema_d_actors() -> dict[str, tuple[str, int]]:
    """Speaker number -> sex and age (years) of the 91 actors of CREMA-D (VideoDemographics of the corpus, ODbL 1.0)."""
    with (Path(__file__).with_name("crema_d_actors.csv")).open(newline="") as file:
        return {row["speaker"]: (row["sex"], int(row["age"])) for row in csv.DictReader(file)}
