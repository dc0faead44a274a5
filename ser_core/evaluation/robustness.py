"""Robustness: a model's scores on degraded recordings: other levels, noise, reverberation, phone band, codecs.

Each condition changes the waveform only; its random numbers are seeded by the name of the recording.
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
    load_audio,
    process_like_browser,
    transcode,
)
from ser_core.data import Utterance
from ser_core.evaluation.evaluator import PredictionTable, predict_utterances_per_model
from ser_core.metrics import uar
from ser_core.models import SERModel

CLEAN = "as it is"  # key of the unmodified recordings
MAX_BABBLE_VOICES = 200

ConditionProgress = Callable[[str, float], None]
"""Gets the name of a condition and its share that is done, in (0, 1]."""


@dataclass(frozen=True)
class RobustnessScores:
    """Scores of one model under one condition; UAR in [0, 1]."""

    n_clips: int
    uar: float  # pooled
    uar_corpora: dict[str, float]
    lost: float  # UAR on clean recordings minus UAR under the condition
    unchanged: float  # share of clips with the same prediction as the clean recording
    answered: float  # share of clips without abstention


def evaluate_robustness(
    models: Sequence[SERModel],
    utterances: Sequence[Utterance],
    progress: ConditionProgress = lambda condition, share: None,
) -> list[dict[str, RobustnessScores]]:
    """Scores of each model by condition; the clean recordings come first.

    Raises:
        AudioError: a recording cannot be read.
    """

    def predictions(condition: str, degradation: Degradation) -> list[PredictionTable]:
        show = lambda n_done: progress(condition, n_done / len(utterances))  # noqa: E731
        return predict_degraded(models, utterances, degradation, show)

    step = max(1, len(utterances) // MAX_BABBLE_VOICES)
    voices = [load_audio(utterance.path) for utterance in utterances[::step]]
    clean = predictions(CLEAN, lambda waveform, rng: waveform)
    found = [{CLEAN: measure_robustness(table, table)} for table in clean]
    for condition, degradation in degradation_conditions(voices).items():
        degraded = predictions(condition, degradation)
        for scores, *pair in zip(found, clean, degraded, strict=True):
            scores[condition] = measure_robustness(*pair)
    return found


def degradation_conditions(voices: Sequence[np.ndarray]) -> dict[str, Degradation]:
    """Degradations by the name of their condition.

    Args:
        voices: waveforms of other speakers, for babble.
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
    """Predictions of the models for degraded recordings. Errors as in predict_utterances_per_model."""
    return predict_utterances_per_model(
        models, utterances, progress, lambda waveform, u: degradation(waveform, _utterance_generator(u.id))
    )


def measure_robustness(clean: PredictionTable, degraded: PredictionTable) -> RobustnessScores:
    """Scores of the predictions for degraded recordings, relative to those for the same clean recordings."""
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
