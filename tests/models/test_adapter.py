"""A person's adapter: better on that person, near the model with few clips, told honestly, refused where it must be."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save
from safetensors.torch import save as save_torch

from ser_core.inference.prediction.predict import predict
from ser_core.labels import EMOTIONS
from ser_core.models.adapter import (
    MAX_ADAPTATION_CLIPS,
    MIN_ADAPTATION_CLIPS,
    Adapter,
    AdapterError,
    apply_adapter,
    fit_adapter,
    last_layer,
)
from ser_core.models.possible import limit_emotions
from ser_core.models.zoo.egemaps.classifier import EgemapsClassifier, EgemapsConfig

CHOSEN = ("happy", "sad", "angry")


@pytest.fixture(scope="module")
def model(new_model):
    model = new_model(seed=3)
    model.name, model.version = "small", "abc"
    return model


def clips(n_each: int, seed: int = 0, spread: float = 0.3) -> tuple[np.ndarray, list[str]]:
    """A person whose three emotions lie apart, elsewhere than the model expects them."""
    rng = np.random.default_rng(seed)
    centres = 2 * np.random.default_rng(7).normal(size=(3, 8))
    x = np.repeat(centres, n_each, 0) + spread * rng.normal(size=(3 * n_each, 8))
    return x.astype(np.float32), [emotion for emotion in CHOSEN for _ in range(n_each)]


def answers(model, x: np.ndarray) -> list[str]:
    with torch.inference_mode():
        return [EMOTIONS[k] for k in model.head(torch.from_numpy(x)).argmax(1)]


@pytest.mark.slow
def test_it_learns_a_person_and_says_by_how_much(model):
    x, emotions = clips(8)
    adapter = fit_adapter(model, x, emotions)
    assert adapter.accuracy_before == np.mean([a == e for a, e in zip(answers(model, x), emotions, strict=True)])
    assert adapter.accuracy > 0.9 > adapter.accuracy_before and adapter.n_clips == 24
    new, meant = clips(20, seed=1)
    assert np.mean([a == e for a, e in zip(answers(apply_adapter(model, adapter), new), meant, strict=True)]) > 0.9


@pytest.mark.slow
def test_labels_without_sense_are_not_told_as_a_success(model):
    rng = np.random.default_rng(0)
    found = [fit_adapter(model, rng.normal(size=(12, 8)), [*rng.permutation(CHOSEN * 4)]).accuracy for _ in range(8)]
    assert np.mean(found) < 0.4  # nothing was chosen by it: one third is chance


def test_what_is_told_is_the_answer_to_each_clip_by_those_who_never_saw_it(model):
    x, emotions = clips(3, spread=3.0)
    told = [
        answers(apply_adapter(model, fit_adapter(model, np.delete(x, i, 0), emotions[:i] + emotions[i + 1 :])), x[[i]])
        for i in range(len(x))
    ]
    right = [answer == [emotion] for answer, emotion in zip(told, emotions, strict=True)]
    assert fit_adapter(model, x, emotions).accuracy == np.mean(right) > 0
    order = np.argsort(right)  # the last clip counts too
    assert fit_adapter(model, x[order], [emotions[i] for i in order]).accuracy == np.mean(right)


def test_the_scale_of_an_embedding_changes_no_correction(model):
    """The penalty is on embeddings of unit power, whatever that of the model is."""
    (x, emotions), larger = clips(4), copy.deepcopy(model)
    with torch.no_grad():
        last_layer(larger).weight.div_(10)
    found, expected = fit_adapter(larger, 10 * x, emotions), fit_adapter(model, x, emotions)
    np.testing.assert_allclose(10 * found.weight, expected.weight, rtol=1e-3, atol=1e-4)


def test_the_model_itself_stays_as_it_was(model, speech):
    before = predict(model, speech)
    adapter = fit_adapter(model, *clips(4))
    other = apply_adapter(model, adapter)
    assert predict(model, speech) == before and last_layer(model) is not last_layer(other)
    torch.testing.assert_close(last_layer(other).weight, last_layer(model).weight + torch.from_numpy(adapter.weight))
    assert predict(other, speech).probabilities != before.probabilities
    assert other.stages is model.stages  # nothing else is copied


def test_more_penalty_stays_nearer_to_the_model(model, monkeypatch):
    sizes = []
    for penalty in (0.03, 3.0):
        monkeypatch.setattr("ser_core.models.adapter.ADAPTER_L2_PENALTY", penalty)
        sizes.append(np.abs(fit_adapter(model, *clips(3)).weight).sum())
    assert sizes[1] < 0.5 * sizes[0]


def test_the_correction_is_where_the_penalty_balances_the_errors(model):
    """With a penalty of a half it is the sum of the errors, for the weights times embeddings of unit power."""
    x, emotions = clips(4, spread=2.0)
    adapter = fit_adapter(model, x, emotions)
    with torch.inference_mode():
        probabilities = apply_adapter(model, adapter).head(torch.from_numpy(x)).softmax(1).numpy()
    errors = np.eye(8)[[EMOTIONS.index(emotion) for emotion in emotions]] - probabilities
    scale = np.sqrt(np.square(x).sum(1).mean())
    np.testing.assert_allclose(adapter.bias, errors.sum(0), atol=0.02)
    np.testing.assert_allclose(scale * adapter.weight, errors.T @ x / scale, atol=0.02)


def test_what_is_saved_comes_back(model):
    adapter = fit_adapter(model, *clips(3))
    found = Adapter.from_bytes(adapter.to_bytes())
    np.testing.assert_array_equal(found.weight, adapter.weight)
    assert replace(found, weight=None, bias=None).__dict__ == replace(adapter, weight=None, bias=None).__dict__


FOREIGN = save({"weight": np.zeros((8, 8), np.float32), "bias": np.zeros(8, np.float32)})


@pytest.mark.parametrize("content", [b"", b"no tensors", FOREIGN, FOREIGN[:-1]])
def test_a_file_of_something_else_is_refused(content):
    with pytest.raises(AdapterError, match="not an adapter"):
        Adapter.from_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        {"bias": np.zeros(3, np.float32)},
        {"weight": np.full((8, 8), np.nan, np.float32)},
        {"weight": np.full((8, 8), 1e300)},
        {"accuracy": float("nan")},
        {"accuracy_before": 7.0},
        {"n_clips": -3},
    ],
)
def test_numbers_that_cannot_be_are_refused(model, damage):
    damaged = replace(fit_adapter(model, *clips(3)), **damage).to_bytes()
    with pytest.raises(AdapterError, match="damaged"):
        Adapter.from_bytes(damaged)


def test_a_kind_of_number_that_numpy_does_not_know_is_refused():
    tensors = {"weight": torch.zeros(8, 8).to(torch.float8_e4m3fn), "bias": torch.zeros(8)}
    with pytest.raises(AdapterError, match="not an adapter"):
        Adapter.from_bytes(save_torch(tensors, {}))


@pytest.mark.parametrize("shape", [(8, 3), (1, 8), (3, 8)])
def test_a_layer_of_another_size_is_refused(model, shape):
    weight, bias = np.zeros(shape, np.float32), np.zeros(shape[0], np.float32)
    with pytest.raises(AdapterError, match="last layer"):
        apply_adapter(model, replace(fit_adapter(model, *clips(3)), weight=weight, bias=bias))


@pytest.mark.parametrize(
    "n_clips, emotions, message",
    [
        (MIN_ADAPTATION_CLIPS - 1, ["sad", "angry"], f"{MIN_ADAPTATION_CLIPS - 1};.*{MIN_ADAPTATION_CLIPS}"),
        (MAX_ADAPTATION_CLIPS + 1, ["sad", "angry"], f"{MAX_ADAPTATION_CLIPS + 1};.*{MAX_ADAPTATION_CLIPS}"),
        (4, ["sad"], "sad"),
        (4, ["sad", "joy"], "'joy'.*small has: neutral, calm"),
    ],
)
def test_clips_that_cannot_teach_are_refused(model, n_clips, emotions, message):
    with pytest.raises(AdapterError, match=message):
        fit_adapter(model, np.zeros((n_clips, 8)), (emotions * n_clips)[:n_clips])


def test_embeddings_that_do_not_belong_to_their_labels_or_model_are_refused(model):
    x, emotions = clips(3)
    for embeddings, message in (
        (x[:-1], "8 clips with 9 labels"),
        (x[:, :-1], "not \\(9, 7\\)"),
        (x * np.nan, "finite"),
    ):
        with pytest.raises(AdapterError, match=message):
            fit_adapter(model, embeddings, emotions)


def test_another_model_or_version_is_refused(model, new_model):
    adapter = fit_adapter(model, *clips(3))
    other = new_model(seed=3)
    other.name, other.version = "small", "def"
    with pytest.raises(AdapterError, match=r"abc.*small .*def"):
        apply_adapter(other, adapter)


def test_a_limited_model_is_refused_as_the_correction_would_have_no_effect(model, speech):
    adapter = fit_adapter(model, *clips(3))
    with pytest.raises(AdapterError, match="from load_model, then limit_emotions"):
        apply_adapter(limit_emotions(model, CHOSEN), adapter)
    adapted = limit_emotions(apply_adapter(model, adapter), CHOSEN)
    assert predict(adapted, speech).probabilities != predict(limit_emotions(model, CHOSEN), speech).probabilities


def test_a_model_without_a_last_layer_says_so():
    with pytest.raises(AdapterError, match="last layer"):
        last_layer(EgemapsClassifier(EgemapsConfig()))
