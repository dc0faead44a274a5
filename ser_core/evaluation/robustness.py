"""How much of a model's skill is left when the recording is worse: louder, noisier, from a room, over a phone.

Every condition changes the waveform alone; what it draws at random follows from the name of the recording.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ser_core.audio import (
    Degradation,
    add_babble,
    add_reverberation,
    add_white_noise,
    change_gain,
    change_speed,
    limit_to_phone_band,
    process_like_browser,
    transcode,
)
from ser_core.data import Utterance
from ser_core.evaluation.evaluator import PredictionTable, predict_utterances_per_model
from ser_core.metrics import uar
from ser_core.models import SERModel


@dataclass(frozen=True)
class RobustnessScores:
    """One model under one condition; UAR in [0, 1]."""

    n_clips: int
    uar: float  # pooled
    uar_corpora: dict[str, float]
    lost: float  # UAR without the condition minus UAR with it
    unchanged: float  # share of clips with the same answer as without it
    answered: float  # share of clips that it does not call "not sure"


def degradation_conditions(voices: Sequence[np.ndarray]) -> dict[str, Degradation]:
    """Every condition by name.

    Args:
        voices: waveforms of other people, for babble.
    """
    return {
        "gain -20 dB": change_gain(-20),
        "gain -10 dB": change_gain(-10),
        "gain +12 dB": change_gain(12),
        **{f"white noise {snr_db} dB": add_white_noise(snr_db) for snr_db in (20, 10, 5)},
        **{f"babble {snr_db} dB": add_babble(snr_db, voices) for snr_db in (20, 10, 5)},
        "room": add_reverberation,
        "phone band": limit_to_phone_band,
        "mp3 16 kbit/s": transcode("libmp3lame", "mp3", 16_000),
        "opus 16 kbit/s": transcode("libopus", "ogg", 16_000),
        "speed 0.9": change_speed(0.9),
        "speed 1.1": change_speed(1.1),
        "browser processing": process_like_browser,
    }


def predict_degraded(
    models: Sequence[SERModel],
    utterances: Sequence[Utterance],
    degradation: Degradation,
    progress: Callable[[int], None] = lambda n_done: None,
) -> list[PredictionTable]:
    """What the models answer when every recording is changed. Errors as in evaluation.answer_all."""
    return predict_utterances_per_model(
        models, utterances, progress, lambda waveform, u: degradation(waveform, _utterance_generator(u.id))
    )


def measure_robustness(clean: PredictionTable, degraded: PredictionTable) -> RobustnessScores:
    """The answers to changed recordings against those to the same recordings as they are."""
    corpora = {name: degraded.of_corpus(name) for name in dict.fromkeys(degraded.corpora)}
    return RobustnessScores(
        n_clips=len(degraded.utterances),
        uar=float(uar(degraded.confusion())),
        uar_corpora={str(name): float(uar(part.confusion())) for name, part in corpora.items()},
        lost=float(uar(clean.confusion()) - uar(degraded.confusion())),
        unchanged=float((clean.y_pred == degraded.y_pred).mean()),
        answered=float((~degraded.abstained).mean()),
    )


def _utterance_generator(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]))
