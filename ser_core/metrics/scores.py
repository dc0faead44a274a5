"""Scores of predictions, pooled and of each class."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_core.metrics.confusion import (
    accuracy,
    class_f1,
    class_precision,
    class_recall,
    confusion_matrix,
    macro_f1,
    macro_precision,
    uar,
    weighted_f1,
)
from ser_core.metrics.curves import precision_recall_curves, roc_curves
from ser_core.metrics.intervals import ConfidenceInterval, bootstrap_clips, percentile_interval, speaker_interval


@dataclass(frozen=True)
class Scores:
    """Scores of the predictions for one set of clips; every value in [0, 1], means are over the classes that occur.

    The intervals are 95 %. `_ci` is over speakers (t, jackknife within corpora); None where a corpus has fewer than
    MIN_SPEAKERS: so few do not represent others. `_ci_clips` resamples clips, as published tables do: too narrow,
    because clips of one voice are alike.
    """

    n_clips: int
    n_speakers: int
    uar: float
    macro_f1: float
    accuracy: float
    weighted_f1: float
    macro_precision: float
    macro_recall: float  # the UAR, under the name that published tables give it
    uar_ci: ConfidenceInterval | None
    macro_f1_ci: ConfidenceInterval | None
    accuracy_ci: ConfidenceInterval | None
    uar_ci_clips: ConfidenceInterval
    macro_f1_ci_clips: ConfidenceInterval
    accuracy_ci_clips: ConfidenceInterval


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class against all others; every value but support in [0, 1]."""

    precision: float  # 0 when it was never predicted
    recall: float
    f1: float
    support: int  # clips of this class
    roc_auc: float | None  # None when there is no clip of another class
    average_precision: float


def compute_scores(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    speakers: np.ndarray,
    n_classes: int,
    seed: int = 0,
    corpora: np.ndarray | None = None,
) -> Scores:
    """Scores with 95 % confidence intervals, over speakers by a t distribution and over clips by bootstrap.

    Args:
        y_true, y_pred: class indices, shape = (n_clips,).
        speakers: speaker of each clip, shape = (n_clips,).
        seed: of the bootstrap.
        corpora: whose speaker it is, shape = (n_clips,); None: all of one corpus.

    Raises:
        ValueError: no clip, or see confusion_matrix.
    """
    if not len(y_true):
        raise ValueError("No clip to score.")
    names, first = np.unique(speakers, return_index=True)
    per_speaker = np.stack(
        [confusion_matrix(y_true[speakers == name], y_pred[speakers == name], n_classes) for name in names]
    )
    strata = np.zeros(len(names)) if corpora is None else corpora[first]
    confusion = per_speaker.sum(0)
    return Scores(
        n_clips=len(y_true),
        n_speakers=len(names),
        uar=float(uar(confusion)),
        macro_f1=float(macro_f1(confusion)),
        accuracy=float(accuracy(confusion)),
        weighted_f1=float(weighted_f1(confusion)),
        macro_precision=float(macro_precision(confusion)),
        macro_recall=float(uar(confusion)),
        **_intervals(per_speaker, strata, seed),
    )


def _intervals(per_speaker: np.ndarray, strata: np.ndarray, seed: int) -> dict[str, Any]:
    """The fields of Scores that are intervals."""
    drawn = bootstrap_clips(per_speaker.sum(0), seed)
    found: dict[str, Any] = {}
    for measure in (uar, macro_f1, accuracy):
        found[f"{measure.__name__}_ci"] = speaker_interval(per_speaker, strata, measure)
        found[f"{measure.__name__}_ci_clips"] = percentile_interval(measure(drawn))
    return found


def class_scores(probabilities: np.ndarray, y_true: np.ndarray) -> dict[int, ClassScores]:
    """Every class that occurs, by index; probabilities has shape (n_clips, n_classes)."""
    confusion = confusion_matrix(y_true, probabilities.argmax(1), probabilities.shape[1])
    precision, recall, f1 = class_precision(confusion), class_recall(confusion), class_f1(confusion)
    roc, average = roc_curves(probabilities, y_true), precision_recall_curves(probabilities, y_true)
    return {
        k: ClassScores(
            precision=float(precision[k]),
            recall=float(recall[k]),
            f1=float(f1[k]),
            support=int(confusion[k].sum()),
            roc_auc=roc[k].area if k in roc else None,
            average_precision=average[k].area,
        )
        for k in np.unique(y_true).tolist()
    }
