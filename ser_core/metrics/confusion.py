"""Figures of a confusion matrix, or of a stack of them: rows are true classes, columns predicted ones."""

import numpy as np


def confusion_matrix(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts, shape = (n_classes, n_classes): row is the true class, column the prediction.

    Args:
        y_true, y_pred: class indices, shape = (n_clips,).

    Raises:
        ValueError: not the same number of clips, or an index outside 0..n_classes - 1.
    """
    y_true, y_pred = (np.asarray(y).astype(np.int64, casting="same_kind") for y in (y_true, y_pred))
    if y_true.shape != y_pred.shape:
        raise ValueError(f"{len(y_true)} and {len(y_pred)} classes cannot belong to the same clips.")
    if outside := np.setdiff1d([y_true, y_pred], np.arange(n_classes)).tolist():
        raise ValueError(f"Class {outside[0]} is none of 0 to {n_classes - 1}: it would count as another.")
    return np.bincount(y_true * n_classes + y_pred, minlength=n_classes**2).reshape(n_classes, n_classes)


def class_precision(confusion: np.ndarray) -> np.ndarray:
    """Of each class, 0 where it was never predicted; of shape (..., n) for a stack of shape (..., n, n)."""
    return _diagonal(confusion) / np.maximum(confusion.sum(-2), 1)


def class_recall(confusion: np.ndarray) -> np.ndarray:
    """Of each class, 0 where it does not occur; of shape (..., n) for a stack of shape (..., n, n)."""
    return _diagonal(confusion) / np.maximum(confusion.sum(-1), 1)


def class_f1(confusion: np.ndarray) -> np.ndarray:
    """Of each class; of shape (..., n) for a stack of shape (..., n, n)."""
    return 2 * _diagonal(confusion) / np.maximum(confusion.sum(-1) + confusion.sum(-2), 1)


def uar(confusion: np.ndarray) -> np.ndarray:
    """Unweighted average recall over the classes that occur; works on a stack, shape = (..., n, n)."""
    return _mean_over_classes(class_recall(confusion), confusion)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur; works on a stack, shape = (..., n, n)."""
    return _mean_over_classes(class_f1(confusion), confusion)


def macro_precision(confusion: np.ndarray) -> np.ndarray:
    """Mean precision over the classes that occur; works on a stack, shape = (..., n, n)."""
    return _mean_over_classes(class_precision(confusion), confusion)


def weighted_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 weighted by the clips of each class; works on a stack, shape = (..., n, n)."""
    support = confusion.sum(-1)
    return (class_f1(confusion) * support).sum(-1) / np.maximum(support.sum(-1), 1)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of correct predictions; works on a stack, shape = (..., n, n)."""
    return _diagonal(confusion).sum(-1) / np.maximum(confusion.sum((-1, -2)), 1)


def _diagonal(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _mean_over_classes(values: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """Mean over the classes that occur; values has shape (..., n)."""
    occurs = confusion.sum(-1) > 0
    return (values * occurs).sum(-1) / np.maximum(occurs.sum(-1), 1)
