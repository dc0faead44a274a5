"""Checks of a classifier of scikit-learn that was read from a file: its C code reads where the arrays say.

scikit-learn itself checks few of them, and never what they contain.
"""

from typing import Any

import numpy as np

from ser_core.models.zoo.egemaps.functionals import N_FUNCTIONALS


def check_scaler(scaler: Any) -> None:
    """
    Raises:
        ValueError: statistics of another number of features, or not finite.
    """
    for values in (scaler.mean_, scaler.scale_):
        if np.shape(values) != (N_FUNCTIONALS,) or not np.isfinite(values).all():
            raise ValueError("a scaler with invalid statistics")


def check_classifier(classifier: Any) -> None:
    """
    Args:
        classifier: an SVC, a DecisionTreeClassifier or a RandomForestClassifier, fitted.

    Raises:
        ValueError: its arrays do not belong together, or lead out of them.
    """
    trees = getattr(classifier, "estimators_", [classifier] if hasattr(classifier, "tree_") else [])
    if not all(_is_valid_tree(tree.tree_, len(classifier.classes_)) for tree in trees):
        raise ValueError("a tree with invalid branches")
    if hasattr(classifier, "support_vectors_") and not _is_valid_svm(classifier):
        raise ValueError("support vectors that do not belong together")


def _is_valid_tree(tree: Any, n_classes: int) -> bool:
    """Whether every branch leads to a later node and an existing feature, and every node has a value of each class."""
    inner = tree.children_left != -1
    children = np.stack([tree.children_left, tree.children_right])[:, inner]
    forward = (children > np.flatnonzero(inner)) & (children < tree.node_count)
    known = (tree.feature[inner] >= 0) & (tree.feature[inner] < N_FUNCTIONALS)
    values = tree.value.shape == (tree.node_count, 1, n_classes) and np.isfinite(tree.value).all()
    return bool(forward.all() and known.all() and values)


def _is_valid_svm(svm: Any) -> bool:
    """Whether there is a coefficient of each vector, an intercept of each pair of classes, and all are finite."""
    n_classes, n_vectors = len(svm.classes_), len(svm.support_)
    shapes = {
        "support_": (n_vectors,),
        "support_vectors_": (n_vectors, N_FUNCTIONALS),
        "_n_support": (n_classes,),
        **dict.fromkeys(("_dual_coef_", "dual_coef_"), (n_classes - 1, n_vectors)),
        **dict.fromkeys(("_intercept_", "intercept_"), (n_classes * (n_classes - 1) // 2,)),
        **dict.fromkeys(("_probA", "_probB"), (0,)),
        "_gamma": (),
    }
    arrays = {name: np.asarray(getattr(svm, name)) for name in shapes}
    if any(arrays[name].shape != shape or not np.isfinite(arrays[name]).all() for name, shape in shapes.items()):
        return False
    counts, rows = arrays["_n_support"], arrays["support_"]
    inside = (rows >= 0) & (rows < svm.shape_fit_[0])
    return bool((counts >= 0).all() and counts.sum() == n_vectors and inside.all() and svm.kernel == "rbf")
