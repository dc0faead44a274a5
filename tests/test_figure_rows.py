"""The numbers behind a figure: one table whatever the kind of chart, the same values, gaps left empty."""

import numpy as np
import pytest
from plotly import graph_objects as go

from ser_core.figure_rows import rows_of
from ser_core.figures import class_dots, confusion_grid, curve_lines, grouped_bars, pareto_dots, value_grid
from ser_core.inference import Prediction
from ser_core.labels import EMOTIONS
from ser_core.plots import aligned_bars, named, probability_bars, side_by_side


@pytest.fixture
def prediction() -> Prediction:
    values = dict(zip(EMOTIONS, np.linspace(0.02, 0.23, len(EMOTIONS)).tolist(), strict=True))
    return Prediction("small", "surprise", 0.23, values, (), False, "", 2.0, 2.0, 0.0, 2.0)


def test_a_bar_for_each_emotion_is_a_row_for_each(prediction):
    rows = rows_of(probability_bars(prediction))
    assert {row[""]: row["value"] for row in rows} == pytest.approx(
        {named(name): value for name, value in prediction.probabilities.items()}, abs=1e-4
    )


@pytest.mark.parametrize("draw", [side_by_side, aligned_bars])
def test_models_are_rows_and_emotions_columns(draw, prediction):
    (row,) = rows_of(draw([prediction]))
    assert row.pop("") == "small" and list(row) == [named(emotion) for emotion in EMOTIONS]
    assert list(row.values()) == pytest.approx(list(prediction.probabilities.values()), abs=1e-4)


def test_lines_of_different_length_share_their_epochs():
    rows = rows_of(curve_lines({"long": [3.0, 2.0, 1.0], "short": [4.0]}, "loss"))
    assert rows == [
        {"epoch": 1, "long": 3.0, "short": 4.0},
        {"epoch": 2, "long": 2.0, "short": None},
        {"epoch": 3, "long": 1.0, "short": None},
    ]


def test_a_grid_keeps_its_rows_and_counts_where_clips_are_counted():
    matrix = np.zeros((2, 2), int)
    matrix[0] = 3, 1
    assert rows_of(confusion_grid(matrix, ("sad", "angry")))[0][named("sad")] == 0.75
    assert rows_of(confusion_grid(matrix, ("sad", "angry"), counts=True)) == [
        {"": named("sad"), named("sad"): 3, named("angry"): 1}
    ]
    assert rows_of(value_grid({"a": {"x": 0.5}, "b": {"y": 0.25}})) == [
        {"": "a", "x": 0.5, "y": None},
        {"": "b", "x": None, "y": 0.25},
    ]


def test_dots_that_share_nothing_are_rows_of_their_own():
    rows = rows_of(pareto_dots({"a": (1.5, 0.6, 2.0), "b": (3.0, 0.7, 9.0)}))
    assert [(row["name"], *list(row.values())[1:]) for row in rows] == [("a", 1.5, 0.6), ("b", 3.0, 0.7)]
    dots = rows_of(class_dots({"m": {"sad": 0.5, "fear": 0.25}, "n": {"sad": 0.75}}))
    assert dots == [
        {"": "m", named("sad"): 0.5, named("fear"): 0.25},
        {"": "n", named("sad"): 0.75, named("fear"): None},
    ]


def test_groups_of_bars_keep_their_gaps():
    values = {"a": {"x": 0.5, "y": 0.75}, "b": {"x": 0.25}}
    figure = grouped_bars(values)
    assert rows_of(figure) == [{"": "a", "x": 0.5, "y": 0.75}, {"": "b", "x": 0.25, "y": None}]
    assert len({trace.marker.color for trace in figure.data}) == 2 and list(figure.data[1].y) == ["a"]


def test_a_line_that_comes_back_to_a_place_loses_no_point():
    figure = go.Figure(go.Scatter(x=[0, 0, 1], y=[0.0, 1.0, np.nan], name="a"))
    assert [list(row.values()) for row in rows_of(figure)] == [["a", 0, 0.0], ["a", 0, 1.0], ["a", 1, None]]


def test_what_only_decorates_has_no_numbers():
    assert rows_of(go.Figure()) == []
    assert rows_of(go.Figure(go.Scatter(x=[0, 1], y=[0, 1], hoverinfo="skip"))) == []
