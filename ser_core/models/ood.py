"""Out-of-distribution detection: the distance of an input from the training data.

The Mahalanobis distance of an embedding from those of the training clips (after Lee et al. 2018, "A simple unified
framework for detecting out-of-distribution samples", with one Gaussian for all classes), as a percentile of the speech
of unseen speakers.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

COVARIANCE_SHRINKAGE = 0.01  # of the mean variance, added to each direction: some units are almost always zero


@dataclass(frozen=True, eq=False)
class NoveltyDetector:
    """The distribution of training embeddings, and the distances of unseen speakers' speech from it."""

    mean: np.ndarray  # (embedding_dim,)
    whitening: np.ndarray  # (embedding_dim, embedding_dim)
    unseen: np.ndarray  # distances of unseen (development) speakers' windows, sorted, (n_windows,)

    def distance(self, embeddings: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distance per dimension, about 1 for a training clip.

        Args:
            embeddings: shape = (n, embedding_dim).

        Returns:
            shape = (n,).
        """
        return np.square((embeddings - self.mean) @ self.whitening).mean(1)

    def percentile(self, distance: float) -> float:
        """Percent of the unseen speakers' speech that is closer to the training data; 100: all of it."""
        return 100 * float(np.searchsorted(self.unseen, distance)) / len(self.unseen)

    def with_reference_distances(self, distances: np.ndarray) -> "NoveltyDetector":
        """The detector with these distances of unseen speakers' speech for its percentiles, shape = (n,).

        Raises:
            ValueError: an empty array.
        """
        if not len(distances):
            raise ValueError("Novelty needs clips of unseen speakers.")
        return replace(self, unseen=np.sort(distances).astype(np.float32))

    def save(self, path: Path) -> None:
        """Writes it as safetensors."""
        save_file({name: np.ascontiguousarray(value, np.float32) for name, value in vars(self).items()}, path)

    @classmethod
    def load(cls, path: Path) -> "NoveltyDetector":
        """Inverse of save.

        Raises:
            ValueError: a damaged or foreign file.
        """
        try:
            found = cls(**load_file(path))
        except (SafetensorError, OSError, TypeError) as error:
            raise ValueError(f"{path.name} is damaged or not a detector ({error!s:.80})") from None
        if found.whitening.shape != (*found.mean.shape, *found.mean.shape) or not found.unseen.size:
            raise ValueError(f"{path.name} holds matrices of inconsistent shapes")
        return found


def fit_novelty_detector(training: np.ndarray, unseen: np.ndarray) -> NoveltyDetector:
    """A detector from embeddings of training windows and of unseen speakers' windows, each (n, embedding_dim).

    Raises:
        ValueError: fewer than two training windows, or none of unseen speakers.
    """
    found = fit_distance_reference(training)
    return found.with_reference_distances(found.distance(unseen))


def fit_distance_reference(training: np.ndarray) -> NoveltyDetector:
    """A detector from training embeddings, shape = (n, embedding_dim): for distances, without percentiles.

    Raises:
        ValueError: fewer than two clips.
    """
    if len(training) < 2:
        raise ValueError("Novelty needs two training clips or more.")
    covariance = np.atleast_2d(np.cov(training, rowvar=False))
    covariance += max(COVARIANCE_SHRINKAGE * np.trace(covariance) / len(covariance), 1e-9) * np.eye(len(covariance))
    whitening = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
    return NoveltyDetector(training.mean(0, dtype=np.float64).astype(np.float32), whitening, np.zeros(0, np.float32))
