"""Out-of-sample placement into a map of t-SNE or UMAP, with the points of the map fixed.

A point starts at the median of its nearest neighbours and descends the loss of the map. By hand: openTSNE and UMAP
sample or approximate the repulsion, which is summed over all points here. A point gets the same coordinates every
time, alone or in a batch, within milliseconds.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import curve_fit
from sklearn.neighbors import NearestNeighbors

# The defaults of openTSNE for a new point.
TSNE_PLACEMENT_PERPLEXITY, TSNE_PLACEMENT_EXAGGERATION, TSNE_PLACEMENT_NEIGHBOURS = 5.0, 1.5, 25
# The defaults of UMAP: repulsions per attraction, and the limits of one repulsion.
UMAP_NEGATIVE_SAMPLE_RATE, UMAP_GRADIENT_CLIP, UMAP_REPULSION_EPSILON = 5, 4.0, 1e-3
# With 700 more steps, none of 20 clips moves by 2 % of the width of the map.
TSNE_PLACEMENT_STEPS, UMAP_PLACEMENT_STEPS = 100, 40
N_BISECTION_STEPS = 60
EPSILON = 1e-12

WeightFunction = Callable[[np.ndarray], np.ndarray]
"""From the distances of the neighbours, shape = (k,), to their weights, (k,)."""
RepulsionFunction = Callable[[np.ndarray], np.ndarray]
"""From the offsets to all points, shape = (n_dims, n), to the repulsion of the new one, (n_dims,)."""


def transform_tsne(
    points: np.ndarray, map_points: np.ndarray, coordinates: np.ndarray, perplexity: float
) -> np.ndarray:
    """Coordinates in a map of t-SNE (van der Maaten & Hinton 2008; new points as openTSNE, Poličar et al. 2024).

    Args:
        points: the new ones, shape = (n_new, dim).
        map_points: those of the map, shape = (n, dim).
        coordinates: of map_points, shape = (n, n_dims).
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
    """Gradient descent of each point on its own, with decreasing steps."""
    found = NearestNeighbors(n_neighbors=min(k, len(map_points)), algorithm="brute").fit(map_points).kneighbors(points)
    everything = np.ascontiguousarray(coordinates.T, np.float32)
    places = []
    for distance, index in zip(*found, strict=True):
        neighbours, weight = coordinates[index], weigh(distance)
        place = np.median(neighbours, axis=0)
        for step in range(n_steps):
            offsets = neighbours - place
            repulsion = push(everything - np.asarray(place, np.float32)[:, None])
            force = (weight * pull(np.square(offsets).sum(1))) @ offsets - repulsion
            place = place + rate * (1 - step / n_steps) * force
        places.append(place)
    return np.array(places)


def _calibrate_weights(distance: np.ndarray, measure: Callable[[np.ndarray], float], wanted: float) -> np.ndarray:
    """exp(-distance / scale) with the scale at which their measure is `wanted`, normalised to sum to 1."""
    low, high = -30.0, 30.0  # of the logarithm of the scale, against the mean distance
    unit = distance.mean() + EPSILON
    for _ in range(N_BISECTION_STEPS):
        middle = (low + high) / 2
        weights = np.exp(-distance / (unit * np.exp(middle)))
        low, high = (low, middle) if measure(weights) > wanted else (middle, high)
    return weights / weights.sum()


def weight_perplexity(weights: np.ndarray) -> float:
    """Perplexity of weights: the exponential of their entropy."""
    share = weights / weights.sum()
    return float(np.exp(-(share * np.log(share + EPSILON)).sum()))


def fit_umap_curve(min_dist: float) -> tuple[float, float]:
    """a and b of UMAP's 1 / (1 + a d^2b), fitted to a curve that is 1 for distances below min_dist."""
    distance = np.linspace(0, 3, 300)
    wanted = np.where(distance < min_dist, 1.0, np.exp(min_dist - distance))
    (a, b), _ = curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), distance, wanted)
    return float(a), float(b)
