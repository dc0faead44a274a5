"""Places new points into a map of t-SNE or UMAP, while all that lies there stays where it is.

A point starts in the middle of its nearest neighbours in the space and goes down the loss that made the map. What the
usual programs draw by lot, or estimate with a tree, is summed over all points here: a point finds the same place every
time, alone or among others, and at once.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import curve_fit
from sklearn.neighbors import NearestNeighbors

TSNE_PLACEMENT_PERPLEXITY, TSNE_PLACEMENT_EXAGGERATION, TSNE_PLACEMENT_NEIGHBOURS = (
    5.0,
    1.5,
    25,
)  # of a new point, as openTSNE has them
UMAP_NEGATIVE_SAMPLE_RATE, UMAP_GRADIENT_CLIP, UMAP_REPULSION_EPSILON = (
    5,
    4.0,
    1e-3,
)  # for each pull; limits of one push, as UMAP has them
TSNE_PLACEMENT_STEPS, UMAP_PLACEMENT_STEPS = (
    100,
    40,
)  # of 20 clips none is moved by 2 % of the width of the map in 700 more
N_BISECTION_STEPS = 60
EPSILON = 1e-12

WeightFunction = Callable[[np.ndarray], np.ndarray]
"""From distances to neighbours, shape = (k,), to how much each one counts, (k,)."""
RepulsionFunction = Callable[[np.ndarray], np.ndarray]
"""From the ways to all points, shape = (n_dims, n), to how far they push the new one, (n_dims,)."""


def transform_tsne(
    points: np.ndarray, map_points: np.ndarray, coordinates: np.ndarray, perplexity: float
) -> np.ndarray:
    """Into a map of t-SNE (van der Maaten & Hinton 2008; new points as openTSNE, Poličar et al. 2024).

    Args:
        points: the new ones, shape = (n_new, dim).
        known: those of the map, shape = (n, dim).
        coordinates: where they lie, shape = (n, n_dims).
        perplexity: of the map.

    Returns:
        shape = (n_new, n_dims).
    """

    def weigh(distance: np.ndarray) -> np.ndarray:
        return _calibrate_weights(
            np.square(distance) - np.square(distance[0]), weight_perplexity, min(perplexity, TSNE_PLACEMENT_PERPLEXITY)
        )

    def pull(squared: np.ndarray) -> np.ndarray:
        return TSNE_PLACEMENT_EXAGGERATION / (1 + squared)

    def push(ways: np.ndarray) -> np.ndarray:
        kernel = 1 / (1 + np.square(ways).sum(0))
        return ways @ np.square(kernel) / kernel.sum()

    return _descend(
        points, map_points, coordinates, TSNE_PLACEMENT_NEIGHBOURS, weigh, pull, push, TSNE_PLACEMENT_STEPS, rate=1.0
    )


def transform_umap(
    points: np.ndarray, map_points: np.ndarray, coordinates: np.ndarray, n_neighbours: int, min_dist: float
) -> np.ndarray:
    """Into a map of UMAP (McInnes et al. 2018). The last two arguments are those of the map, the rest as above."""
    a, b = fit_umap_curve(min_dist)

    def weigh(distance: np.ndarray) -> np.ndarray:
        return _calibrate_weights(distance, np.sum, np.log2(len(distance)))

    def pull(squared: np.ndarray) -> np.ndarray:
        squared = squared + EPSILON
        return 2 * a * b * squared ** (b - 1) / (1 + a * squared**b)

    def push(ways: np.ndarray) -> np.ndarray:
        squared = np.square(ways).sum(0)
        strength = 2 * b / ((UMAP_REPULSION_EPSILON + squared) * (1 + a * squared**b))
        return UMAP_NEGATIVE_SAMPLE_RATE * np.clip(strength * ways, -UMAP_GRADIENT_CLIP, UMAP_GRADIENT_CLIP).mean(1)

    return _descend(points, map_points, coordinates, n_neighbours, weigh, pull, push, UMAP_PLACEMENT_STEPS, rate=0.25)


def _descend(
    points,
    map_points,
    coordinates,
    k: int,
    weigh: WeightFunction,
    pull: WeightFunction,
    push: RepulsionFunction,
    n_steps: int,
    rate: float,
):
    """Each point alone, in steps that become smaller."""
    found = NearestNeighbors(n_neighbors=min(k, len(map_points)), algorithm="brute").fit(map_points).kneighbors(points)
    everything = np.ascontiguousarray(coordinates.T, np.float32)
    places = []
    for distance, index in zip(*found, strict=True):
        beside, weight = coordinates[index], weigh(distance)
        place = np.median(beside, axis=0)
        for step in range(n_steps):
            ways = beside - place
            repulsion = push(everything - np.asarray(place, np.float32)[:, None])
            force = (weight * pull(np.square(ways).sum(1))) @ ways - repulsion
            place = place + rate * (1 - step / n_steps) * force
        places.append(place)
    return np.array(places)


def _calibrate_weights(distance: np.ndarray, measure: Callable[[np.ndarray], float], wanted: float) -> np.ndarray:
    """exp(-distance / scale), with the scale at which the measure of them is what is wanted; they sum to one."""
    low, high = -30.0, 30.0  # of the logarithm of the scale, against the mean distance
    unit = distance.mean() + EPSILON
    for _ in range(N_BISECTION_STEPS):
        middle = (low + high) / 2
        weights = np.exp(-distance / (unit * np.exp(middle)))
        low, high = (low, middle) if measure(weights) > wanted else (middle, high)
    return weights / weights.sum()


def weight_perplexity(weights: np.ndarray) -> float:
    """Over how many neighbours weights are spread: two to the power of their entropy."""
    share = weights / weights.sum()
    return float(np.exp(-(share * np.log(share + EPSILON)).sum()))


def fit_umap_curve(min_dist: float) -> tuple[float, float]:
    """a and b of UMAP's 1 / (1 + a d^2b), which comes nearest to: points closer than min_dist are at one."""
    distance = np.linspace(0, 3, 300)
    wanted = np.where(distance < min_dist, 1.0, np.exp(min_dist - distance))
    (a, b), _ = curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), distance, wanted)
    return float(a), float(b)
