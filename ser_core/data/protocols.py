"""Evaluation protocols: train, dev and test parts or folds of the corpora.

A split depends only on names: a draw sorts by a hash of seed and name, so it is the same on every machine, in every
directory order and with every library version. The splits are committed as CSV files.
"""

import csv
import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ser_core import paths
from ser_core.data.utterances import ALL_SPEECH_CORPORA, OTHER_LANGUAGE_CORPORA, SPEECH_CORPORA, Utterance
from ser_core.labels import COMMON_EMOTIONS

N_FOLDS = 5
RAVDESS_FOLDS = (  # Luna-Jimenez et al., "A proposal for multimodal emotion recognition ...", Applied Sciences 2022
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)
CREMA_D_FOLDS = ((1001, 1018), (1019, 1036), (1037, 1054), (1055, 1072), (1073, 1091))  # EMO-SUPERB's blocks
SAVEE_FOLDS = ("DC", "JE", "JK", "KL")
TESS_FOLDS = ("OAF", "YAF")
N_DEV_SPEAKERS = {"ravdess": 2, "crema_d": 6, "hindi": 1, "ased": 2}  # the others have too few speakers for a dev part

SPLIT_SEED = 2024
REDRAW_SEED = 2025  # second draw, which shows the effect of a split script without a seed


class ProtocolError(ValueError):
    """Unknown protocol or fold, or a missing file; the message lists the valid names or the command."""


@dataclass(frozen=True)
class ProtocolSplit:
    """Utterance ids of one train/dev/test split."""

    train: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]


def split_name(protocol: str, fold: str | None) -> str:
    """Name of a test part, e.g. "resonet" or "speaker-independent-0"."""
    return protocol if fold is None else f"{protocol}-{fold}"


def speaker_independent_fold(utterance: Utterance) -> str:
    """Test fold of the speaker of an utterance."""
    corpus, name = utterance.speaker.split("-")
    if corpus == "ravdess":
        fold = next(i for i, actors in enumerate(RAVDESS_FOLDS) if int(name) in actors)
    elif corpus == "crema_d":
        fold = next(i for i, (first, last) in enumerate(CREMA_D_FOLDS) if first <= int(name) <= last)
    else:
        fold = {"savee": SAVEE_FOLDS, "tess": TESS_FOLDS}[corpus].index(name)
    return str(fold)


