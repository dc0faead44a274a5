"""How unlike everything it learned from a sound is to a model, so that it can say that it does not know.

The Mahalanobis distance of an embedding from those of the training clips (after Lee et al. 2018, "A simple unified
framework for detecting out-of-distribution samples", with one Gaussian for all classes), told as a percentile of speech
by people the model has never heard.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

COVARIANCE_SHRINKAGE = (
    0.01  # of the mean variance, added to each direction: some units of an embedding hardly ever fire
)


@dataclass(frozen=True, eq=False)
class NoveltyDetector:
    """Where the training clips lie in the embedding, and how far speech of unseen speakers lies from them."""

    mean: np.ndarray  # (embedding_dim,)
    whitening: np.ndarray  # (embedding_dim, embedding_dim)
    unseen: np.ndarray  # distances of the development speakers' speech, sorted, (n_windows,)

    def distance(self, embeddings: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distance per dimension, about 1 for a training clip.

        Args:
            embeddings: shape = (n, embedding_dim).

        Returns:
            shape = (n,).
        """
        return np.square((embeddings - self.mean) @ self.whitening).mean(1)

    def percentile(self, distance: float) -> float:
        """How many percent of the development speakers' speech lies nearer; 100: nothing of it lies as far out."""
        return 100 * float(np.searchsorted(self.unseen, distance)) / len(self.unseen)

    def with_reference_distances(self, distances: np.ndarray) -> "NoveltyDetector":
        """The same, with percentiles among these distances of speech that it has never heard, shape = (n,).

        Raises:
            ValueError: there are none.
        """
        if not len(distances):
            raise ValueError("Novelty needs clips of speakers that the model has never heard.")
        return replace(self, unseen=np.sort(distances).astype(np.float32))

    def save(self, path: Path) -> None:
        """Writes it as safetensors."""
        save_file({name: np.ascontiguousarray(value, np.float32) for name, value in vars(self).items()}, path)

    @classmethod
    def load(cls, path: Path) -> "NoveltyDetector":
        """Inverse of save.

        Raises:
            ValueError: a damaged file, or one of something else.
        """
        try:
            found = cls(**load_file(path))
        except (SafetensorError, OSError, TypeError) as error:
            raise ValueError(f"{path.name} is damaged or holds something else ({error!s:.80})") from None
        if found.whitening.shape != (*found.mean.shape, *found.mean.shape) or not found.unseen.size:
            raise ValueError(f"{path.name} holds matrices that do not fit each other")
        return found


def fit_novelty_detector(training: np.ndarray, unseen: np.ndarray) -> NoveltyDetector:
    """From the embeddings of windows of training clips and of development speakers, each of shape (n, embedding_dim).

    Raises:
        ValueError: fewer than two of training clips, or none of a development speaker.
    """
    found = fit_distance_reference(training)
    return found.with_reference_distances(found.distance(unseen))


def fit_distance_reference(training: np.ndarray) -> NoveltyDetector:
    """Where training clips lie, shape = (n, embedding_dim): distances only, until it is told by those of others.

    Raises:
        ValueError: fewer than two clips.
    """
    if len(training) < 2:
        raise ValueError("Novelty needs two training clips or more.")
    covariance = np.atleast_2d(np.cov(training, rowvar=False))
    covariance += max(COVARIANCE_SHRINKAGE * np.trace(covariance) / len(covariance), 1e-9) * np.eye(len(covariance))
    whitening = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
    return NoveltyDetector(training.mean(0, dtype=np.float64).astype(np.float32), whitening, np.zeros(0, np.float32))
