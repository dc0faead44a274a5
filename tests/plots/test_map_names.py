"""Names on a map cover none of each other, and the more important ones stay."""

import itertools

import numpy as np
from plotly import graph_objects as go

from ser_core.interpret.clusters import Cluster
from ser_core.plots.maps.names import LINE_HEIGHT, NARROW, ONLY_WIDE, WIDE, Name, _box, add_cluster_names, place_names

BOUNDS = np.array([[0.0, 10.0], [0.0, 10.0]])


def cover(one: Name, other: Name, size: tuple[int, int]) -> bool:
    (x0, y0, x1, y1), (u0, v0, u1, v1) = _box(one, BOUNDS, size), _box(other, BOUNDS, size)
    return max(x0, u0) < min(x1, u1) and max(y0, v0) < min(y1, v1)


def test_names_are_moved_and_the_last_ones_left_out_so_that_none_covers_another():
    rng = np.random.default_rng(0)
    names = [Name("CREMA-D, angry", tuple(place)) for place in rng.uniform(0, 10, (60, 2)).tolist()]
    taken = [Name("sad", (5.0, 5.0))]
    placed = place_names(names, BOUNDS, WIDE, taken)
    there = [name for name in placed if name]
    assert placed[0] == names[0] and 10 < len(there) < len(names)
    assert not any(cover(a, b, WIDE) for a, b in itertools.combinations([*there, *taken], 2))
    at_once = place_names([Name("sad", (5.0, 5.0)), Name("fear", (5.0, 5.0))], BOUNDS, WIDE)
    assert [name.shift for name in at_once] == [0, LINE_HEIGHT]


def test_a_narrow_map_shows_fewer_names_at_the_same_places():
    clusters = [Cluster((x, 5.0), n, ("", "sad")) for n, x in enumerate(np.linspace(0, 10, 25).tolist())]
    figure = go.Figure(layout={"xaxis_range": [0, 10], "yaxis_range": [0, 10]})
    drawn = add_cluster_names(figure, clusters).layout.annotations
    narrow = [Name(a.text, (a.x, a.y), a.yshift, a.xanchor) for a in drawn if a.name != ONLY_WIDE]
    assert 3 < len(narrow) < len(drawn) and narrow[0].place == clusters[-1].place  # that of the largest cluster
    assert not any(cover(a, b, NARROW) for a, b in itertools.combinations(narrow, 2))
    assert all(_box(name, BOUNDS, NARROW)[0] >= 0 and _box(name, BOUNDS, NARROW)[2] <= NARROW[0] for name in narrow)
