"""The data of the timeline says what was predicted, no more; a recording in one sentence."""

from base64 import b64decode

import numpy as np
import pytest

from ser_core.inference.annotation.summary import Peak, TrajectorySummary
from ser_core.inference.segments import NOT_ANALYSED, Segment
from ser_core.inference.smoothing import NO_SPEECH, NOT_SURE
from ser_core.labels import EMOTION_STYLES, EMOTIONS
from ser_core.plots.clip.timeline import describe_trajectory, timeline_data
from tests.inference.test_smoothing import made

SEGMENTS = (
    Segment(0, 1, NO_SPEECH),
    Segment(1, 3, "sad", 2, "sad", 0.6),
    Segment(3, 4, NOT_SURE, 1, "angry", 0.3),
    Segment(4, 9, NOT_ANALYSED),
)


def test_an_hour_is_sent_in_bytes_and_windows_without_speech_are_marked():
    trajectory = made("sa_a")
    found = timeline_data(trajectory, SEGMENTS, 9.0, 0.4, 4.0, {}, {})
    np.testing.assert_allclose(np.frombuffer(b64decode(found["edges"]), "<f4"), [0, 1.5, 2.5, 3.5, 5])
    assert list(b64decode(found["speaks"])) == [1, 1, 0, 1]
    values = np.frombuffer(b64decode(found["values"]), np.uint8).reshape(4, len(EMOTIONS))
    np.testing.assert_allclose(values / 255, trajectory.probabilities, atol=0.003)
    assert [label["colour"] for label in found["labels"]] == [EMOTION_STYLES[name].colour for name in EMOTIONS]
    assert (found["duration_s"], found["until_s"], found["n_units"]) == (9.0, 4.0, 0)


def test_segments_have_a_label_where_something_was_predicted():
    settings = (9.0, 0.4, 9.0, {"anna": SEGMENTS[1:2]}, {"m": SEGMENTS, "n": ()})
    found = timeline_data(made("sa_a"), SEGMENTS, *settings)
    assert [row[2] for row in found["segments"]] == [None, EMOTIONS.index("sad"), -1, None]
    assert "60%" in found["segments"][1][4] and NOT_SURE in found["segments"][2][4]
    assert [row["title"] for row in found["rows"]] == ["anna", "m", "n"] and found["n_units"] == 1
    assert found["id"] != timeline_data(made("sa_a"), SEGMENTS[:2], *settings)["id"]


@pytest.mark.parametrize(
    ("shares", "peaks", "words"),
    [
        ((), (), ""),
        ((("sad", 1.0),), (), "▼ sad throughout."),
        (((NOT_SURE, 1.0),), (), "Not sure throughout."),
        (
            ((NOT_SURE, 0.6), ("angry", 0.25), ("happy", 0.15)),
            (Peak("happy", 3.0, 0.6),),
            "Mostly not sure (60% of the speech); ✚ angry in 25%; ▲ happy peaks at 0:03.",
        ),
        ((("sad", 0.5), ("angry", 0.496), (NOT_SURE, 0.004)), (), "Most often ▼ sad (50% of the speech)."),
        (
            (("neutral", 0.6), ("angry", 0.3), (NOT_SURE, 0.1)),
            (Peak("angry", 190.2, 0.9), Peak("angry", 240.0, 0.8), Peak("angry", 580.0, 0.8)),
            "Mostly ● neutral (60% of the speech); ✚ angry peaks at 3:10, 4:00 and 9:40; not sure in 10%.",
        ),
    ],
)
def test_a_recording_in_one_sentence(shares, peaks, words):
    assert describe_trajectory(TrajectorySummary(shares, peaks)) == words
