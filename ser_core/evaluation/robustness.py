"""Robustness: a model's scores on degraded recordings: noise, rooms, codecs, clipping, gain control.

No degradation here is part of the augmentation of training (ser_core/training/augment), which has its own formulas
for noise, babble, rooms, bands and speed: a model is not tested on what it was trained on. Each one changes the
waveform only; its random numbers are seeded by the name of the recording.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ser_core.audio import (
    LARGE_ROOM,
    SMALL_ROOM,
    Degradation,
    add_noise,
    apply_gain_control,
    clip_peaks,
    pass_through_gsm,
    place_in_room,
    process_like_browser,
    transcode,
)
from ser_core.data import Utterance
from ser_core.evaluation.evaluator import predict_utterances_per_model
from ser_core.evaluation.scoring.predictions import PredictionTable
from ser_core.metrics import uar
from ser_core.models import SERModel

CLEAN = "as it is"  # key of the unmodified recordings

ConditionProgress = Callable[[str, float], None]
"""Gets the name of a condition and its share that is done, in (0, 1]."""


@dataclass(frozen=True)
class RobustnessScores:
    """Scores of one model under one condition; UAR in [0, 1]."""

    n_clips: int
    uar: float  # mean over the corpora
    uar_corpora: dict[str, float]
    lost: float  # UAR on clean recordings minus UAR under the condition
    unchanged: float  # share of clips with the same prediction as the clean recording
    answered: float  # share of clips without abstention


def evaluate_robustness(
    models: Sequence[SERModel],
    utterances: Sequence[Utterance],
    noises: Sequence[np.ndarray],
    progress: ConditionProgress = lambda condition, share: None,
) -> list[dict[str, RobustnessScores]]:
    """Scores of each model by condition; the clean recordings come first.

    Args:
        noises: waveforms of environmental sounds that no training uses, each of shape (n_samples,).

    Raises:
        AudioError: a recording cannot be read.
    """

    def predictions(condition: str, degradation: Degradation) -> list[PredictionTable]:
        show = lambda n_done: progress(condition, n_done / len(utterances))  # noqa: E731
        return predict_degraded(models, utterances, degradation, show)

    clean = predictions(CLEAN, lambda waveform, rng: waveform)
    found = [{CLEAN: measure_robustness(table, table)} for table in clean]
    for condition, degradation in degradation_conditions(noises).items():
        degraded = predictions(condition, degradation)
        for scores, *pair in zip(found, clean, degraded, strict=True):
            scores[condition] = measure_robustness(*pair)
    return found


def degradation_conditions(noises: Sequence[np.ndarray]) -> dict[str, Degradation]:
    """Degradations by the name of their condition. Args as for evaluate_robustness."""
    return {
        **{f"environmental noise {snr_db} dB": add_noise(snr_db, noises) for snr_db in (20, 10, 5)},
        "small room": place_in_room(SMALL_ROOM),
        "large room": place_in_room(LARGE_ROOM),
        "mp3 16 kbit/s": transcode("libmp3lame", "mp3", 16_000),
        "opus 8 kbit/s": transcode("libopus", "ogg", 8_000),
        "GSM full rate": pass_through_gsm,
        "5 % of the samples clipped": clip_peaks(0.05),
        "gain control": apply_gain_control,
        "noise suppression, gain control": process_like_browser,
    }


def predict_degraded(
    models: Sequence[SERModel],
    utterances: Sequence[Utterance],
    degradation: Degradation,
    progress: Callable[[int], None],
) -> list[PredictionTable]:
    """Predictions of the models for degraded recordings. Errors as in predict_utterances_per_model."""
    return predict_utterances_per_model(
        models, utterances, progress, lambda waveform, u: degradation(waveform, _utterance_generator(u.id))
    )


def measure_robustness(clean: PredictionTable, degraded: PredictionTable) -> RobustnessScores:
    """Scores of the predictions for degraded recordings, relative to those for the same clean recordings."""
    before, after = _uar_by_corpus(clean), _uar_by_corpus(degraded)
    mean = float(np.mean([*after.values()]))
    return RobustnessScores(
        n_clips=len(degraded.utterances),
        uar=mean,
        uar_corpora=after,
        lost=float(np.mean([*before.values()])) - mean,
        unchanged=float((clean.y_pred == degraded.y_pred).mean()),
        answered=float((~degraded.abstained).mean()),
    )


def _uar_by_corpus(predictions: PredictionTable) -> dict[str, float]:
    names = dict.fromkeys(predictions.corpora.tolist())
    return {name: float(uar(predictions.of_corpus(name).confusion())) for name in names}


def _utterance_generator(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]))
