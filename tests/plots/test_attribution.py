"""Figures and texts of attributions."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from ser_core.audio.features import FrontendConfig
from ser_core.interpret.attribution.explain import Explanation
from ser_core.interpret.faithfulness import FaithfulnessCurves, mel_band_centres_hz
from ser_core.interpret.probes import PERTURBATION_PROBES
from ser_core.labels import EMOTION_STYLES, EMOTIONS
from ser_core.plots.attribution import (
    OPPOSING_COLOUR,
    SUPPORTING_COLOUR,
    describe_relevance,
    faithfulness_lines,
    half_mass_interval,
    probe_lines,
    relevance_map,
)
from ser_core.plots.clip.spectrogram import spectrogram
from ser_core.plots.style import emotion_label

FRONTEND = FrontendConfig()
HOP_S = 0.016
PICTURE = spectrogram((0.3 * np.sin(2 * np.pi * 1000 * np.arange(40_000) / 16_000)).astype(np.float32))


def explanation(relevance: np.ndarray) -> Explanation:
    return Explanation("by hand", relevance, HOP_S)


def patch(bands: slice, frames: slice, value: float = 1.0) -> np.ndarray:
    relevance = np.zeros((64, 157))
    relevance[bands, frames] = value
    return relevance


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30).filter(lambda values: sum(values) > 1e-3))
def test_the_shortest_interval_with_half_of_the_mass(values):
    profile = np.array(values)
    first, last = half_mass_interval(profile)
    half = profile.sum() / 2
    assert 0 <= first <= last < len(profile) and profile[first : last + 1].sum() >= half * (1 - 1e-6)
    shorter = last - first
    assert all(profile[i : i + shorter].sum() < half * (1 + 1e-6) for i in range(len(profile) - shorter + 1))


def test_the_text_names_time_and_frequency_of_supporting_relevance():
    relevance = patch(slice(20, 24), slice(50, 60)) + patch(slice(0, 10), slice(100, 140), -5.0)
    low_hz, high_hz = mel_band_centres_hz(FRONTEND)[[20, 21]]
    assert describe_relevance(explanation(relevance), FRONTEND).endswith(
        f"between {round(low_hz, -1):.0f} and {round(high_hz, -1):.0f} Hz"
    )
    assert describe_relevance(explanation(relevance), FRONTEND).startswith("from 0.8 to 0.9 s of the window")
    assert describe_relevance(explanation(relevance[20:21]), FRONTEND) == "from 0.8 to 0.9 s of the window"
    assert describe_relevance(explanation(-np.abs(relevance)), FRONTEND) == ""


def test_the_map_and_its_spectrogram_share_axes():
    relevance = patch(slice(20, 24), slice(50, 60)) + patch(slice(40, 44), slice(100, 110), -1.0)
    figure = relevance_map(explanation(relevance), PICTURE, FRONTEND, 0.4)
    heat, (image,) = figure.data[0], figure.layout.images
    assert heat.opacity == 0.4 and heat.zmin == -heat.zmax < 0
    assert [stop[1] for stop in heat.colorscale] == [OPPOSING_COLOUR, "rgba(0,0,0,0)", SUPPORTING_COLOUR]
    np.testing.assert_allclose(heat.z, relevance)
    assert Image.open(io.BytesIO(base64.b64decode(image.source.split(",")[1]))).size[0] > 100
    assert (image.xref, image.yref) == (heat.xaxis, heat.yaxis) and image.sizex == heat.x[-1] == 156 * HOP_S
    marks = dict(zip(figure.layout.yaxis3.ticktext, figure.layout.yaxis3.tickvals, strict=True))
    band = int(np.abs(mel_band_centres_hz(FRONTEND) - 1000).argmin())
    assert heat.y[band] == pytest.approx(marks["1 kHz "], abs=0.01)
    assert list(marks) == ["250 Hz ", "1 kHz ", "2 kHz ", "4 kHz "]


def test_profiles_show_both_signs_apart():
    relevance = patch(slice(20, 24), slice(50, 60)) + patch(slice(40, 44), slice(100, 110), -1.0)
    _, time_for, time_against, band_for, band_against = relevance_map(
        explanation(relevance), PICTURE, FRONTEND, 0.4
    ).data
    assert time_for.y.max() == time_for.y[50] == 4 and time_for.y.min() == 0 and time_against.y.min() == -4
    assert band_for.x.max() == band_for.x[20] == 10 and band_against.x.min() == -10
    assert time_for.line.color == band_for.line.color == SUPPORTING_COLOUR
    assert band_for.customdata[20] == round(mel_band_centres_hz(FRONTEND)[20])


@pytest.mark.parametrize("relevance", [np.ones((1, 157)), np.zeros((1, 157)), np.ones((1, 1))])
def test_a_map_of_time_alone_has_no_profile_over_frequency(relevance):
    figure = relevance_map(explanation(relevance), PICTURE, FRONTEND, 0.4)
    assert len(figure.data) == 3 and figure.data[0].zmax > 0


def test_curves_of_kept_and_removed_parts_differ_in_colour_and_dash():
    values = np.linspace(0, 1, 3)
    figure = faithfulness_lines(FaithfulnessCurves((0.0, 0.5, 1.0), values, 1 - values, values / 2, values / 3), "sad")
    assert [line.name for line in figure.data] == [
        "relevant part kept",
        "random part kept",
        "relevant part removed",
        "random part removed",
    ]
    assert len({(line.line.color, line.line.dash) for line in figure.data}) == 4
    np.testing.assert_array_equal([line.y for line in figure.data], [values, values / 2, 1 - values, values / 3])
    assert figure.layout.yaxis.title.text == emotion_label("sad") and figure.data[2].y.tolist() == [1, 0.5, 0]


def test_a_probe_shows_every_emotion_and_the_identity_value():
    probe = PERTURBATION_PROBES["Gain"]
    probabilities = np.full((len(probe.values), 8), 0.02)
    probabilities[:, 3] = 0.86
    figure = probe_lines(probe, probabilities, EMOTIONS)
    assert [line.name for line in figure.data] == [emotion_label(emotion) for emotion in EMOTIONS]
    assert figure.data[3].marker.symbol == EMOTION_STYLES["sad"].marker and figure.data[3].visible is True
    assert list(figure.data[3].x) == ["-40", "-30", "-20", "-10", "0", "6", "12", "18", "24"]
    assert figure.layout.xaxis.ticktext[:2] == ("−40", "−30") and figure.layout.xaxis.tickvals == figure.data[3].x
    assert figure.layout.shapes[0].x0 == 4 and figure.layout.xaxis.title.text == probe.title
    assert not probe_lines(PERTURBATION_PROBES["Noise"], probabilities[:8], EMOTIONS).layout.shapes
