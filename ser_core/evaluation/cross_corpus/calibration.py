"""Calibration for unseen corpora: temperature, threshold and detector from corpora left out of training."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.special import softmax

from ser_core.metrics import fit_temperature, nll
from ser_core.models import Calibration, NoveltyDetector, Whisper, fit_neighbour_reference
from ser_core.training import MIN_SPEAKERS, TrainingExample, UnseenPredictions, corpora_of

TARGET_ACCURACY, MIN_COVERAGE = 0.65, 0.5  # of the predictions for unseen corpora above the threshold
MAX_POWER = 1.0  # of the distance


def fit_cross_corpus_calibration(left_out: UnseenPredictions, known: UnseenPredictions) -> Calibration:
    """Temperature, power of the distance, gain of a reference and thresholds; every corpus counts the same.

    The thresholds, without and with a reference, are those of an unseen corpus: the lowest above which TARGET_ACCURACY
    of the predictions are correct, but leaves at least MIN_COVERAGE of the clips answered.

    Args:
        left_out: for each corpus by a model that was trained without it.
        known: for unseen speakers of the training corpora; without any the distance does not count: among left-out
            corpora alone it tells too little.
    """
    left_out = left_out.select(balanced_rows(left_out.corpora))
    both = UnseenPredictions.concatenate([left_out, known.select(balanced_rows(known.corpora, len(left_out.y_true)))])
    power, temperature = _fit_power(both, MAX_POWER if len(known.y_true) else 0)
    gain = _fit_gain(both, Calibration(temperature, distance_power=power))
    fitted = Calibration(round(temperature, 4), distance_power=power, reference_gain=round(gain, 4))
    alone = fitted.scale(left_out.logits, left_out.distances)
    enrolled = fitted.scale(left_out.enrolled_logits, left_out.distances, left_out.reference_weights)
    thresholds = (_lowest_confidence(softmax(x / temperature, axis=-1), left_out.y_true) for x in (alone, enrolled))
    lowest, lowest_enrolled = (round(value, 4) for value in thresholds)
    return replace(fitted, min_confidence=lowest, reference_min_confidence=lowest_enrolled)


def _fit_gain(predictions: UnseenPredictions, calibration: Calibration) -> float:
    """The gain of a reference with the lowest NLL, to 1 %, at the temperature of predictions without."""
    scaled = calibration.scale(predictions.enrolled_logits, predictions.distances) / calibration.temperature
    weights = predictions.reference_weights[:, None]

    def loss(gain: float) -> float:
        return nll(softmax(scaled * gain**weights, axis=-1), predictions.y_true)

    return float(min(np.exp(np.arange(np.log(0.5), np.log(4.0), 0.01)), key=loss))


def _fit_power(predictions: UnseenPredictions, most: float) -> tuple[float, float]:
    """(power of the distance, temperature) with the lowest NLL; the power is `most` or less."""
    logits, y_true = predictions.logits, predictions.y_true

    def fitted(power: float) -> tuple[float, float, float]:
        scaled = Calibration(distance_power=power).scale(logits, predictions.distances)
        temperature = fit_temperature(scaled, y_true)
        return nll(softmax(scaled / temperature, axis=-1), y_true), power, temperature

    return min(fitted(round(float(power), 2)) for power in np.arange(0, most + 0.01, 0.05))[1:]


def _lowest_confidence(probabilities: np.ndarray, y_true: np.ndarray) -> float:
    """The abstention threshold, see fit_cross_corpus_calibration."""
    order = np.argsort(probabilities.max(1))
    right = (probabilities.argmax(1) == y_true)[order]
    right_above = np.cumsum(right[::-1])[::-1] / np.arange(len(right), 0, -1)
    reached = np.nonzero(right_above >= TARGET_ACCURACY)[0]
    most = int((1 - MIN_COVERAGE) * len(right))
    lowest = min(int(reached[0]), most) if len(reached) else most
    return float(probabilities.max(1)[order[lowest]])


def balanced_rows(corpora: np.ndarray, most: int | None = None) -> np.ndarray:
    """Rows of equally many clips of each corpus, spread evenly over its clips; at most so many in all."""
    names, sizes = np.unique(corpora, return_counts=True)
    n_clips = int(min([*sizes, *([] if most is None else [most // max(len(names), 1)])], default=0))
    rows = [np.nonzero(corpora == corpus)[0] for corpus in names]
    found = [own[np.linspace(0, len(own) - 1, n_clips).astype(int)] for own in rows]
    return np.concatenate([np.zeros(0, int), *found])


def fit_cross_corpus_novelty(
    model: Whisper,
    statistics: np.ndarray,
    clips: Sequence[TrainingExample],
    predictions: UnseenPredictions,
) -> NoveltyDetector:
    """Out-of-distribution detector of a head on a frozen encoder; its percentiles are those of left-out corpora.

    Args:
        statistics: of the training clips, see fit_head.
        clips: of training.
        predictions: of left-out corpora, with their distances.
    """
    with torch.inference_mode():
        known = model.projection(torch.from_numpy(statistics)).numpy()
    corpora = corpora_of(clips)
    detector = fit_neighbour_reference(known, corpora).with_reference_distances(predictions.distances)
    return fit_familiarity(detector, known, clips)


def fit_familiarity(
    detector: NoveltyDetector, embeddings: np.ndarray, clips: Sequence[TrainingExample]
) -> NoveltyDetector:
    """The detector with thresholds for the words of familiarity. Arguments and errors as unseen_speaker_distances.

    Args:
        detector: with distances of left-out corpora.
    """
    distances = unseen_speaker_distances(detector, embeddings, clips)
    return detector.with_familiarity(distances) if len(distances) else detector


def unseen_speaker_distances(
    detector: NoveltyDetector, embeddings: np.ndarray, clips: Sequence[TrainingExample]
) -> np.ndarray:
    """Distances of unseen speakers of known corpora: each training speaker is compared with the others.

    Every corpus counts the same. One of fewer than MIN_SPEAKERS is left out: without one of them it is hardly known.

    Args:
        detector: by near neighbours, of these clips.
        embeddings: of the training clips, shape = (n_clips, embedding_dim).
        clips: of training.

    Returns:
        shape = (n_chosen,), of clips spread over each corpus.

    Raises:
        ValueError: a detector of other clips.
    """
    corpora = corpora_of(clips)
    speakers = np.array([clip.speaker for clip in clips])
    known = [name for name in np.unique(corpora) if len(np.unique(speakers[corpora == name])) >= MIN_SPEAKERS]
    if not known:
        return np.zeros(0)
    (usable,) = np.nonzero(np.isin(corpora, known))
    rows = usable[balanced_rows(corpora[usable])]
    return detector.distance_from_others(embeddings, speakers, rows)
