"""A linear head for labelled recordings of one's own, on the embeddings of a model, cross-validated by speaker."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from ser_core.metrics import Scores, compute_scores, confusion_matrix

MAX_FOLDS = 5
MIN_CLIPS_PER_EMOTION = 5
INVERSE_PENALTY = 0.1  # C of the logistic regression, on standardised embeddings; fixed, so that no fold chooses it


class HeadError(ValueError):
    """A head that cannot be trained; the message names the cause and the cure."""


@dataclass(frozen=True, eq=False)
class OwnHead:
    """A linear layer on embeddings, and what it is worth on speakers it was not trained on."""

    labels: tuple[str, ...]
    weight: np.ndarray  # (n_classes, embedding_dim)
    bias: np.ndarray  # (n_classes,)
    held_out: np.ndarray  # probabilities of each clip by the fold without it, (n_clips, n_classes)
    confusion: np.ndarray  # of these, (n_classes, n_classes): rows are labels
    scores: Scores  # of these
    n_folds: int
    by_speaker: bool  # whether no speaker is in training and test of a fold

    def probabilities(self, embeddings: np.ndarray) -> np.ndarray:
        """shape = (n_clips, n_classes)."""
        return softmax(embeddings @ self.weight.T + self.bias, axis=1)

    def to_dict(self, model: str, version: str) -> dict:
        """JSON-serialisable: logits are embedding @ weight.T + bias.

        Args:
            model, version: whose embeddings it takes.
        """
        return {
            "model": model,
            "version": version,
            "labels": self.labels,
            "uar": round(self.scores.uar, 4),
            "n_clips": self.scores.n_clips,
            "n_speakers": self.scores.n_speakers,
            "cross_validation": "by speaker" if self.by_speaker else "by clip",
            "weight": self.weight.tolist(),
            "bias": self.bias.tolist(),
        }


def train_own_head(embeddings: np.ndarray, emotions: Sequence[str], speakers: Sequence[str]) -> OwnHead:
    """Logistic regression on embeddings, cross-validated by speaker; by clip where all are of one speaker.

    Args:
        embeddings: shape = (n_clips, embedding_dim).
        emotions: label of each clip.
        speakers: speaker of each clip.

    Raises:
        HeadError: fewer than two emotions, or fewer than MIN_CLIPS_PER_EMOTION clips of one of them.
    """
    if missing := missing_for_head(emotions):
        raise HeadError(missing)
    labels = tuple(sorted(set(emotions)))
    y, groups = np.array([labels.index(e) for e in emotions]), np.array(speakers, str)
    by_speaker = len(set(speakers)) > 1
    held_out, n_folds = np.zeros((len(y), len(labels))), 0
    for train, test in _folds(y, groups, by_speaker):
        weight, bias = _fit(embeddings[train], y[train], len(labels))
        held_out[test] = softmax(embeddings[test] @ weight.T + bias, axis=1)
        n_folds += 1
    predicted = held_out.argmax(1)
    confusion = confusion_matrix(y, predicted, len(labels))
    scores = compute_scores(y, predicted, groups, len(labels))
    return OwnHead(labels, *_fit(embeddings, y, len(labels)), held_out, confusion, scores, n_folds, by_speaker)


def clips_for_head(emotions: Sequence[str]) -> list[int]:
    """Indices of the clips to train on: those of the emotions that have MIN_CLIPS_PER_EMOTION of them."""
    counts = Counter(emotions)
    return [i for i, emotion in enumerate(emotions) if counts[emotion] >= MIN_CLIPS_PER_EMOTION]


def missing_for_head(emotions: Sequence[str]) -> str:
    """Why these labels are too few to train on, and the cure; "" where they are enough."""
    counts = Counter(emotions)
    if len(counts) < 2:
        return "Labels of at least two emotions are needed."
    emotion, n_clips = counts.most_common()[-1]
    if n_clips >= MIN_CLIPS_PER_EMOTION:
        return ""
    clips = "clip" if n_clips == 1 else "clips"
    return f"{emotion} has {n_clips} {clips}; each emotion needs {MIN_CLIPS_PER_EMOTION}. Add some, or leave it out."


def _folds(y: np.ndarray, groups: np.ndarray, by_speaker: bool):
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # here: the app's start needs none of it

    if by_speaker:
        n_folds = min(MAX_FOLDS, len(np.unique(groups)))
        return StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(y, y, groups)
    return StratifiedKFold(min(MAX_FOLDS, MIN_CLIPS_PER_EMOTION), shuffle=True, random_state=0).split(y, y)


def _fit(x: np.ndarray, y: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias for embeddings as they are; a class without clips in this fold is never predicted."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = x.mean(0), np.maximum(x.std(0), 1e-6)
    weight, bias = np.zeros((n_classes, x.shape[1])), np.full(n_classes, -1e9)
    present = np.unique(y)
    if len(present) == 1:
        bias[present] = 0.0
        return weight, bias
    fitted = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=1000).fit((x - mean) / scale, y)
    coefficients, intercept = fitted.coef_, fitted.intercept_
    if len(present) == 2:  # one row for two classes
        coefficients, intercept = np.vstack([-coefficients, coefficients]) / 2, np.hstack([-intercept, intercept]) / 2
    weight[present] = coefficients / scale
    bias[present] = intercept - weight[present] @ mean
    return weight, bias
