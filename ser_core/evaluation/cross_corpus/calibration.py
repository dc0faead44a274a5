"""Calibration for strangers: temperature, threshold and detector from corpora left out of training."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import softmax

from ser_core.metrics import fit_temperature
from ser_core.models import Calibration, NoveltyDetector, Whisper, fit_neighbour_reference
from ser_core.training import CrossCorpusPredictions, TrainingExample

TARGET_ACCURACY, MIN_COVERAGE = 0.65, 0.5  # of the predictions for unseen corpora above the threshold
MIN_SPEAKERS = 3  # of a corpus in training, to know its unseen speakers


def fit_cross_corpus_calibration(predictions: CrossCorpusPredictions) -> Calibration:
    """Temperature and abstention threshold for recordings of an unseen corpus; every corpus counts the same.

    The threshold is the lowest one above which TARGET_ACCURACY of the predictions are correct, but leaves at least
    MIN_COVERAGE of the clips answered.

    Args:
        predictions: for each corpus by a model that was trained without it.
    """
    rows = balanced_rows(predictions.corpora)
    logits, y_true = predictions.logits[rows], predictions.y_true[rows]
    temperature = fit_temperature(logits, y_true)
    probabilities = softmax(logits / temperature, axis=-1)
    confidence = np.sort(probabilities.max(1))
    order = np.argsort(probabilities.max(1))
    right_above = np.cumsum((probabilities.argmax(1) == y_true)[order][::-1])[::-1] / np.arange(len(rows), 0, -1)
    reached = np.nonzero(right_above >= TARGET_ACCURACY)[0]
    most = int((1 - MIN_COVERAGE) * len(rows))
    lowest = min(int(reached[0]), most) if len(reached) else most
    return Calibration(round(temperature, 4), round(float(confidence[lowest]), 4))


def balanced_rows(corpora: np.ndarray) -> np.ndarray:
    """Rows of equally many clips of each corpus, spread evenly over its clips."""
    n_clips = int(np.unique(corpora, return_counts=True)[1].min())
    rows = (np.nonzero(corpora == corpus)[0] for corpus in np.unique(corpora))
    return np.concatenate([own[np.linspace(0, len(own) - 1, n_clips).astype(int)] for own in rows])


def fit_cross_corpus_novelty(
    model: Whisper,
    statistics: np.ndarray,
    clips: Sequence[TrainingExample],
    predictions: CrossCorpusPredictions,
) -> NoveltyDetector:
    """Out-of-distribution detector of a head on a frozen encoder; its percentiles are those of left-out corpora.

    Args:
        statistics: of the training clips, see fit_head.
        clips: of training.
        predictions: of left-out corpora, with their distances.
    """
    with torch.inference_mode():
        known = model.projection(torch.from_numpy(statistics)).numpy()
    corpora = np.array([clip.corpus.removesuffix("_song") for clip in clips])
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
    corpora = np.array([clip.corpus.removesuffix("_song") for clip in clips])
    speakers = np.array([clip.speaker for clip in clips])
    known = [name for name in np.unique(corpora) if len(np.unique(speakers[corpora == name])) >= MIN_SPEAKERS]
    if not known:
        return np.zeros(0)
    (usable,) = np.nonzero(np.isin(corpora, known))
    rows = usable[balanced_rows(corpora[usable])]
    return detector.distance_from_others(embeddings, speakers, rows)
