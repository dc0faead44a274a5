"""The arithmetic and the pictures of the page "Learn": against librosa, against the models, and by what must hold."""

import base64
import io
from itertools import product

import lazy_loader
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.signal import find_peaks

from ser_core.audio.features import FrontendConfig, LogMel
from ser_core.audio.io import SAMPLE_RATE
from ser_core.interpret import lessons
from ser_core.labels import EMOTIONS
from ser_core.plots import lessons as lesson_figures

librosa = lazy_loader.load("librosa")  # its import compiles for many seconds


def tones(*hertz, duration_s=1.0):
    time_s = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    return sum(0.2 * np.sin(2 * np.pi * f * time_s) for f in hertz).astype("f4")


def picture(figure, i=0):
    """Palette indices of the i-th image in a figure, shape = (height, width), top row first."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(figure.layout.images[i].source.split(",")[1]))))


# --- the excerpt -----------------------------------------------------------------------------------------------------


def test_the_loudest_stretch_holds_what_is_loud():
    waveform = np.zeros(10 * SAMPLE_RATE, "f4")
    waveform[6 * SAMPLE_RATE : 8 * SAMPLE_RATE] = tones(300, duration_s=2.0)
    start, end = lessons.loudest_excerpt(waveform, 2.0)
    assert abs(start - 6 * SAMPLE_RATE) <= SAMPLE_RATE // 10 and end - start == 2 * SAMPLE_RATE


def test_a_short_sound_is_taken_whole(subtests):
    for n_samples in [1, 7, 1600, 40_000]:
        with subtests.test(n_samples=n_samples):
            assert lessons.loudest_excerpt(np.ones(n_samples, "f4"), 2.5) == (0, n_samples)


# --- front ends ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_filter_lets_through_what_lies_between_its_feet(subtests):
    for n_mels, fmax in product([4, 64, 128], [2000, 8000]):
        with subtests.test(n_mels=n_mels, fmax=fmax):
            edges_hz = lessons.mel_band_edges_hz(n_mels, fmax)
            weights = (
                LogMel(FrontendConfig(n_fft=lessons.LESSON_N_FFT, win_length=512, n_mels=n_mels, fmax=fmax))
                .mel(torch.eye(1 + lessons.LESSON_N_FFT // 2))
                .T.numpy()
            )
            bins_hz = librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=lessons.LESSON_N_FFT)
            inside = (bins_hz > edges_hz[:, :1]) & (bins_hz < edges_hz[:, 2:])
            assert np.array_equal(weights > 1e-9, inside) and inside.any(axis=1).all()
            assert edges_hz[0, 0] == 0 and edges_hz[-1, 2] == pytest.approx(fmax)


def test_a_tone_lights_the_band_it_belongs_to():
    level_db = lessons.logmel_db(tones(1000), 64, 0.032)
    foot_hz, _, other_hz = lessons.mel_band_edges_hz(64, 8000)[level_db.mean(axis=1).argmax()]
    assert foot_hz < 1000 < other_hz and level_db.shape[0] == 64


def test_a_long_window_parts_tones_and_a_short_one_clicks():
    pair, clicks = tones(400, 460), np.zeros(SAMPLE_RATE, "f4")
    clicks[[8000, 8000 + 480]] = 0.9  # 30 ms apart

    def n_peaks(waveform, window_s, axis):
        profile = 10 ** (lessons.logmel_db(waveform, 128, window_s) / 10)
        profile = profile.sum(axis=axis)
        return len(find_peaks(profile, height=profile.max() / 3)[0])

    assert lessons.frequency_resolution_hz(0.064) < 60 < lessons.frequency_resolution_hz(0.016)
    assert n_peaks(pair, 0.064, axis=1) == 2 and n_peaks(pair, 0.016, axis=1) == 1
    assert n_peaks(clicks, 0.016, axis=0) == 2 and n_peaks(clicks, 0.128, axis=0) == 1


def test_coefficients_are_those_of_the_models_front_end(speech):
    level_db = lessons.logmel_db(speech[:40_000], 64, 0.032)
    config = FrontendConfig(
        n_fft=2048, hop_length=lessons.LESSON_HOP_LENGTH, top_db=lessons.LESSON_TOP_DB, n_mfcc=13, normalise=False
    )
    mfcc = LogMel(config)(torch.tensor(speech[:40_000])[None])[0, 0].numpy()
    again = LogMel(config).cosines.numpy() @ lessons.mfcc_reconstruction(level_db, 13)
    assert again == pytest.approx(mfcc, abs=1e-2)


def test_more_coefficients_never_know_less(speech):
    level_db = lessons.logmel_db(speech[:40_000], 64, 0.032)
    shares = [lessons.mfcc_explained_variance(level_db, n) for n in range(1, 65)]
    assert shares[0] == pytest.approx(0, abs=1e-6) and shares[-1] == pytest.approx(1)
    assert all(np.diff(shares) >= -1e-9) and 0.6 < shares[12] < 0.99
    assert lessons.mfcc_reconstruction(level_db, 64) == pytest.approx(level_db, abs=1e-3)
    assert lessons.mfcc_explained_variance(np.full((64, 3), -80.0), 5) == 1
    noise_db = np.random.default_rng(0).uniform(-70, 0, (20, 64, 50)).astype(np.float32)
    assert {f"{lessons.mfcc_explained_variance(level_db, 1):.0%}" for level_db in noise_db} == {"0%"}  # never "-0%"


# --- networks --------------------------------------------------------------------------------------------------------


def test_the_maps_are_those_the_answer_comes_from(new_model, speech):
    model = new_model(recurrent=False)
    features, *steps = lessons.stage_feature_maps(model, speech[:40_000])
    assert features.shape == (1, 64, 157) and [len(step) for step in steps] == [4, 4, 8, 8]
    with torch.inference_mode():
        sequence = model.encode_sequence(torch.tensor(features)[None], torch.tensor([157]))[0][0].numpy()
    pooled = steps[-1].mean(axis=1).T
    assert pooled == pytest.approx(sequence, abs=1e-5)


def test_the_most_varied_maps_come_first():
    maps = np.random.default_rng(0).normal(size=(5, 8, 9)) * np.array([1, 5, 0, 3, 2])[:, None, None]
    assert lessons.highest_variance_channels(maps, 3) == [1, 3, 4]


# --- emotions on two axes, corpora -----------------------------------------------------------------------------------


def test_a_sure_answer_lies_on_its_emotion_and_an_undecided_one_between():
    for emotion in EMOTIONS:
        sure = dict.fromkeys(EMOTIONS, 0.0) | {emotion: 1.0}
        assert lessons.circumplex_position(sure) == pytest.approx(lessons.CIRCUMPLEX_COORDINATES[emotion])
    valence, arousal = lessons.circumplex_position(dict.fromkeys(EMOTIONS, 0.0) | {"happy": 0.5, "sad": 0.5})
    assert abs(valence) < 0.1 and abs(arousal) < 0.2


def test_the_signs_are_those_of_the_textbook():
    assert all(lessons.CIRCUMPLEX_COORDINATES[e][1] > 0 for e in ("angry", "fear", "surprise", "happy", "disgust"))
    assert all(lessons.CIRCUMPLEX_COORDINATES[e][1] < 0 for e in ("sad", "calm"))
    assert {e for e, (valence, _) in lessons.CIRCUMPLEX_COORDINATES.items() if valence < 0} == {
        "angry",
        "fear",
        "disgust",
        "sad",
    }


def test_known_voices_are_counted_from_the_protocol():
    assert lessons.shared_speaker_fraction("resonet", None) == {"ravdess": 0, "crema_d": 0, "tess": 1, "savee": 1}
    assert set(lessons.shared_speaker_fraction("speaker-independent", "0").values()) == {0}


def test_eta_squared_is_one_without_spread_and_zero_without_difference():
    def groups(means, sd):
        return [{"n_clips": 10, "mean": mean, "sd": sd} for mean in means]

    assert lessons.emotion_eta_squared(groups([1, 2, 3], 0.0)) == 1
    assert lessons.emotion_eta_squared(groups([2, 2, 2], 1.0)) == 0
    rng = np.random.default_rng(1)
    values = [rng.normal(mean, size=n) for n, mean in ((5, 0), (10, 1), (30, 3))]
    measured = [{"n_clips": len(row), "mean": row.mean(), "sd": row.std()} for row in values]
    everything = np.concatenate(values)
    between = sum(len(row) * (row.mean() - everything.mean()) ** 2 for row in values) / everything.var() / 45
    assert lessons.emotion_eta_squared(measured) == pytest.approx(between)


# --- pictures --------------------------------------------------------------------------------------------------------


def test_low_bands_are_drawn_at_the_bottom_and_counted_in_seconds():
    level_db = lessons.logmel_db(tones(200), 32, 0.032)
    figure = lesson_figures.log_mel_image(level_db, 8000, 3.0, 1.0)
    image = picture(figure)
    assert image.mean(axis=1).argmax() > 0.8 * len(image)
    assert tuple(figure.layout.xaxis.range) == (3.0, 4.0)


def test_marks_above_the_highest_band_are_left_out():
    figure = lesson_figures.log_mel_image(np.zeros((8, 5)), 2000, 0.0, 1.0)
    assert list(figure.layout.yaxis.ticktext) == ["250 Hz ", "1 kHz "]


def test_every_filter_is_drawn():
    figure = lesson_figures.mel_filter_triangles(9, 8000)
    assert [sum(value == 1 for value in trace.y) for trace in figure.data] == [5, 4]


def test_each_map_uses_its_whole_scale():
    maps = [("a", np.arange(12.0).reshape(3, 4)), ("b", -np.arange(12.0).reshape(3, 4)), ("c", np.zeros((3, 4)))]
    figure = lesson_figures.feature_map_grid(maps)
    assert [annotation.text for annotation in figure.layout.annotations] == ["a", "b", "c"]
    assert [(picture(figure, i).min(), picture(figure, i).max()) for i in range(3)] == [(0, 255), (0, 255), (0, 0)]
    assert picture(figure, 0)[0, -1] == 255  # the last band on top, the last step at the right


def test_a_likely_emotion_is_drawn_larger():
    weights = dict.fromkeys(EMOTIONS, 0.05) | {"sad": 0.65}
    figure = lesson_figures.circumplex_plot(weights, (-0.5, -0.2))
    sizes = {trace.text[0]: trace.marker.size for trace in figure.data}
    assert max(sizes, key=sizes.get) == "sad" and "prediction" in sizes
    assert len(lesson_figures.circumplex_plot().data) == len(EMOTIONS)
