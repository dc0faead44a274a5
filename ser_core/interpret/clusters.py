"""Clusters of a two-dimensional map: connected regions of high density, named by what prevails in them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, label

MARGIN = 0.08  # of the range of the points, on both sides
DENSITY_CELLS = 64  # per axis
SMOOTHED_CELLS = 1.2
MIN_DENSITY = 0.04  # of the highest: what lies lower separates clusters
MIN_CLUSTER_SHARE = 0.015  # of all points
MAX_CLUSTERS = 14
PREVAILING_SHARE = 0.6
MIN_MIXED_POINTS = 1000  # of a cluster whose groups are named too
MIN_GROUP_SHARE = 0.05


@dataclass(frozen=True)
class Cluster:
    """A region of a map."""

    place: tuple[float, float]  # above its points, or where a group is densest
    n_points: int
    names: tuple[str, ...]  # what prevails in each of the groupings, "" where nothing does


def extent(coordinates: np.ndarray, share: float = 0.99) -> np.ndarray:
    """Bounds of a share of the points on each axis, widened by a margin on both sides; shape = (n_dims, 2)."""
    low, high = np.quantile(coordinates, [(1 - share) / 2, (1 + share) / 2], axis=0)
    widening = np.maximum(MARGIN * (high - low), 1e-6)
    return np.stack([low - widening, high + widening], axis=1)


def density(coordinates: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Smoothed number of points in each cell within the bounds, shape = (DENSITY_CELLS, DENSITY_CELLS), x first."""
    x, y = coordinates.T
    counts, _, _ = np.histogram2d(x, y, bins=DENSITY_CELLS, range=bounds.tolist())
    return gaussian_filter(counts, SMOOTHED_CELLS)


def map_clusters(coordinates: np.ndarray, *groupings: Sequence[str]) -> tuple[Cluster, ...]:
    """The clusters of a map in which something prevails, the largest first; then the groups inside large mixed ones.

    Args:
        coordinates: shape = (n, 2).
        groupings: the group of each point, (n,): corpora, emotions.
    """
    bounds = extent(coordinates, share=1.0)
    found = density(coordinates, bounds)
    regions, n_regions = label(found > MIN_DENSITY * found.max())
    cells = (coordinates - bounds[:, 0]) / (bounds[:, 1] - bounds[:, 0]) * DENSITY_CELLS
    region = regions[tuple(np.clip(cells.astype(int), 0, DENSITY_CELLS - 1).T)]
    members = [np.flatnonzero(region == k) for k in range(1, n_regions + 1)]
    large = [rows for rows in members if len(rows) >= max(3, MIN_CLUSTER_SHARE * len(coordinates))]
    large = sorted(large, key=len, reverse=True)[:MAX_CLUSTERS]
    clusters = [_cluster(coordinates[rows], [np.asarray(groups)[rows] for groups in groupings]) for rows in large]
    return tuple(one for cluster in clusters for one in cluster if any(one.names))


def _cluster(points: np.ndarray, groupings: list[np.ndarray]) -> list[Cluster]:
    """A cluster, named above its points; if it is large and its last grouping mixed, the groups at their densest."""
    names = tuple(_prevailing(groups.tolist()) for groups in groupings)
    found = [Cluster((float(np.median(points[:, 0])), float(points[:, 1].max())), len(points), names)]
    if names[-1] or len(points) < MIN_MIXED_POINTS:
        return found
    bounds = extent(points, share=1.0)
    for name, n in Counter(groupings[-1].tolist()).most_common():
        if n >= MIN_GROUP_SHARE * len(points):
            own = density(points[groupings[-1] == name], bounds)
            peak = np.array(np.unravel_index(own.argmax(), own.shape)) + 0.5
            x, y = (bounds[:, 0] + peak / DENSITY_CELLS * (bounds[:, 1] - bounds[:, 0])).tolist()
            found.append(Cluster((x, y), n, (*("" for _ in names[:-1]), name)))
    return found


def _prevailing(names: list[str]) -> str:
    ((name, n),) = Counter(names).most_common(1)
    return name if n >= PREVAILING_SHARE * len(names) else ""
