"""Maps of relevance: each method finds what it must find, sums to what it must, and leaves the model alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from ser_core.audio.features import FrontendConfig
from ser_core.audio.io import SAMPLE_RATE
from ser_core.inference.forward import run_windows
from ser_core.inference.queue import inference_queue
from ser_core.interpret import sanity_check as sanity
from ser_core.interpret.attribution.explain import (
    EXPECTED_GRADIENTS,
    GRAD_CAM,
    INTEGRATED_GRADIENTS,
    OCCLUSION,
    SELF_ATTENTION,
    SILENCING,
    attribution_methods,
    explain,
)
from ser_core.interpret.attribution.features import AttributionTarget
from ser_core.interpret.attribution.occlusion import OCCLUSION_PATCH_BANDS, OCCLUSION_PATCH_S, SILENCED_SPAN_S
from ser_core.interpret.sanity_check import parameter_randomisation_test, randomise_parameters
from ser_core.labels import EMOTIONS
from ser_core.models.base import ModelConfig, SERModel, SpectrogramModel, WaveformModel
from ser_core.models.checkpoint import Calibration, load_model
from ser_core.models.names import available_models
from ser_core.models.registry import build_model
from ser_core.models.zoo.egemaps.classifier import EgemapsConfig
from ser_core.models.zoo.reduced import use_float32

ALL = (GRAD_CAM, OCCLUSION, INTEGRATED_GRADIENTS, EXPECTED_GRADIENTS, SELF_ATTENTION, SILENCING)
BANDS, FRAMES = slice(20, 24), slice(60, 66)
HAPPY = AttributionTarget("happy")


class Watcher(SpectrogramModel):
    """Says happy the louder it is in a few cells of the spectrogram, and looks at nothing else."""

    def __init__(self):
        super().__init__(ModelConfig())
        self.name, self.calibration = "watcher", Calibration()
        self.scale = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.scale.weight)

    def encode(self, features, n_frames=None):
        return self.scale(features)[:, 0, BANDS, FRAMES].mean((1, 2))[:, None]

    def head(self, embedding):
        return embedding * torch.tensor([[float(label == "happy") for label in EMOTIONS]])


class Pooled(SpectrogramModel):
    """A convolution, the mean of its map, a linear layer: for it the class activation map is known exactly."""

    def __init__(self):
        super().__init__(ModelConfig())
        self.name = "pooled"
        self.map = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(3, len(EMOTIONS))

    def encode(self, features, n_frames=None):
        return self.map(features).mean((2, 3))


class Listener(WaveformModel):
    """Says happy the more energy there is between 1.0 and 1.2 s; hears no spectrogram."""

    def __init__(self):
        super().__init__(ModelConfig())
        self.name, self.calibration = "listener", Calibration()
        self.eval()  # as load_model gives models

    def encode(self, features, n_frames=None):
        return features[:, SAMPLE_RATE : round(1.2 * SAMPLE_RATE)].square().sum(1, keepdim=True) / 100

    head = Watcher.head


@pytest.fixture(scope="module")
def window(speech) -> np.ndarray:
    return speech[SAMPLE_RATE : SAMPLE_RATE + 40_000]


@pytest.fixture
def model(new_model) -> SERModel:
    return new_model(seed=3)


def burst() -> np.ndarray:
    """Noise in the cells that the watcher looks at, and little elsewhere."""
    noise = 0.001 * np.random.default_rng(0).standard_normal(40_000).astype(np.float32)
    at = np.arange(FRAMES.start * 256, FRAMES.stop * 256)
    hertz = 900.0  # in bands 20 to 24
    noise[at] += 0.3 * np.sin(2 * np.pi * hertz * at / SAMPLE_RATE).astype(np.float32)
    return noise


# --- what the maps show ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [OCCLUSION, INTEGRATED_GRADIENTS])
def test_the_only_informative_patch_is_found(method):
    relevance = explain(Watcher(), burst(), method, HAPPY).relevance
    band, frame = np.unravel_index(relevance.argmax(), relevance.shape)
    reach = (OCCLUSION_PATCH_BANDS, round(OCCLUSION_PATCH_S * SAMPLE_RATE / 256)) if method == OCCLUSION else (0, 0)
    near = np.zeros(relevance.shape, bool)
    near[BANDS.start - reach[0] : BANDS.stop + reach[0], FRAMES.start - reach[1] : FRAMES.stop + reach[1]] = True
    assert relevance.shape == (64, 157) and near[band, frame] and relevance[band, frame] > 0
    np.testing.assert_allclose(relevance[~near], 0, atol=1e-6)


def test_expected_gradients_find_the_informative_part_of_any_sound():
    relevance = explain(Listener(), burst() + 0.1, EXPECTED_GRADIENTS, HAPPY).over_time
    around = slice(round(0.9 / 0.016), round(1.3 / 0.016))  # a cell of the mask reaches 0.1 s further
    assert relevance[around].sum() > 0.95 * relevance.sum() > 0


def test_silence_finds_the_only_informative_moment():
    found = explain(Listener(), burst() + 0.1, SILENCING, HAPPY)
    assert found.relevance.shape == (1, 157) and 1.0 <= found.relevance[0].argmax() * found.hop_s < 1.2
    time_s = found.hop_s * np.arange(157)
    np.testing.assert_allclose(
        found.relevance[0, (time_s < 1 - SILENCED_SPAN_S) | (time_s > 1.21 + SILENCED_SPAN_S)], 0, atol=1e-5
    )


def test_the_class_activation_map_of_a_linear_head_sums_to_the_logit(window):
    torch.manual_seed(0)
    pooled = Pooled().eval()
    found = explain(pooled, window, GRAD_CAM, HAPPY)
    with torch.no_grad():
        logit = pooled(torch.from_numpy(window.copy())[None])[0] - pooled.head.bias
    assert found.relevance.sum() == pytest.approx(float(logit[EMOTIONS.index("happy")]), rel=1e-3)


def test_attention_is_one_on_average_and_the_same_for_each_question(model, window):
    found = explain(model, window, SELF_ATTENTION, HAPPY).relevance
    assert found.shape == (1, 157) and found.min() >= 0 and np.ptp(found) > 0
    assert found.mean() == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(
        found, explain(model, window, SELF_ATTENTION, AttributionTarget("sad", "fear")).relevance
    )


@pytest.mark.slow
@pytest.mark.skipif(not available_models(), reason="needs the checkpoints")
@pytest.mark.parametrize("name", [name for name in ("resonet", "cnn-lstm") if name in available_models()])
@pytest.mark.parametrize("instead_of", [None, "sad"])
def test_integrated_gradients_explain_the_whole_difference_from_silence(name, instead_of, window):
    trained = load_model(name)
    use_float32(trained)  # as slopes are
    together = run_windows(trained, [window, np.resize(window, 48_000)]).logits[0]  # padded, beside a longer one
    silent = run_windows(trained, [np.zeros_like(window)]).logits[0]
    question = AttributionTarget(EMOTIONS[int(together.argmax())], instead_of)
    found = explain(trained, window, INTEGRATED_GRADIENTS, question)
    gained = question.score(EMOTIONS, together[None])[0] - question.score(EMOTIONS, silent[None])[0]
    assert found.score_difference == pytest.approx(gained, abs=1e-3) and abs(gained) > 0.3
    assert found.relevance.sum() == pytest.approx(gained, rel=0.04)
    assert found.completeness_error == pytest.approx(abs(found.relevance.sum() - gained), abs=1e-3)


@pytest.mark.parametrize("method", [GRAD_CAM, OCCLUSION, INTEGRATED_GRADIENTS, EXPECTED_GRADIENTS, SILENCING])
def test_why_not_another_one_is_the_difference_of_two_maps(model, window, method):
    happy, sad, both = (
        explain(model, window, method, q).relevance
        for q in (HAPPY, AttributionTarget("sad"), AttributionTarget("happy", "sad"))
    )
    np.testing.assert_allclose(both, happy - sad, atol=2e-3 * np.abs(both).max())


@pytest.mark.slow
def test_a_window_of_any_length_has_a_map_of_its_frames(model, window, subtests):
    for method, n_samples in product(ALL, [1, 300, 3200, 40_000]):
        with subtests.test(method=method, n_samples=n_samples):
            found = explain(model, window[:n_samples], method, HAPPY)
            n_bands = 1 if method in (SELF_ATTENTION, SILENCING) else 64
            assert found.relevance.shape == (n_bands, 1 + n_samples // 256) and np.isfinite(found.relevance).all()
            assert found.over_time.shape == (1 + n_samples // 256,) and found.over_frequency.shape == (n_bands,)


# --- which model allows what -----------------------------------------------------------------------------------------


def test_each_model_says_what_it_allows(new_model):
    assert attribution_methods(new_model()) == ALL
    assert SELF_ATTENTION not in attribution_methods(new_model(attention=False))
    assert attribution_methods(new_model(frontend=FrontendConfig(n_mfcc=13))) == (EXPECTED_GRADIENTS, SILENCING)
    assert attribution_methods(build_model("svm-egemaps", EgemapsConfig())) == (SILENCING,)


def test_a_method_that_is_not_allowed_is_refused(new_model, window):
    with pytest.raises(ValueError, match=r"one of: Grad-CAM, Occlusion, .*, Silence\."):
        explain(new_model(attention=False), window, SELF_ATTENTION, HAPPY)


def test_what_is_no_window_or_emotion_is_refused(model, window):
    for waveform, emotion, message in [
        (np.zeros(40_001, np.float32), "happy", "40001 samples.*40000 at most"),
        (np.zeros(0, np.float32), "happy", "at least one sample"),
        (np.zeros(100, np.int16), "happy", "32768"),
        (window, "joy", "'joy'. There are: neutral, calm"),
    ]:
        with pytest.raises(ValueError, match=message):
            explain(model, waveform, GRAD_CAM, AttributionTarget(emotion))


# --- the shared model is left as it was ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ALL)
def test_no_method_leaves_anything_on_the_model(model, window, method):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    logits, waveform = run_windows(model, [window]).logits, window.copy()
    explain(model, waveform, method, HAPPY)
    randomise_parameters(model, 0)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters()) and not model.training
    assert not any(layer._forward_hooks or layer._backward_hooks for layer in model.modules())
    np.testing.assert_array_equal(run_windows(model, [window]).logits, logits)
    np.testing.assert_array_equal(waveform, window)


@pytest.mark.parametrize("method", ALL)
def test_every_method_waits_for_its_turn_and_gives_it_back(model, window, method):
    started = threading.Event()

    def run():
        started.set()
        return explain(model, window, method, HAPPY)

    with ThreadPoolExecutor(1) as pool:
        with inference_queue.turn():
            waiting = pool.submit(run)
            started.wait(5)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        assert waiting.result(timeout=60).relevance.any()
    assert len(inference_queue) == 0


@pytest.mark.parametrize("method", [OCCLUSION, INTEGRATED_GRADIENTS, EXPECTED_GRADIENTS, SILENCING])
def test_progress_grows_to_one(model, window, method):
    shares = []
    explain(model, window, method, HAPPY, shares.append)
    assert len(shares) > 1 and shares == sorted(shares) and shares[-1] == pytest.approx(1)


# --- models that have learned nothing --------------------------------------------------------------------------------


def test_shuffling_moves_weights_and_keeps_their_values(model):
    other, again, third = randomise_parameters(model, 0), randomise_parameters(model, 0), randomise_parameters(model, 1)
    for mine, its, same in zip(model.parameters(), other.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine.flatten().sort().values, its.flatten().sort().values) and torch.equal(its, same)
    moved = [not torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)]
    assert any(moved) and not torch.equal(other.stages[1].enter.conv.weight, third.stages[1].enter.conv.weight)


@pytest.mark.parametrize("method", [GRAD_CAM, OCCLUSION, INTEGRATED_GRADIENTS])
def test_a_model_with_shuffled_weights_gives_another_map(model, window, method):
    mine = explain(model, window, method, HAPPY).relevance
    its = explain(randomise_parameters(model, 0), window, method, HAPPY).relevance
    assert np.abs(mine - its).max() > 0.1 * np.abs(mine).max()


def test_each_shuffle_is_another_one(monkeypatch):
    watcher, seeds = Watcher(), []
    monkeypatch.setattr(sanity, "randomise_parameters", lambda model, seed: seeds.append(seed) or model)
    found = explain(watcher, burst(), OCCLUSION, HAPPY)
    parameter_randomisation_test(watcher, burst(), found, HAPPY)
    assert len(set(seeds)) == len(seeds) == sanity.N_RANDOMISED_MODELS


def test_a_map_that_does_not_depend_on_weights_fails_the_check():
    watcher, shares = Watcher(), []  # its one weight has nowhere else to go
    found = explain(watcher, burst(), OCCLUSION, HAPPY)
    assert parameter_randomisation_test(watcher, burst(), found, HAPPY, shares.append) == pytest.approx(
        [1] * sanity.N_RANDOMISED_MODELS
    )
    assert shares == sorted(shares) and shares[-1] == 1


def test_a_flat_map_has_no_correlation(window):
    found = explain(Watcher(), window, INTEGRATED_GRADIENTS, AttributionTarget("sad"))
    assert not found.relevance.any() and found.completeness_error == 0
    assert np.isnan(parameter_randomisation_test(Watcher(), window, found, AttributionTarget("sad"))).all()


def test_only_networks_can_be_shuffled(model):
    assert model.is_neural and not build_model("svm-egemaps", EgemapsConfig()).is_neural
