"""File names of the corpora: speaker, emotion and further labels of a recording.

Labels come from the file name, not from its folder, so that the original archives, the layout of older projects and
re-encoded copies are all read. Two corpora need the folder: SAVEE's names the speaker, and in the Hindi corpus it has
the emotion, which four names misspell ("4.3.disgust07", "2.5.dusgust-09").
"""

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from ser_core.data.noises import NOISE_FILE_NAME
from ser_core.data.utterances import CORPUS_LANGUAGES, Utterance

_TWO_LABELS = "the same recording carries two different labels"
EXCLUDED_RECORDINGS = {
    "crema_d/1076_MTI_SAD_XX": "digital silence",
    **dict.fromkeys(
        (
            "crema_d/1006_TIE_HAP_XX",
            "crema_d/1006_TIE_NEU_XX",
            "crema_d/1013_WSI_DIS_XX",
            "crema_d/1013_WSI_SAD_XX",
            "crema_d/1017_IWW_ANG_XX",
            "crema_d/1017_IWW_FEA_XX",
            "ased/a5-01-02-02-28",
            "ased/f2-02-02-02-28",
        ),
        _TWO_LABELS,
    ),
}
"""Utterance id -> reason why this file of the original corpus is not used."""

REPEATED_RECORDINGS = {
    "ravdess/03-01-03-01-02-02-07": "ravdess/03-01-03-01-02-01-07",
    "hindi/2-5-neutral-03": "hindi/2-2-neutral-03",
    "ased/h3-01-02-02-08": "ased/h3-01-01-02-08",
    "ased/a5-01-02-01-37": "ased/a5-01-01-01-37",
    "ased/a5-02-02-01-37": "ased/a5-02-01-01-37",
    "ased/f2-01-02-01-37": "ased/f2-01-01-01-37",
    "ased/n1-02-02-01-37": "ased/n1-02-01-01-37",
    "ased/a5-01-02-01-49": "ased/a5-01-01-01-49",
    "ased/h3-01-02-01-49": "ased/h3-01-01-01-49",
    "ased/h3-02-02-01-49": "ased/h3-02-01-01-49",
}
"""Utterance id -> the same recording under another name, with the same speaker and label: both are used."""

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
N_COMMON_SAVEE_SENTENCES = 3  # 01-03 are spoken in every emotion, each further one in a single emotion
HINDI_EMOTIONS = {"anger": "angry"} | {e: e for e in ("disgust", "fear", "happy", "neutral", "sad", "surprise")}
EMOVO_EMOTIONS = {
    "dis": "disgust",
    "gio": "happy",
    "neu": "neutral",
    "pau": "fear",
    "rab": "angry",
    "sor": "surprise",
    "tri": "sad",
}
TUREV_EMOTIONS = {"kz": "angry", "sk": "calm", "mt": "happy", "hl": "sad"}
ASED_EMOTIONS = {"n1": "neutral", "f2": "fear", "h3": "happy", "s4": "sad", "a5": "angry"}
ASED_COMMON_SENTENCES = ("01", "02")
ASED_WOMEN = ("09", "15", "25")  # one file of each states "male", all others "female"


def _utterance(corpus: str, name: str, speaker: str, path: Path, **known) -> Utterance:
    """The utterance of a file; names are unique in a corpus."""
    return Utterance(id=f"{corpus}/{name}", path=path, corpus=corpus, speaker=f"{corpus}-{speaker}", **known)


def _parse_ravdess(match: re.Match, path: Path) -> Utterance | str:
    modality, channel, emotion, intensity, sentence, _, actor = (int(part) for part in match[0].split("-"))
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
        sentence=f"{sentence:02d}",
    )


def _parse_crema_d(match: re.Match, path: Path) -> Utterance:
    speaker, sentence, emotion, level = match[0].upper().split("_")
    sex, age = crema_d_actors().get(speaker, ("unknown", None))
    return _utterance(
        "crema_d",
        match[0].upper(),
        speaker,
        path,
        sex=sex,
        age=age,
        emotion=CREMA_EMOTIONS[emotion],
        intensity=CREMA_INTENSITIES.get(level),
        sentence=sentence,
    )


def _parse_tess(match: re.Match, path: Path) -> Utterance:
    speaker = "YAF" if match[1].upper() == "YAF" else "OAF"  # one file of OAF is named OA_…
    return _utterance(
        "tess",
        f"{match[1].upper()}_{match[2].lower()}_{match[3].lower()}",
        speaker,
        path,
        sex="female",
        age=TESS_AGES[speaker],
        emotion=TESS_EMOTIONS[match[3].lower()],
        sentence=match[2].lower(),
    )


def _parse_savee(match: re.Match, path: Path) -> Utterance:
    speaker, code, number = match[1].upper(), match[2].lower(), match[3]
    return _utterance(
        "savee",
        f"{speaker}_{code}{number}",
        speaker,
        path,
        sex="male",
        emotion=SAVEE_EMOTIONS[code],
        sentence=number if int(number) <= N_COMMON_SAVEE_SENTENCES else f"{code}{number}",
    )


