"""What the figures show, and that their cost and size stay bounded."""

import io

import numpy as np
import pytest
from PIL import Image

from ser_core.inference import Prediction, Trajectory
from ser_core.labels import EMOTIONS, LOOKS
from ser_core.plots import PICTURE_COLUMNS, clock, envelope, probability_bars, spectrogram, trajectory_lines

SAMPLE_RATE = 16_000


def tone(hertz, duration_s, amplitude=0.3):
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(int(duration_s * SAMPLE_RATE)) / SAMPLE_RATE)).astype("f4")


def brightness(waveform):
    """The picture's palette indices, shape = (height, width), top row first."""
    return np.asarray(Image.open(io.BytesIO(spectrogram(waveform).png)))


def prediction(abstain=False, **probabilities):
    values = dict.fromkeys(EMOTIONS, 0.0) | probabilities
    best = max(values, key=values.get)
    return Prediction("m", best, values[best], values, (), abstain, "", 3.0, 2.0, 0.0, 3.0)


def trajectory(probabilities, speech_s):
    start_s = np.arange(len(probabilities)) * 1.5
    return Trajectory("m", EMOTIONS, start_s, start_s + 3, np.array(probabilities), np.array(speech_s), 3.0, 1.5)


@pytest.mark.parametrize("n_samples", [1, 320, 16_000, 16_000 * 600])
def test_the_picture_is_never_wider_than_its_bound(n_samples):
    noise = np.random.default_rng(0).standard_normal(n_samples).astype("f4") * 0.1
    picture = spectrogram(noise)
    assert 1 <= Image.open(io.BytesIO(picture.png)).width <= PICTURE_COLUMNS
    assert len(picture.png) < 200_000


def test_a_tone_lights_up_at_its_mark_on_the_frequency_axis():
    hertz, height = spectrogram(tone(1000, 1)).hertz[1]
    rows = brightness(tone(hertz, 1)).mean(axis=1)
    assert 1 - (rows.argmax() + 0.5) / len(rows) == pytest.approx(height, abs=0.02)


def test_a_late_tone_is_on_the_right():
    columns = brightness(np.concatenate([np.zeros(SAMPLE_RATE * 60, "f4"), tone(500, 30)])).mean(axis=0)
    assert np.flatnonzero(columns > columns.max() / 2)[0] / len(columns) == pytest.approx(2 / 3, abs=0.01)


def test_silence_is_black_everywhere():
    assert brightness(np.zeros(SAMPLE_RATE, "f4")).max() == 0


def test_the_envelope_keeps_the_peaks_of_every_stretch():
    waveform = np.zeros(100_000, "f4")
    waveform[99_999], waveform[50_000] = 0.9, -0.8
    low, high = envelope(waveform)
    assert len(low) == len(high) == PICTURE_COLUMNS
    assert high[-1] == np.float32(0.9) and low.min() == np.float32(-0.8)


def test_each_bar_has_its_colour_symbol_name_and_number():
    (bars,) = probability_bars(prediction(angry=0.7, sad=0.3)).data
    assert bars.y[EMOTIONS.index("angry")] == f"{LOOKS['angry'].symbol} angry"
    assert bars.text[EMOTIONS.index("angry")] == "70%"
    assert list(bars.marker.color) == [LOOKS[name].colour for name in EMOTIONS]
    assert np.argmax(bars.marker.opacity) == EMOTIONS.index("angry")


def test_no_bar_stands_out_when_the_model_is_not_sure():
    (bars,) = probability_bars(prediction(abstain=True, angry=0.2), min_confidence=0.4).data
    assert len(set(bars.marker.opacity)) == 1


def test_the_border_of_not_sure_is_drawn_where_it_lies():
    figure = probability_bars(prediction(angry=0.7), min_confidence=0.4)
    assert figure.layout.shapes[0].x0 == 0.4


def test_the_trajectory_is_interrupted_where_nobody_speaks():
    row = [0.6, 0.2, 0.2, 0, 0, 0, 0, 0]
    figure = trajectory_lines(trajectory([row, row, row], speech_s=[3, 0, 3]), 6.0)
    assert np.isnan(figure.data[0].y).tolist() == [False, True, False]
    assert figure.data[0].x.tolist() == [1.5, 3.0, 4.5]
    assert figure.layout.xaxis.range == (0, 6.0)


def test_unlikely_emotions_wait_in_the_legend_and_three_are_always_drawn():
    figure = trajectory_lines(trajectory([[0.15, 0.14, 0.13, 0.12, 0.12, 0.12, 0.11, 0.11]], speech_s=[3]), 3.0)
    assert [line.visible for line in figure.data] == [True] * 3 + ["legendonly"] * 5


@pytest.mark.parametrize("duration_s", [1.0, 6.6, 30.5, 600, 3600])
def test_the_time_axis_counts_as_the_player_does(duration_s):
    axis = trajectory_lines(trajectory([[0.125] * 8], speech_s=[1]), duration_s).layout.xaxis
    assert 1 <= len(axis.tickvals) <= 7 and axis.tickvals[-1] <= duration_s
    assert axis.ticktext[-1] == clock(axis.tickvals[-1])


def test_the_clock():
    assert [clock(time_s) for time_s in (0, 5, 59.96, 65.34, 3600)] == ["0:00", "0:05", "1:00", "1:05.3", "60:00"]


def test_a_trajectory_without_speech_can_be_drawn():
    figure = trajectory_lines(trajectory([[0.125] * 8], speech_s=[0]), 3.0)
    assert np.isnan(figure.data[0].y).all()
