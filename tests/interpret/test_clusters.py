"""Clusters of a map are found where the points are, and named by what prevails there."""

import numpy as np

from ser_core.interpret.clusters import extent, map_clusters

RNG = np.random.default_rng(0)


def blob(x: float, y: float, n: int) -> np.ndarray:
    return RNG.normal((x, y), 0.1, size=(n, 2))


def test_islands_are_named_by_what_prevails_in_each():
    points = np.concatenate([blob(0, 0, 300), blob(5, 8, 200)])
    corpora = ["one"] * 300 + ["two"] * 200
    labels = ["sad"] * 280 + ["angry"] * 20 + ["sad"] * 100 + ["angry"] * 100
    first, second = map_clusters(points, corpora, labels)
    assert (first.n_points, first.names, second.names) == (300, ("one", "sad"), ("two", ""))
    assert abs(first.place[0]) < 0.1 and 0 < first.place[1] < 0.6
    assert abs(second.place[0] - 5) < 0.1 and 8 < second.place[1] < 8.6


def test_groups_of_a_large_mixed_cluster_are_named_where_they_are_dense():
    points = np.concatenate([blob(0, 0, 700), blob(0.4, 0, 700)])
    whole, *groups = map_clusters(points, ["one"] * 1400, ["sad"] * 700 + ["angry"] * 700)
    assert whole.names == ("one", "") and {group.names for group in groups} == {("", "sad"), ("", "angry")}
    x = {group.names[1]: group.place[0] for group in groups}
    assert x["sad"] < 0.2 < x["angry"]


def test_the_extent_leaves_out_what_lies_far_away():
    points = np.concatenate([blob(0, 0, 1000), [[90.0, 0.0]]])
    assert extent(points)[0, 1] < 1