def _parse_hindi(match: re.Match, path: Path) -> Utterance | str:
    speaker, session, emotion, sentence = match[1], match[2], match[3].lower(), match[4]
    if emotion not in HINDI_EMOTIONS:
        return f"its emotion, {emotion}, is not among the eight"
    return _utterance(
        "hindi",
        f"{speaker}-{session}-{emotion}-{sentence}",
        speaker,
        path,
        sex="unknown",
        emotion=HINDI_EMOTIONS[emotion],
        sentence=sentence,
    )


def _parse_emovo(match: re.Match, path: Path) -> Utterance:
    emotion, speaker, sentence = match[0].lower().split("-")
    return _utterance(
        "emovo",
        match[0].lower(),
        speaker,
        path,
        sex={"f": "female", "m": "male"}[speaker[0]],
        emotion=EMOVO_EMOTIONS[emotion],
        sentence=sentence,
    )


def _parse_turev(match: re.Match, path: Path) -> Utterance:
    speaker, emotion, word = match[0].lower().split("_")
    return _utterance(
        "turev",
        match[0].lower(),
        speaker,
        path,
        sex="unknown",
        emotion=TUREV_EMOTIONS[emotion],
        sentence=word.rstrip("1"),  # one file is named …_ogul1
    )


def _parse_ased(match: re.Match, path: Path) -> Utterance | str:
    emotion, sentence, _, sex, speaker = match[0].lower().split("-")
    if sentence not in ASED_COMMON_SENTENCES:
        return "its sentence is spoken in one emotion only, so that the words give the label away"
    return _utterance(
        "ased",
        match[0].lower(),
        speaker,
        path,
        sex="female" if sex == "01" or speaker in ASED_WOMEN else "male",
        emotion=ASED_EMOTIONS[emotion],
        sentence=sentence,
    )


FILENAME_PARSERS: tuple[tuple[re.Pattern, Callable[[re.Match, Path], Utterance | str]], ...] = (
    (re.compile(r"0[123]-0[12]-0[1-8]-0[12]-0[12]-0[12]-(?:0[1-9]|1\d|2[0-4])"), _parse_ravdess),
    (re.compile(r"1\d{3}_[A-Z]{3}_(?:ANG|DIS|FEA|HAP|NEU|SAD)_(?:LO|MD|HI|XX|X)", re.I), _parse_crema_d),
    (re.compile(r"(OAF?|YAF)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)", re.I), _parse_tess),
    (re.compile(r"(DC|JE|JK|KL)_(sa|su|[adfhn])(\d\d)", re.I), _parse_savee),
    (re.compile(r"([1-8])-([1-5])-(anger|disgust|fear|happy|neutral|sad|sarcastic|surprise)-(\d\d)"), _parse_hindi),
    (re.compile(r"(?:dis|gio|neu|pau|rab|sor|tri)-[fm][1-3]-[bdln]\d", re.I), _parse_emovo),
    (re.compile(r"\d{4}_(?:hl|kz|mt|sk)_[a-z]+1?", re.I), _parse_turev),
    (re.compile(r"(?:n1|f2|h3|s4|a5)-0[1-7]-0[12]-0[12]-\d\d", re.I), _parse_ased),
    (NOISE_FILE_NAME, lambda match, path: "a sound of ESC-50, not speech"),
)

_SAVEE_IN_FOLDER = re.compile(r"(?:sa|su|[adfhn])\d\d", re.I)
_HINDI_FOLDERS = re.compile(
    r"(?P<speaker>[1-8])/session[1-5]/(?P<emotion>[a-z]+)/[1-8]\.(?P<session>[1-5])\..*?(?P<sentence>\d\d)", re.I
)


def parse_filename(path: Path) -> Utterance | str | None:
    """Utterance of a file name.

    Returns:
        The utterance; the reason if the name is known but the file is not used; None if it matches no grammar.
    """
    stem = _stem_with_speaker(path)
    for pattern, parse in FILENAME_PARSERS:
        if match := pattern.fullmatch(stem):
            found = parse(match, path)
            return found if isinstance(found, str) else replace(found, language=CORPUS_LANGUAGES[found.corpus])
    return None


def _stem_with_speaker(path: Path) -> str:
    """Name without suffix, completed from the folders where these name the speaker."""
    if _SAVEE_IN_FOLDER.fullmatch(path.stem):  # AudioData/DC/a01.wav
        return f"{path.parent.name}_{path.stem}"
    if match := _HINDI_FOLDERS.fullmatch("/".join((*path.parts[-4:-1], path.stem))):  # 4/session4/happy/4.5.happy-08
        return "{speaker}-{session}-{emotion}-{sentence}".format(**match.groupdict()).lower()
    return path.stem


@cache
def crema_d_actors() -> dict[str, tuple[str, int]]:
    """Speaker number -> sex and age (years) of the 91 actors of CREMA-D (VideoDemographics of the corpus, ODbL 1.0)."""
    with (Path(__file__).with_name("crema_d_actors.csv")).open(newline="") as file:
        return {row["speaker"]: (row["sex"], int(row["age"])) for row in csv.DictReader(file)}
