"""Figures of long trajectories show the predictions, no more."""

import numpy as np
import pytest

from ser_core.inference.segments import NOT_ANALYSED, Segment
from ser_core.inference.smoothing import NO_SPEECH, NOT_SURE
from ser_core.labels import EMOTION_STYLES, EMOTIONS
from ser_core.plots.clip import emotion_label
from ser_core.plots.timeline import segment_rows, trajectory_areas
from tests.inference.test_smoothing import made

SPEECH = ((0.5, 1.0), (2.0, 4.0))


@pytest.fixture
def figure():
    trajectory = made("sa_a")
    return trajectory_areas(trajectory, trajectory.probabilities.argmax(1), SPEECH, 6.0, 0.4)


def test_areas_add_up_to_one_and_to_nothing_in_silence(figure):
    areas = [trace for trace in figure.data if trace.type == "scatter" and trace.name]
    assert [area.name for area in areas] == [emotion_label(emotion) for emotion in EMOTIONS]
    assert [area.fillcolor for area in areas] == [EMOTION_STYLES[emotion].colour for emotion in EMOTIONS]
    np.testing.assert_allclose(sum(np.array(area.y) for area in areas), [1, 1, 0, 1, 1], atol=1e-6)
    np.testing.assert_allclose(areas[0].x, [0, 1.5, 2.5, 3.5, 5])


def test_the_ribbon_is_the_confidence_and_speech_has_its_own_row(figure):
    (ribbon,) = (trace for trace in figure.data if trace.type == "scatter" and not trace.name)
    np.testing.assert_allclose(ribbon.y, [0.6, 0.6, 0, 0.6, 0.6], atol=1e-6)
    (speech,) = (trace for trace in figure.data if trace.yaxis == "y3")
    assert (speech.base, speech.x) == ((0.5, 2.0), (0.5, 2.0))
    assert figure.layout.shapes[0].y0 == 0.4 and figure.layout.xaxis.range == (0, 6)


def test_every_window_can_be_selected_and_has_a_hover_text(figure):
    (places,) = (trace for trace in figure.data if trace.yaxis == "y4")
    left, right = places.x - np.array(places.width) / 2, places.x + np.array(places.width) / 2
    assert left[0] == 0 and right[-1] == 5
    np.testing.assert_allclose(left[1:], right[:-1])
    assert "sad 60%" in places.hovertext[0] and places.hovertext[2].endswith(NO_SPEECH)


def test_each_model_has_a_row_without_segments_in_silence():
    segments = (
        Segment(0, 1, NO_SPEECH),
        Segment(1, 3, "sad", 2, "sad", 0.6),
        Segment(3, 4, NOT_SURE, 1, "angry", 0.3),
        Segment(4, 9, NOT_ANALYSED),
    )
    figure = segment_rows({"one": segments, "two": segments[1:2]}, 9.0)
    drawn = {(y, base, x) for trace in figure.data for y, base, x in zip(trace.y, trace.base, trace.x, strict=True)}
    assert drawn == {("one", 1, 2), ("one", 3, 1), ("two", 1, 2)}
    assert {trace.marker.color for trace in figure.data} >= {EMOTION_STYLES["sad"].colour}
    assert {text for trace in figure.data for text in trace.text} == {EMOTION_STYLES["sad"].symbol, "?"}
    assert [note.text for note in figure.layout.annotations] == ["one", "two"]
