"""Faults of a labelled collection: doubtful labels, and recordings that are there twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEAR_DUPLICATE = 0.99  # cosine of two embeddings; no two takes among 13,167 corpus recordings reach it


@dataclass(frozen=True)
class DoubtfulLabel:
    """A clip whose label the probabilities speak against."""

    index: int  # of the clip
    label: str
    suggestion: str
    label_probability: float
    suggestion_probability: float


@dataclass(frozen=True)
class Duplicate:
    """Two clips with the same sound, or nearly the same."""

    first: int  # index of the clip
    second: int
    similarity: float  # cosine of the embeddings
    is_exact: bool  # the same samples


def rank_doubtful_labels(
    probabilities: np.ndarray, labels: Sequence[str], classes: Sequence[str]
) -> list[DoubtfulLabel]:
    """Clips that are confidently predicted as another class, the most doubtful first (Northcutt et al. 2021).

    A class counts as predicted where its probability reaches the mean that the clips with that label get.

    Args:
        probabilities: of a model that was not trained on these labels, shape = (n_clips, n_classes).
        labels: one of the classes for each clip.
        classes: names of the columns.
    """
    given = np.array([classes.index(label) for label in labels], int)
    own = probabilities[np.arange(len(given)), given]
    thresholds = np.array([own[given == k].mean() if (given == k).any() else np.inf for k in range(len(classes))])
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    suggested = reached.argmax(1)
    doubtful = np.flatnonzero((reached.max(1) > own) & (suggested != given))
    found = [
        DoubtfulLabel(i, classes[given[i]], classes[suggested[i]], float(own[i]), float(probabilities[i, suggested[i]]))
        for i in doubtful.tolist()
    ]
    return sorted(found, key=lambda one: one.label_probability - one.suggestion_probability)


def find_duplicates(digests: Sequence[str], embeddings: np.ndarray) -> list[Duplicate]:
    """Pairs of clips with the same samples or nearly the same embedding, the most similar first.

    Args:
        digests: hash of the samples of each clip.
        embeddings: shape = (n_clips, embedding_dim).
    """
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    rows, columns = np.nonzero(np.triu(similarity >= NEAR_DUPLICATE, 1))
    found = [
        Duplicate(i, j, float(similarity[i, j]), digests[i] == digests[j])
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    return sorted(found, key=lambda pair: (not pair.is_exact, -pair.similarity))
