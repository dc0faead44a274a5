"""The protocols: a function for each, from utterances to their part or fold.

A split depends only on names: a draw sorts by a hash of seed and name, so it is the same on every machine, in every
directory order and with every library version.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable

from ser_core.data.protocols.folds import speaker_independent, speaker_independent_8
from ser_core.data.utterances import OTHER_LANGUAGE_CORPORA, SPEECH_CORPORA, Utterance
from ser_core.labels import COMMON_EMOTIONS

SPLIT_SEED = 2024
REDRAW_SEED = 2025  # second draw, which shows the effect of a split script without a seed

SPEAKER_INDEPENDENT, SPEAKER_INDEPENDENT_8 = "speaker-independent", "speaker-independent-8"
LEAVE_ONE_CORPUS_OUT, LEFT_OUT = "leave-one-corpus-out", "left-out"  # of the English corpora; of all


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
    SPEAKER_INDEPENDENT: speaker_independent,
    LEAVE_ONE_CORPUS_OUT: _leave_one_corpus_out,
    SPEAKER_INDEPENDENT_8: speaker_independent_8,
    LEFT_OUT: _left_out,
}
"""Name -> function from utterances to utterance id -> part ("train", "dev", "test") or fold."""
SPEAKER_OVERLAP = {
    "resonet": "shares speakers on SAVEE and TESS",
    "resonet-redrawn": "shares speakers on SAVEE and TESS",
    "ravdess-random": "shares speakers",
}
