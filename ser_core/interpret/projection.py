"""Projections of embeddings to maps in two or three dimensions, into which new points can be placed.

PCA; t-SNE (van der Maaten & Hinton 2008) by openTSNE; UMAP (McInnes et al. 2018). All start from the first
principal components.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from math import ceil
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ser_core.interpret.out_of_sample import transform_tsne, transform_umap
from ser_core.progress import Progress, no_progress

N_PRINCIPAL_COMPONENTS = 50
MIN_PROJECTION_POINTS = 5
PROJECTION_KINDS = ("umap", "tsne", "pca")
UMAP_INSTALL_HINT = "New maps of UMAP need umap-learn. Install it with: pip install -r requirements-maps.txt"
TSNE_N_THREADS = 2
TSNE_THETA = 0.65  # in three dimensions: 40 % faster than 0.5, with a difference of 0.01 % of the width after 20 steps
TSNE_PHASES = ((250, 12, 0.5), (500, 1, 0.8))  # (steps, exaggeration, momentum): the defaults of openTSNE


def can_fit_umap() -> bool:
    """Whether umap-learn is installed; maps that are stored do without it."""
    return find_spec("umap") is not None


@dataclass(frozen=True)
class ProjectionConfig:
    """The parameters of a map; the same embeddings and config give the same map."""

    kind: str = "umap"
    n_dims: int = 2  # or 3
    perplexity: float = 30.0  # t-SNE: effective number of neighbours
    n_neighbours: int = 30  # UMAP
    min_dist: float = 0.1  # UMAP: least distance of points, in units of the map
    seed: int = 0

    @property
    def min_points(self) -> int:
        """Least number of points of which this map can be made."""
        of_kind = {"tsne": ceil(3 * self.perplexity) + 1, "umap": self.n_neighbours + 1}
        return max(MIN_PROJECTION_POINTS, of_kind.get(self.kind, 0))

    def check(self, n_points: int) -> None:
        """Raises ValueError if this map cannot be made of so many points; the message names the limit and the cure."""
        if self.kind not in PROJECTION_KINDS:
            raise ValueError(f"Unknown kind of map {self.kind!r}. There are: {', '.join(PROJECTION_KINDS)}.")
        if self.n_dims not in (2, 3):
            raise ValueError(f"A map has 2 or 3 dimensions, not {self.n_dims}.")
        if self.kind == "tsne" and not self.perplexity >= 1:
            raise ValueError(f"A perplexity of {self.perplexity:g} is too small: give 1 or more.")
        if self.kind == "umap" and (self.n_neighbours < 2 or not self.min_dist >= 0):
            raise ValueError(
                f"UMAP with {self.n_neighbours} neighbours and min_dist = {self.min_dist:g}: give 2 neighbours or "
                "more, and a distance of 0 or more."
            )
        if n_points < MIN_PROJECTION_POINTS:
            raise ValueError(f"{n_points} points are too few for a map: at least {MIN_PROJECTION_POINTS} are needed.")
        if self.kind == "tsne" and self.perplexity > (most := (n_points - 1) / 3):
            raise ValueError(
                f"A perplexity of {self.perplexity:g} is too large for {n_points} points: {most:.0f} at most. "
                f"Choose a smaller one, or at least {self.min_points} points."
            )
        if self.kind == "umap" and self.n_neighbours >= n_points:
            raise ValueError(
                f"{self.n_neighbours} neighbours of {n_points} points: {n_points - 1} at most. "
                f"Choose fewer, or at least {self.min_points} points."
            )


class Projection:
    """A map into which new points can be placed."""

    def __init__(self, config: ProjectionConfig, embeddings: np.ndarray, coordinates: np.ndarray):
        """A map that was made before.

        Args:
            embeddings: shape = (n, embedding_dim).
            coordinates: shape = (n, n_dims).
        """
        self.config, self.coordinates = config, np.asarray(coordinates, np.float64)
        self.components = PrincipalComponents(embeddings)
        self._points = self.components.transform(embeddings)

    @classmethod
    def fit(cls, config: ProjectionConfig, embeddings: np.ndarray, progress: Progress = no_progress) -> "Projection":
        """Makes a map.

        Args:
            embeddings: shape = (n, embedding_dim).
            progress: called with the share that is done; an exception it raises stops the fit.

        Raises:
            ValueError: see ProjectionConfig.check; embeddings that are not finite or, for t-SNE, all the same; or
                umap-learn, which a map of UMAP needs, is not installed.
        """
        config.check(len(embeddings))
        if not np.isfinite(embeddings).all():
            raise ValueError("Some embeddings are not finite: compute them again.")
        if config.kind == "tsne" and not np.ptp(embeddings, axis=0).any():  # openTSNE would end the process
            raise ValueError(f"All {len(embeddings)} embeddings are the same: t-SNE needs different recordings.")
        made = cls(config, embeddings, np.zeros((len(embeddings), config.n_dims)))
        made.coordinates = {"pca": made._fit_pca, "tsne": made._fit_tsne, "umap": made._fit_umap}[config.kind](progress)
        progress(1.0)
        return made

    def place(self, embeddings: np.ndarray) -> np.ndarray:
        """Coordinates of new points, each independent of the others; shape = (n_new, n_dims)."""
        points = self.components.transform(embeddings)
        if self.config.kind == "pca":
            return points[:, : self.config.n_dims]
        if self.config.kind == "tsne":
            return transform_tsne(points, self._points, self.coordinates, self.config.perplexity)
        config = self.config
        return transform_umap(points, self._points, self.coordinates, config.n_neighbours, config.min_dist)

    def _fit_pca(self, progress: Progress) -> np.ndarray:
        return self._points[:, : self.config.n_dims]

    def _fit_tsne(self, progress: Progress) -> np.ndarray:
        """An exaggerated phase, then the rest, from the PCA; as openTSNE runs them."""
        from openTSNE import TSNEEmbedding

        config = self.config
        # The fast method is for two dimensions only, and its map depends on the number of threads.
        method, n_jobs = ("fft", 1) if config.n_dims == 2 else ("bh", TSNE_N_THREADS)
        start = self._points[:, : config.n_dims] / np.std(self._points[:, 0]) * 1e-4
        common = {"theta": TSNE_THETA, "n_jobs": n_jobs, "random_state": config.seed}
        made = TSNEEmbedding(start, self._affinities(), negative_gradient_method=method, **common)
        done, n_steps_in_all = 0, sum(n_steps for n_steps, *_ in TSNE_PHASES)
        for n_steps, exaggeration, momentum in TSNE_PHASES:

            def report(step: int, *_, done: int = done) -> None:
                progress((done + step) / n_steps_in_all)

            watch = {"callbacks": report, "callbacks_every_iters": 25}
            made = made.optimize(n_steps, exaggeration=exaggeration, momentum=momentum, **watch)
            done += n_steps
        return np.array(made)

    def _affinities(self):
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.nearest_neighbors import PrecomputedNeighbors

        index, distance = self._neighbours(int(3 * self.config.perplexity) + 1)
        known = PrecomputedNeighbors(index[:, 1:], distance[:, 1:])
        return PerplexityBasedNN(knn_index=known, perplexity=self.config.perplexity)

    def _fit_umap(self, progress: Progress) -> np.ndarray:
        if not can_fit_umap():
            raise ValueError(UMAP_INSTALL_HINT)
        from umap import UMAP

        options: dict[str, Any] = {"n_components": self.config.n_dims, "n_neighbors": self.config.n_neighbours}
        options["precomputed_knn"] = self._neighbours(self.config.n_neighbours)
        options |= {"min_dist": self.config.min_dist, "random_state": self.config.seed, "n_jobs": 1}
        watch = {"disable": False, "file": _TqdmProgress(progress), "bar_format": "{n_fmt}/{total_fmt}"}
        return UMAP(**options, tqdm_kwds=watch).fit_transform(self._points)

    def _neighbours(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest points to each, itself first: (index, distance), of shape (n, k).

        Exact: brute force takes a second, compiling the usual approximation half a minute.
        """
        others = NearestNeighbors(n_neighbors=k - 1, algorithm="brute").fit(self._points)
        distance, index = others.kneighbors()  # without the point itself
        own = np.arange(len(index))[:, None]
        return np.hstack([own, index]).astype(np.int32), np.hstack([0 * own, distance]).astype(np.float32)


class _TqdmProgress:
    """A file for tqdm, by which UMAP reports its steps; an exception from `progress` stops the fit."""

    def __init__(self, progress: Progress):
        self.progress = progress

    def write(self, text: str) -> None:
        done, _, total = text.strip().partition("/")
        if total:
            self.progress(int(done) / int(total))

    def flush(self) -> None:
        """Writes are not buffered."""


class PrincipalComponents:
    """The first principal components, in the order of their variance; the sign makes the largest weight positive."""

    def __init__(self, embeddings: np.ndarray):
        self.mean = embeddings.mean(0, dtype=np.float64)
        centred = embeddings - self.mean
        _, axes = np.linalg.eigh(centred.T @ centred)
        axes = axes[:, ::-1][:, :N_PRINCIPAL_COMPONENTS]
        self.axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])

    def transform(self, embeddings: np.ndarray) -> np.ndarray:
        """Shape = (n, at most N_PRINCIPAL_COMPONENTS)."""
        return (embeddings - self.mean) @ self.axes
