"""Out-of-distribution detection: the distance of an input from the training data.

Networks: the Mahalanobis distance of an embedding from those of the training clips (after Lee et al. 2018, "A simple
unified framework for detecting out-of-distribution samples", with one Gaussian for all classes). Heads on a frozen
encoder: the distance to a near neighbour among training clips (after Sun et al. 2022, "Out-of-distribution detection
with deep nearest neighbors"), in the few directions that tell recordings of one kind from another. Both as a percentile
of other speech: of unseen speakers (networks), of corpora left out of training (heads). Only a detector with fitted
thresholds is reliable enough for a word, the familiarity.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

N_NEIGHBOUR_DIRECTIONS = 8  # with 16 the AUROC of a left-out corpus is a tenth lower, with all of them .6
N_NEIGHBOURS_KEPT, NEIGHBOUR = 2000, 5  # training clips, and which of them in the order of distance
TYPICAL, UNUSUAL, UNLIKE_TRAINING = "typical", "unusual", "unlike training"
TYPICAL_SHARE = 0.75  # of the speech of unseen speakers of known corpora; with .9 a third of strange speech is typical
UNLIKE_NOVELTY = 50.0  # percent of the speech of left-out corpora that is closer; so far are 5 % of known corpora
COVARIANCE_SHRINKAGE = 0.01  # of the mean variance, added to each direction: some units are almost always zero


@dataclass(frozen=True, eq=False)
class NoveltyDetector:
    """The distribution of training embeddings, and the distances of unseen speech from it."""

    mean: np.ndarray  # (embedding_dim,)
    whitening: np.ndarray  # (embedding_dim, n_directions)
    unseen: np.ndarray  # distances of the speech of unseen speakers, or of left-out corpora; sorted, (n_windows,)
    neighbours: np.ndarray | None = None  # training clips after mean and whitening, (n_clips, n_directions)
    thresholds: np.ndarray | None = None  # highest percentile of typical speech and of unusual speech, (2,)

    def distance(self, embeddings: np.ndarray) -> np.ndarray:
        """Squared distance per direction: Mahalanobis, about 1 for a training clip, or to the fifth neighbour.

        Args:
            embeddings: shape = (n, embedding_dim).

        Returns:
            shape = (n,).
        """
        white = (embeddings - self.mean) @ self.whitening
        if self.neighbours is None:
            return np.square(white).mean(1)
        far = _squared_distances(white, self.neighbours)
        return np.partition(far, NEIGHBOUR - 1, 1)[:, NEIGHBOUR - 1] / white.shape[1]

    def distance_from_others(self, training: np.ndarray, speakers: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """As `distance`, of training clips from those of other speakers: what an unseen speaker would have.

        Args:
            training: embeddings that the neighbours were chosen from, shape = (n_clips, embedding_dim).
            speakers: names, shape = (n_clips,).
            rows: of the clips, shape = (n,).

        Returns:
            shape = (n,).

        Raises:
            ValueError: a detector without neighbours, or of other training clips.
        """
        kept = _kept_rows(len(training))
        if self.neighbours is None or len(kept) != len(self.neighbours):
            raise ValueError("The detector was fitted on other training clips.")
        far = _squared_distances((training[rows] - self.mean) @ self.whitening, self.neighbours)
        far[speakers[rows][:, None] == speakers[kept]] = np.inf
        return np.partition(far, NEIGHBOUR - 1, 1)[:, NEIGHBOUR - 1] / self.neighbours.shape[1]

    def percentile(self, distance: float) -> float:
        """Percent of the unseen speech that is closer to the training data; 100: all of it."""
        return 100 * float(np.searchsorted(self.unseen, distance)) / len(self.unseen)

    def familiarity(self, percentile: float) -> str | None:
        """TYPICAL, UNUSUAL or UNLIKE_TRAINING, from the percentile; None for a detector without thresholds."""
        if self.thresholds is None:
            return None
        return (TYPICAL, UNUSUAL, UNLIKE_TRAINING)[int(np.searchsorted(self.thresholds, percentile))]

    def with_familiarity(self, known: np.ndarray) -> "NoveltyDetector":
        """The detector with thresholds from recordings of known corpora; `unseen` must be of left-out corpora.

        Typical is what is no farther than TYPICAL_SHARE of the recordings, unlike training what is farther than half of
        the speech of left-out corpora.

        Args:
            known: distances of unseen speakers of the training corpora, shape = (n,).
        """
        typical = min(self.percentile(float(np.quantile(known, TYPICAL_SHARE))), UNLIKE_NOVELTY)
        return replace(self, thresholds=np.array([typical, UNLIKE_NOVELTY], np.float32))

    def for_part(self, first: int, width: int) -> "NoveltyDetector":
        """The same detector for a wider embedding, whose columns from `first` on are the present ones.

        Args:
            width: of the wider embedding.
        """
        after = width - first - len(self.mean)
        whitening = np.pad(self.whitening, ((first, after), (0, 0)))
        return replace(self, mean=np.pad(self.mean, (first, after)), whitening=whitening)

    def with_reference_distances(self, distances: np.ndarray) -> "NoveltyDetector":
        """The detector with these distances of unseen speech for its percentiles, shape = (n,).

        Raises:
            ValueError: an empty array.
        """
        if not len(distances):
            raise ValueError("Novelty needs clips of unseen speakers.")
        return replace(self, unseen=np.sort(distances).astype(np.float32))

    def save(self, path: Path) -> None:
        """Writes it as safetensors."""
        known = {name: value for name, value in vars(self).items() if value is not None}
        save_file({name: np.ascontiguousarray(value, np.float32) for name, value in known.items()}, path)

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
        directions = found.mean.shape if found.neighbours is None else found.neighbours.shape[1:]
        thresholds = (2,) if found.thresholds is None else found.thresholds.shape
        if found.whitening.shape != (*found.mean.shape, *directions) or not found.unseen.size or thresholds != (2,):
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


def fit_neighbour_reference(training: np.ndarray, corpora: np.ndarray) -> NoveltyDetector:
    """A detector by near neighbours from training embeddings, for distances, without percentiles.

    Directions are whitened inside the corpora, so that one corpus is not far from another by its size alone.

    Args:
        training: embeddings whose first directions vary most, shape = (n_clips, embedding_dim).
        corpora: names, shape = (n_clips,).

    Raises:
        ValueError: fewer clips than neighbours.
    """
    if len(training) < NEIGHBOUR:
        raise ValueError(f"Novelty needs {NEIGHBOUR} training clips or more.")
    first = training[:, :N_NEIGHBOUR_DIRECTIONS].astype(np.float64)
    inside = np.concatenate([first[corpora == c] - first[corpora == c].mean(0) for c in np.unique(corpora)])
    covariance = np.cov(inside, rowvar=False) + 1e-3 * np.eye(first.shape[1])
    whitening = np.zeros((training.shape[1], first.shape[1]))
    whitening[: first.shape[1]] = np.linalg.cholesky(np.linalg.inv(covariance))
    kept = _kept_rows(len(first))
    mean = training.mean(0, dtype=np.float64)
    neighbours = (training[kept] - mean) @ whitening
    arrays = (mean, whitening, np.zeros(0), neighbours)
    return NoveltyDetector(*(array.astype(np.float32) for array in arrays))


def _squared_distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Shape = (n_points, n_others)."""
    from scipy.spatial.distance import cdist  # slow to import, and the app's start needs none of it

    return cdist(points, others, "sqeuclidean")


def _kept_rows(n_clips: int) -> np.ndarray:
    """Training clips that are kept as neighbours, spread evenly."""
    return np.unique(np.linspace(0, n_clips - 1, N_NEIGHBOURS_KEPT).astype(int))
