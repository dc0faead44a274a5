"""Tables of figures: one form for all kinds of charts, the same values, empty gaps."""

import numpy as np
import pytest
from plotly import graph_objects as go

from ser_core.inference.results import Prediction
from ser_core.labels import EMOTIONS
from ser_core.plots.clip.bars import aligned_probability_bars, probability_bars, stacked_probability_bars
from ser_core.plots.curves import learning_curves, pareto_dots
from ser_core.plots.evaluation import class_score_dots, score_bars
from ser_core.plots.heatmaps import confusion_heatmap, score_heatmap
from ser_core.plots.style import emotion_label
from ser_core.plots.tables import figure_to_rows


@pytest.fixture
def prediction() -> Prediction:
    values = dict(zip(EMOTIONS, np.linspace(0.02, 0.23, len(EMOTIONS)).tolist(), strict=True))
    return Prediction("small", "surprise", 0.23, values, (), False, "", 2.0, 2.0, 0.0, 2.0)


def test_a_bar_for_each_emotion_is_a_row_for_each(prediction):
    rows = figure_to_rows(probability_bars(prediction))
    assert {row[""]: row["value"] for row in rows} == pytest.approx(
        {emotion_label(name): value for name, value in prediction.probabilities.items()}, abs=1e-4
    )


@pytest.mark.parametrize("draw", [stacked_probability_bars, aligned_probability_bars])
def test_models_are_rows_and_emotions_columns(draw, prediction):
    (row,) = figure_to_rows(draw([prediction]))
    assert row.pop("") == "small" and list(row) == [emotion_label(emotion) for emotion in EMOTIONS]
    assert list(row.values()) == pytest.approx(list(prediction.probabilities.values()), abs=1e-4)


def test_lines_of_different_length_share_their_epochs():
    rows = figure_to_rows(learning_curves({"long": [3.0, 2.0, 1.0], "short": [4.0]}, "loss"))
    assert rows == [
        {"epoch": 1, "long": 3.0, "short": 4.0},
        {"epoch": 2, "long": 2.0, "short": None},
        {"epoch": 3, "long": 1.0, "short": None},
    ]


def test_a_grid_keeps_its_rows_and_counts_where_clips_are_counted():
    matrix = np.zeros((2, 2), int)
    matrix[0] = 3, 1
    assert figure_to_rows(confusion_heatmap(matrix, ("sad", "angry")))[0][emotion_label("sad")] == 0.75
    assert figure_to_rows(confusion_heatmap(matrix, ("sad", "angry"), counts=True)) == [
        {"": emotion_label("sad"), emotion_label("sad"): 3, emotion_label("angry"): 1}
    ]
    assert figure_to_rows(score_heatmap({"a": {"x": 0.5}, "b": {"y": 0.25}})) == [
        {"": "a", "x": 0.5, "y": None},
        {"": "b", "x": None, "y": 0.25},
    ]


def test_dots_without_shared_positions_are_separate_rows():
    rows = figure_to_rows(pareto_dots({"a": (1.5, 0.6, 2.0), "b": (3.0, 0.7, 9.0)}))
    assert [(row["name"], *list(row.values())[1:]) for row in rows] == [("a", 1.5, 0.6), ("b", 3.0, 0.7)]
    dots = figure_to_rows(class_score_dots({"m": {"sad": 0.5, "fear": 0.25}, "n": {"sad": 0.75}}))
    assert dots == [
        {"": "m", emotion_label("sad"): 0.5, emotion_label("fear"): 0.25},
        {"": "n", emotion_label("sad"): 0.75, emotion_label("fear"): None},
    ]


def test_groups_of_bars_keep_their_gaps():
    values = {"a": {"x": 0.5, "y": 0.75}, "b": {"x": 0.25}}
    figure = score_bars(values)
    assert figure_to_rows(figure) == [{"": "a", "x": 0.5, "y": 0.75}, {"": "b", "x": 0.25, "y": None}]
    assert len({trace.marker.color for trace in figure.data}) == 2 and list(figure.data[1].y) == ["a"]


def test_a_line_with_repeated_positions_keeps_all_points():
    figure = go.Figure(go.Scatter(x=[0, 0, 1], y=[0.0, 1.0, np.nan], name="a"))
    assert [list(row.values()) for row in figure_to_rows(figure)] == [["a", 0, 0.0], ["a", 0, 1.0], ["a", 1, None]]


def test_decorations_have_no_numbers():
    assert figure_to_rows(go.Figure()) == []
    assert figure_to_rows(go.Figure(go.Scatter(x=[0, 1], y=[0, 1], hoverinfo="skip"))) == []