def _hash_shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Names in a random order that depends only on the names and the seed."""
    return sorted(set(names), key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).hexdigest())


def _assign_parts(names: Iterable[str], n_dev: int, n_test: int, seed: int = SPLIT_SEED) -> dict[str, str]:
    """Name -> part: a draw of n_test and n_dev names; the rest is train."""
    order = _hash_shuffled(names, seed)
    parts = ["test"] * n_test + ["dev"] * n_dev + ["train"] * (len(order) - n_test - n_dev)
    return dict(zip(order, parts, strict=True))


def _group_ids(utterances: Iterable[Utterance], key) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for utterance in utterances:
        groups[key(utterance)].append(utterance.id)
    return groups


def _resonet(utterances: list[Utterance], actor_seed: int = SPLIT_SEED) -> dict[str, str]:
    """RAVDESS 16/4/4 actors, CREMA-D 72/9/10 actors, TESS and SAVEE 70/15/15 % of the clips of each speaker."""
    actors = {c: {u.speaker for u in utterances if u.corpus == c} for c in ("ravdess", "crema_d")}
    part = _assign_parts(actors["ravdess"], 4, 4, actor_seed) | _assign_parts(actors["crema_d"], 9, 10, actor_seed)
    within = [u for u in utterances if u.corpus in ("tess", "savee")]
    for ids in _group_ids(within, lambda u: u.speaker).values():
        n_held_out = round(0.15 * len(ids))
        part |= _assign_parts(ids, n_held_out, n_held_out)
    selected = [u for u in utterances if u.corpus in SPEECH_CORPORA]
    return {u.id: part[u.id] if u.id in part else part[u.speaker] for u in selected}


def _resonet_redrawn(utterances: list[Utterance]) -> dict[str, str]:
    """_resonet with the actors redrawn, as the published script does at every run: test actors become known."""
    return _resonet(utterances, REDRAW_SEED)


def _ravdess_random(utterances: list[Utterance]) -> dict[str, str]:
    """RAVDESS speech and song, 80/20 % of the clips of each emotion; speakers are shared."""
    selected = [u for u in utterances if u.corpus in ("ravdess", "ravdess_song")]
    by_emotion = _group_ids(selected, lambda u: u.emotion)
    n_test = {emotion: len(ids) // 5 for emotion, ids in by_emotion.items()}
    missing = math.ceil(len(selected) / 5) - sum(n_test.values())  # assigned to the largest remainders, as published
    for emotion in sorted(n_test, key=lambda e: (-(len(by_emotion[e]) % 5), e))[:missing]:
        n_test[emotion] += 1
    part: dict[str, str] = {}
    for emotion, ids in by_emotion.items():
        part |= _assign_parts(ids, 0, n_test[emotion])
    return part


def _speaker_independent(utterances: list[Utterance]) -> dict[str, str]:
    return {u.id: speaker_independent_fold(u) for u in utterances if u.corpus not in OTHER_LANGUAGE_CORPORA}


def _speaker_independent_8(utterances: list[Utterance]) -> dict[str, str]:
    """_speaker_independent, and the speakers of each corpus in another language dealt to the folds in order of name."""
    fold: dict[str, str] = {}
    for corpus in OTHER_LANGUAGE_CORPORA:
        speakers = sorted({u.speaker for u in utterances if u.corpus == corpus})
        fold |= {speaker: str(i % N_FOLDS) for i, speaker in enumerate(speakers)}
    return _speaker_independent(utterances) | {u.id: fold[u.speaker] for u in utterances if u.speaker in fold}


def _corpus_of_speaker(utterance: Utterance) -> str:
    """Corpus, RAVDESS speech and song together."""
    return utterance.speaker.split("-")[0]


def _leave_one_corpus_out(utterances: list[Utterance]) -> dict[str, str]:
    english = [u for u in utterances if u.corpus not in OTHER_LANGUAGE_CORPORA]
    return {u.id: _corpus_of_speaker(u) for u in english if u.emotion in COMMON_EMOTIONS}


def _left_out(utterances: list[Utterance]) -> dict[str, str]:
    return {u.id: _corpus_of_speaker(u) for u in utterances}


PROTOCOLS = {
    "resonet": _resonet,
    "resonet-redrawn": _resonet_redrawn,
    "ravdess-random": _ravdess_random,
    "speaker-independent": _speaker_independent,
    "leave-one-corpus-out": _leave_one_corpus_out,
    "speaker-independent-8": _speaker_independent_8,
    "left-out": _left_out,
}
"""Name -> function from utterances to utterance id -> part ("train", "dev", "test") or fold."""

SPEAKER_OVERLAP = {
    "resonet": "shares speakers on SAVEE and TESS",
    "resonet-redrawn": "shares speakers on SAVEE and TESS",
    "ravdess-random": "shares speakers",
}


def write_protocol(name: str, utterances: Iterable[Utterance], folder: Path | None = None) -> Path:
    """Write `<folder>/<name>.csv` with the columns utterance, corpus, speaker, emotion and fold or part.

    Raises:
        ProtocolError: unknown name.
    """
    ordered = sorted(utterances, key=lambda u: u.id)
    assigned = _protocol_function(name)(ordered)
    column = "part" if "train" in assigned.values() else "fold"
    path = (folder or paths.PROTOCOLS) / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["utterance", "corpus", "speaker", "emotion", column])
        writer.writerows([u.id, u.corpus, u.speaker, u.emotion, assigned[u.id]] for u in ordered if u.id in assigned)
    return path


def _protocol_function(name: str):
    if name not in PROTOCOLS:
        raise ProtocolError(f"Unknown protocol {name!r}. There are: {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]


def read_protocol(name: str, folder: Path | None = None) -> list[dict[str, str]]:
    """Rows of a committed protocol file.

    Raises:
        ProtocolError: unknown name, or the file is missing.
    """
    _protocol_function(name)
    path = (folder or paths.PROTOCOLS) / f"{name}.csv"
    if not path.is_file():
        raise ProtocolError(f"{path.name} is missing. Create it with: python -m scripts.make_protocols")
    return list(_read_rows(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=len(PROTOCOLS))
def _read_rows(path: Path, changed_ns: int) -> tuple[dict[str, str], ...]:
    """Cached: a page reads the folds of every protocol at each run."""
    with path.open(newline="") as file:
        return tuple(csv.DictReader(file))


def protocol_folds(name: str) -> tuple[str, ...]:
    """Folds of a protocol; empty for a protocol with a single split."""
    return tuple(sorted({row["fold"] for row in read_protocol(name) if "fold" in row}))


def protocol_of_split(split: str) -> str | None:
    """Protocol of a test part, the inverse of split_name; None for another text."""
    for name in filter(split.startswith, PROTOCOLS):  # reading every file would make a page wait
        if split in [split_name(name, fold) for fold in protocol_folds(name) or (None,)]:
            return name
    return None


def protocol_split(name: str, fold: str | int | None = None) -> ProtocolSplit:
    """One train/dev/test split of a protocol.

    Args:
        name: a key of PROTOCOLS.
        fold: the test fold; None for protocols with a single split.

    Raises:
        ProtocolError: unknown protocol or fold.
    """
    rows = read_protocol(name)
    if "part" in rows[0]:
        if fold is not None:
            raise ProtocolError(f"Protocol {name!r} has a single split and takes no fold.")
        return ProtocolSplit(
            *(tuple(r["utterance"] for r in rows if r["part"] == part) for part in ("train", "dev", "test"))
        )
    if str(fold) not in protocol_folds(name):
        raise ProtocolError(f"Protocol {name!r} has no fold {fold!r}. There are: {', '.join(protocol_folds(name))}.")
    dev = _choose_dev_speakers(rows, int(str(fold))) if name.startswith("speaker-independent") else set()
    return _split_fold(rows, str(fold), dev, tests_song=name != "left-out")


def _split_fold(rows: list[dict[str, str]], fold: str, dev: set[str], tests_song: bool) -> ProtocolSplit:
    """Split of the rows of a protocol file.

    Args:
        fold: the test fold.
        dev: speakers of the development part.
        tests_song: the test part has song; otherwise the song of the test fold is in no part.
    """
    parts: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    for row in rows:
        part = "test" if row["fold"] == fold else "dev" if row["speaker"] in dev else "train"
        if part != "test" or tests_song or row["corpus"] != "ravdess_song":
            parts[part].append(row["utterance"])
    return ProtocolSplit(*(tuple(parts[part]) for part in ("train", "dev", "test")))


def nested_split(fold: str) -> ProtocolSplit:
    """Split of the protocol `left-out` with a second corpus, development_corpus(fold), left out of training.

    A model trained on its training part gives the temperature, the threshold and the number of epochs for the model
    that is trained on all corpora but the test corpus.

    Raises:
        ProtocolError: unknown fold.
    """
    split = protocol_split("left-out", fold)
    corpus_of = {row["utterance"]: row["fold"] for row in read_protocol("left-out")}
    held_out = [i for i in split.train if corpus_of[i] == development_corpus(fold)]
    return ProtocolSplit(
        train=tuple(i for i in split.train if corpus_of[i] != development_corpus(fold)),
        dev=tuple(i for i in held_out if not i.startswith("ravdess_song/")),
        test=split.test,
    )


def development_corpus(fold: str) -> str:
    """Development corpus of a fold of `left-out`: the next in the order of ALL_SPEECH_CORPORA, after ASED the first.

    Raises:
        ProtocolError: unknown fold.
    """
    if fold not in ALL_SPEECH_CORPORA:
        raise ProtocolError(f"Protocol 'left-out' has no fold {fold!r}. There are: {', '.join(ALL_SPEECH_CORPORA)}.")
    return ALL_SPEECH_CORPORA[(ALL_SPEECH_CORPORA.index(fold) + 1) % len(ALL_SPEECH_CORPORA)]


def _choose_dev_speakers(rows: list[dict[str, str]], fold: int) -> set[str]:
    """First speakers of the fold after the test fold, N_DEV_SPEAKERS per corpus."""
    following = str((fold + 1) % N_FOLDS)
    chosen: set[str] = set()
    for corpus, n in N_DEV_SPEAKERS.items():
        speakers = sorted({r["speaker"] for r in rows if r["corpus"] == corpus and r["fold"] == following})
        chosen.update(speakers[:n])
    return chosen


@lru_cache(maxsize=64)
def training_speakers(protocol: str, fold: str | None) -> frozenset[str]:
    """Speakers of the training and of the development part. Errors as in protocol_split."""
    split = protocol_split(protocol, fold)
    known = {*split.train, *split.dev}
    return frozenset(row["speaker"] for row in read_protocol(protocol) if row["utterance"] in known)


def unseen_speaker_fold(model_name: str, metrics: dict) -> tuple[str, str | None]:
    """Protocol and fold of the unseen test speakers of a model.

    Args:
        metrics: content of the checkpoint's metrics.json.

    Raises:
        ProtocolError: it was evaluated on training speakers, or not at all.
    """
    if not metrics or metrics["protocol"] in SPEAKER_OVERLAP:
        raise ProtocolError(f"{model_name} was not evaluated on unseen speakers.")
    return metrics["protocol"], metrics["fold"]
