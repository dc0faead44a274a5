"""The contract that every model family keeps."""

import copy
import json

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ser_core.augment import coloured_noise
from ser_core.features import FrontendConfig
from ser_core.labels import EMOTIONS
from ser_core.models import FAMILIES, SERModel, build_model
from ser_core.models.resonet import ResoNetConfig

SMALL = {"resonet": ResoNetConfig(channels=(4, 4, 8, 8), n_heads=2, embedding_dim=8, frontend=FrontendConfig(deltas=1))}
LENGTHS = torch.tensor([1, 700, 9000, 20_000, 48_000])


def used(family: str) -> SERModel:
    """A small model in eval mode whose every weight and running statistic has left its starting value."""
    torch.manual_seed(0)
    model = build_model(family, SMALL[family])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(0.5 * torch.rand_like(buffer))
    return model.eval()


@pytest.fixture(params=FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture
def model(family) -> SERModel:
    return used(family)


@pytest.fixture(scope="module")
def batch() -> Tensor:
    """Five clips of different colour, padded with zeros, shape = (5, 48000)."""
    exponent = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0])
    noise = 0.1 * coloured_noise((5, 48_000), exponent, torch.Generator().manual_seed(0))
    return noise * (torch.arange(48_000) < LENGTHS[:, None])


@pytest.fixture
def alone(model, batch) -> Tensor:
    """The answer to each clip by itself, without padding, shape = (5, n_classes)."""
    with torch.inference_mode():
        return torch.cat([model(clip[None, :n]) for clip, n in zip(batch, LENGTHS, strict=True)])


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


# --- shapes ----------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_shapes(model, batch):
    features = model.frontend(batch, LENGTHS)
    assert features.shape == (5, 2, 64, 1 + 48_000 // 256)
    embedding = model.embed(batch, LENGTHS)
    assert embedding.shape == (5, model.config.embedding_dim)
    assert model(batch, LENGTHS).shape == (5, len(EMOTIONS)) and model.config.labels == EMOTIONS
    assert model.sample_rate == 16_000


@torch.inference_mode()
def test_forward_is_the_head_on_the_embedding(model, batch):
    features, n_frames = model.frontend(batch, LENGTHS), model.logmel.n_frames(LENGTHS)
    close(model.encode(features, n_frames), model.embed(batch, LENGTHS))
    close(model.head(model.embed(batch, LENGTHS)), model(batch, LENGTHS))


def test_the_clips_get_different_answers(alone):
    """Or the comparisons below would say nothing."""
    assert (alone[:, None] - alone[None]).abs().amax(-1).add(torch.eye(5)).min() > 1e-3


# --- no answer depends on the other clips ----------------------------------------------------------------------------


@torch.inference_mode()
def test_padding_changes_no_answer(model, batch, alone):
    close(model(batch, LENGTHS), alone)
    close(model(F.pad(batch, (0, 10_000)), LENGTHS), alone)


@torch.inference_mode()
def test_what_stands_behind_the_end_is_not_heard(model, batch, alone):
    """Behind the last frame of a clip; its last frame looks up to half a window further."""
    n_clean = LENGTHS + model.config.frontend.n_fft
    rubbish = batch + 0.01 * (torch.arange(48_000) >= n_clean[:, None])
    close(model(rubbish, LENGTHS), alone)


@torch.inference_mode()
def test_batch_size_and_order_change_no_answer(model, batch, alone):
    for order in ([4, 2, 0, 3, 1], [3, 0], [2], [1, 1, 1]):
        close(model(batch[order], LENGTHS[order]), alone[order])


@torch.inference_mode()
def test_every_frame_is_heard(model, batch):
    """Also the last ones: a change anywhere changes the answer."""
    clip = batch[4:]
    for position in (0, 24_000, 47_000):
        changed = clip.clone()
        changed[:, position : position + 1000] *= 20
        assert (model(changed) - model(clip)).abs().max() > 1e-3


@pytest.mark.parametrize("n_samples", [1, 2, 255, 256, 320, 5000])
@torch.inference_mode()
def test_short_clips_and_silence_have_finite_answers(model, n_samples):
    for waveform in (torch.full((1, n_samples), 0.5), torch.zeros(1, n_samples)):
        assert model(waveform).isfinite().all()
        assert model(waveform, torch.tensor([n_samples])).isfinite().all()


# --- every layer is built once and trained ---------------------------------------------------------------------------


def test_a_forward_pass_in_eval_mode_changes_nothing(model, batch):
    before = copy.deepcopy(model.state_dict())
    model(batch, LENGTHS)
    assert list(before) == list(model.state_dict())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_training_step_creates_no_layer_and_reaches_every_weight(model, batch):
    names = list(model.state_dict())
    model.train()
    F.cross_entropy(model(batch, LENGTHS), torch.arange(5)).backward()
    assert list(model.state_dict()) == names
    unreached = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not unreached
    assert not [name for name, p in model.named_parameters() if not p.grad.any() and p.ndim > 1]


def test_the_same_config_builds_the_same_layers(family):
    shapes = [{name: v.shape for name, v in build_model(family, SMALL[family]).state_dict().items()} for _ in range(2)]
    assert shapes[0] == shapes[1]


def test_parameters_are_counted_not_typed(model):
    statistics = {name for name, _ in model.named_buffers()}
    trained = [value for name, value in model.state_dict().items() if name not in statistics]
    assert model.n_parameters() == sum(value.numel() for value in trained)


# --- config ----------------------------------------------------------------------------------------------------------


def test_a_config_survives_json(family):
    for config in (SMALL[family], FAMILIES[family][1]()):
        text = json.dumps(config.to_dict())
        assert FAMILIES[family][1].from_dict(json.loads(text)) == config
        hash(config)  # frozen, and no list inside


def test_a_config_with_an_unknown_name_is_refused(family):
    with pytest.raises(TypeError, match="n_layers"):
        FAMILIES[family][1].from_dict(SMALL[family].to_dict() | {"n_layers": 3})


def test_an_unknown_family_lists_what_exists():
    with pytest.raises(ValueError, match=r"'resnet'.*resonet"):
        build_model("resnet")


def test_resonet_has_about_the_published_size():
    """Published: 4.6 M, most of them in the projection that the average over bands replaces."""
    assert 1e6 < build_model("resonet").n_parameters() < 4.6e6
