"""Figures of a voice: what is drawn where."""

import numpy as np
import pytest

from ser_core.interpret import VOICE_MEASURES, load_voice_ranges
from ser_core.plots import (
    NamedVoice,
    format_measure,
    format_normal,
    probability_differences,
    two_clips,
    voice_strips,
)
from ser_core.plots.voice import CLIP_COLOURS
from tests.make_corpus import voice
from tests.plots.test_report import prediction

GROUP, MEN = (load_voice_ranges().group(sex) for sex in ("female", "male"))


def test_a_value_lies_in_its_range_or_at_the_edge():
    low, high = GROUP.ranges["f0_hz"].normal
    middle = {name: (r.normal[0] + r.normal[1]) / 2 for name, r in GROUP.ranges.items()}
    other = {"f0_hz": 10 * high, "pause_percent": 3.0}
    figure = voice_strips([NamedVoice("A", middle, GROUP), NamedVoice("B", other, GROUP)])
    _, first, _, second = figure.data
    assert first.x == pytest.approx([0.5] * len(middle)) and set(first.marker.symbol) == {"circle"}
    assert list(second.x) == [pytest.approx(1.37)] and second.marker.symbol == ("triangle-right",)
    assert first.marker.color == CLIP_COLOURS[0] != second.marker.color
    assert len(figure.layout.annotations) == 2 * len(VOICE_MEASURES)  # pauses too, without a range
    assert format_measure("level_dbfs", -20.4) == "−20 dBFS" and low < high


def test_each_voice_lies_in_the_range_of_its_own_group():
    voices = [
        NamedVoice(name, {"f0_hz": group.ranges["f0_hz"].at(5)}, group)
        for name, group in zip("AB", (GROUP, MEN), strict=True)
    ]
    figure = voice_strips(voices)
    _, first, _, second = figure.data
    assert list(first.x) == list(second.x) == [0]
    normal = figure.layout.annotations[1].text
    assert all(format_normal("f0_hz", group.ranges["f0_hz"]) in normal for group in (GROUP, MEN))


def test_two_clips_begin_with_their_speech():
    quiet = np.zeros(8000, np.float32)
    late = np.concatenate([quiet, voice(200, 0)])
    figure = two_clips(["A", "B"], [voice(150, 0), late], [0.0, 0.5])
    assert [image.x for image in figure.layout.images] == [0.0, -0.5]
    pitch = [trace for trace in figure.data if trace.name]
    assert [2 ** np.nanmean(trace.y) for trace in pitch] == pytest.approx([150, 200], rel=0.03)
    assert [trace.x[~np.isnan(trace.y)][0] for trace in pitch] == pytest.approx([0, 0], abs=0.1)
    assert figure.layout.xaxis.range == pytest.approx((-0.5, 0.6))


def test_the_difference_of_two_predictions():
    *lines, first, second = probability_differences(prediction("angry", 0.8), prediction("sad", 0.7)).data
    assert len(lines) == len(first.x) == 8 and dict(zip(first.y, first.x, strict=True))["✚ angry"] == 0.8
    assert tuple(lines[0].x) == (first.x[0], second.x[0])
