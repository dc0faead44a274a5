"""Utterances, and the names, languages and grouping of the corpora they come from."""

from dataclasses import dataclass
from pathlib import Path

CORPUS_NAMES = {
    "ravdess": "RAVDESS speech",
    "ravdess_song": "RAVDESS song",
    "crema_d": "CREMA-D",
    "tess": "TESS",
    "savee": "SAVEE",
    "hindi": "Hindi",
    "emovo": "EMOVO",
    "turev": "TurEV-DB",
    "ased": "ASED",
}
"""Corpus -> display name."""


def corpus_name(corpus: str) -> str:
    """Display name of a corpus; of another one the name itself."""
    return CORPUS_NAMES.get(corpus, corpus)


SPEECH_CORPORA = ("ravdess", "crema_d", "tess", "savee")
"""The English speech corpora: the test parts of the protocols of published tables and of `speaker-independent`."""

OTHER_LANGUAGE_CORPORA = ("hindi", "emovo", "turev", "ased")
"""Speech corpora in other languages, used by `left-out` and `speaker-independent-8` only."""

ALL_SPEECH_CORPORA = (*SPEECH_CORPORA, *OTHER_LANGUAGE_CORPORA)
"""All speech corpora, in the order of the folds of `left-out`."""

CORPUS_LANGUAGES = {
    **dict.fromkeys((*SPEECH_CORPORA, "ravdess_song"), "en"),
    "hindi": "hi",
    "emovo": "it",
    "turev": "tr",
    "ased": "am",
}
"""Corpus -> language (ISO 639-1)."""

CORPUS_LICENCES = {
    "ravdess": "CC BY-NC-SA 4.0",
    "ravdess_song": "CC BY-NC-SA 4.0",
    "crema_d": "ODbL 1.0",
    "tess": "CC BY-NC-ND 4.0",
    "savee": "research only",
    "hindi": "research and education, with attribution",
    "emovo": "non-commercial",
    "turev": "CC BY-NC-ND 4.0",
    "ased": "freely available, with citation of its paper",
}


def is_speech(corpus: str) -> bool:
    """Whether a corpus is speech, not song; a corpus of one's own is speech."""
    return corpus != "ravdess_song"


class CorpusError(ValueError):
    """Recordings that cannot be found; the message names the cure."""


@dataclass(frozen=True)
class Utterance:
    """One recording with its labels."""

    id: str  # "corpus/NAME", independent of the folder
    path: Path
    corpus: str
    speaker: str  # "corpus-NAME", unique over all corpora
    sex: str  # "female", "male" or "unknown"
    emotion: str  # one of labels.EMOTIONS
    age: int | None = None  # years
    intensity: str | None = None  # "low", "medium", "normal", "high"
    sentence: str | None = None  # the spoken text, an id within the corpus; None where it is unknown
    language: str | None = None  # ISO 639-1, e.g. "en"; None where it is unknown
