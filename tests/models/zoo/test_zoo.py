"""The contract that every model family keeps."""

import copy
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from ser_core.audio.features import FrontendConfig
from ser_core.labels import EMOTIONS
from ser_core.models.base import SERModel
from ser_core.models.registry import MODEL_FAMILIES, build_model
from ser_core.models.zoo.cnn import CNNConfig
from ser_core.models.zoo.resnet import ResNetConfig
from ser_core.models.zoo.resonet import ResoNetConfig
from ser_core.models.zoo.vgg import VGGConfig
from ser_core.training.augment.waveforms import coloured_noise
from tests.fixtures import awake_attention

RESONET = ResoNetConfig(channels=(4, 4, 8, 8), n_heads=2, embedding_dim=8, frontend=FrontendConfig(deltas=1))
MFCC = FrontendConfig(n_mfcc=13, deltas=2)
FINE = FrontendConfig(n_mels=128, more_windows=(1024,))
SMALL = {
    "resonet": ("resonet", RESONET),
    "resonet-mfcc": ("resonet", replace(RESONET, frontend=MFCC)),
    "resonet-fine": ("resonet", replace(RESONET, frontend=FINE, bands_in_one=4)),
    "resonet-no-attention": ("resonet", replace(RESONET, attention=False)),
    "resonet-no-gru": ("resonet", replace(RESONET, recurrent=False)),
    "resonet-no-residual": ("resonet", replace(RESONET, residual_blocks=False)),
    "simple-cnn": ("cnn", CNNConfig(channels=(4, 8), embedding_dim=8)),
    "cnn-lstm": ("cnn", CNNConfig(channels=(4, 8), lstm_units=8, embedding_dim=8)),
    "vgg": ("vgg", VGGConfig(n_convolutions=(1, 2, 1), channels=(4, 8, 8), dense=(8, 8))),
    "vgg-mfcc": ("vgg", VGGConfig(n_convolutions=(1, 2, 1), channels=(4, 8, 8), dense=(8, 8), frontend=MFCC)),
    "resnet": ("resnet", ResNetConfig(n_blocks=(1, 2), channels=(16, 32), stem_channels=16, dense=(32, 16))),
}
"""One small config for each way a network here can be built: name -> family and config."""
LENGTHS = torch.tensor([1, 700, 9000, 20_000, 48_000])


def build(case: str) -> SERModel:
    family, config = SMALL[case]
    return MODEL_FAMILIES[family][0](config)


def used(case: str) -> SERModel:
    """A small model in eval mode whose every weight and running statistic has left its starting value."""
    torch.manual_seed(0)
    with awake_attention():
        model = build(case)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(0.5 * torch.rand_like(buffer))
    return model.eval()


@pytest.fixture(params=SMALL)
def case(request) -> str:
    return request.param


@pytest.fixture
def model(case) -> SERModel:
    return used(case)


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
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=5e-5)


# --- shapes ----------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_shapes(model, batch):
    features = model.frontend(batch, LENGTHS)
    frontend = model.config.frontend
    n_bands = frontend.n_mfcc or frontend.n_mels
    assert features.shape == (5, frontend.n_channels, n_bands, 1 + 48_000 // frontend.hop_length)
    embedding = model.embed(batch, LENGTHS)
    assert embedding.shape == (5, model.config.embedding_dim)
    assert model(batch, LENGTHS).shape == (5, len(EMOTIONS)) and model.config.labels == EMOTIONS
    assert model.sample_rate == 16_000


@torch.inference_mode()
def test_forward_is_the_head_on_the_embedding(model, batch):
    features, n_frames = model.frontend(batch, LENGTHS), model.n_frames(LENGTHS)
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


@torch.inference_mode()
def test_short_clips_and_silence_have_finite_answers(model, subtests):
    for n_samples in [1, 2, 255, 256, 320, 5000]:
        with subtests.test(n_samples=n_samples):
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


def test_the_same_config_builds_the_same_layers(case):
    shapes = [{name: v.shape for name, v in build(case).state_dict().items()} for _ in range(2)]
    assert shapes[0] == shapes[1]


def test_parameters_are_counted_not_typed(model):
    statistics = {name for name, _ in model.named_buffers()}
    trained = [value for name, value in model.state_dict().items() if name not in statistics]
    assert model.n_parameters() == sum(value.numel() for value in trained)


# --- config ----------------------------------------------------------------------------------------------------------


def test_a_config_survives_json(case):
    family, small = SMALL[case]
    for config in (small, MODEL_FAMILIES[family][1]()):
        text = json.dumps(config.to_dict())
        assert MODEL_FAMILIES[family][1].from_dict(json.loads(text)) == config
        hash(config)  # frozen, and no list inside


def test_a_config_with_an_unknown_name_is_refused(case):
    family, config = SMALL[case]
    with pytest.raises(TypeError, match="n_layers"):
        MODEL_FAMILIES[family][1].from_dict(config.to_dict() | {"n_layers": 3})


def test_an_unknown_model_lists_what_exists():
    with pytest.raises(ValueError, match=r"'vgg'.*resonet, .*vgg16"):
        build_model("vgg")


def test_an_ablation_is_the_same_class_without_one_part():
    whole = build_model("resonet")
    for name in ("resonet-no-attention", "resonet-no-gru", "resonet-no-residual"):
        ablation = build_model(name)
        assert type(ablation) is type(whole) and ablation.n_parameters() < whole.n_parameters()
        assert ablation.state_dict().keys() < whole.state_dict().keys()


def test_about_the_published_size(subtests):
    for name, least, most in [
        (
            "resonet",
            1e6,
            4.6e6,
        ),  # published: 4.6 M, most of them in the projection that the average over bands replaces
        ("vgg16", 14.7e6, 15.5e6),  # the convolutions alone: 14.7 M
        ("vgg19", 20.0e6, 20.8e6),  # 20.0 M
        ("resnet101", 42.5e6, 44.1e6),  # 42.5 M
    ]:
        with subtests.test(name=name, least=least, most=most):
            assert least < build_model(name).n_parameters() < most


# --- start weights ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["vgg", "resnet"])
def test_start_weights_replace_the_backbone_and_leave_the_head(case, tmp_path):
    source, file = used(case), tmp_path / "start.safetensors"
    save_file({k: v for k, v in source.state_dict().items() if not k.startswith(("embedding.", "head."))}, file)
    model = type(source).from_pretrained_weights(source.config, str(file))
    for name, value in model.state_dict().items():
        own = name.startswith(("embedding.", "head."))
        if not name.endswith("num_batches_tracked") and value.any():
            assert torch.equal(value, source.state_dict()[name]) is not own, name


def test_the_weights_are_named_as_in_the_usual_image_files():
    vgg, resnet = build_model("vgg16").state_dict(), build_model("resnet101").state_dict()
    assert vgg["features.0.weight"].shape == (64, 3, 3, 3) and vgg["features.41.running_var"].shape == (512,)
    assert resnet["stem.conv.weight"].shape == (64, 3, 7, 7) and resnet["norm.weight"].shape == (2048,)
    assert resnet["stages.2.blocks.22.conv2.weight"].shape == (256, 256, 3, 3)
    assert resnet["stages.3.blocks.0.downsample.conv.weight"].shape == (2048, 1024, 1, 1)


def test_start_weights_that_do_not_fit_are_refused(tmp_path):
    source, file = used("vgg"), tmp_path / "start.safetensors"
    whole = source.state_dict()
    save_file({k: v for k, v in whole.items() if k != "features.4.weight"}, file)
    with pytest.raises(ValueError, match=r"features\.4\.weight .*missing"):
        type(source).from_pretrained_weights(source.config, str(file))
    save_file(whole | {"features.4.weight": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=r"features\.4\.weight .*\(1,\)"):
        type(source).from_pretrained_weights(source.config, str(file))
    file.write_bytes(b"not a file of weights")
    with pytest.raises(ValueError, match="safetensors"):
        type(source).from_pretrained_weights(source.config, str(file))
    with pytest.raises(ValueError, match="safetensors"):
        type(source).from_pretrained_weights(source.config, str(tmp_path / "nothing.safetensors"))


def test_a_family_without_start_weights_says_so():
    with pytest.raises(ValueError, match="CNN"):
        MODEL_FAMILIES["cnn"][0].from_pretrained_weights(SMALL["simple-cnn"][1], "weights.safetensors")


def test_attention_adds_nothing_before_it_has_learned():
    whole = build_model("resonet", RESONET).eval()
    alone = build_model("resonet", replace(RESONET, attention=False)).eval()
    alone.load_state_dict({n: v for n, v in whole.state_dict().items() if not n.startswith(("norm.", "attention."))})
    clip = 0.1 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        close(whole(clip), alone(clip))


def test_resonet_starts_from_a_checkpoint_of_the_same_config(tmp_path):
    config, first = RESONET, used("resonet")
    first.save_weights(tmp_path / first.weights_file)
    again = type(first).from_pretrained_weights(config, str(tmp_path))
    for name, value in again.state_dict().items():
        assert torch.equal(value, first.state_dict()[name].half().to(value)), name
    with pytest.raises(ValueError, match="ResoNet"):
        type(first).from_pretrained_weights(replace(config, embedding_dim=16), str(tmp_path))
    with pytest.raises(ValueError, match="ResoNet"):
        type(first).from_pretrained_weights(config, str(tmp_path / "nowhere"))


@torch.inference_mode()
def test_a_network_predicts_relative_to_the_logits_of_the_reference():
    model, embedding, reference = used("resonet"), torch.randn(3, 8), torch.randn(8)
    expected = model.head(embedding) - 0.5 * model.head(reference)
    torch.testing.assert_close(model.classify(embedding, reference, 0.5), expected)
    torch.testing.assert_close(model.classify(embedding, reference.expand(3, 8), torch.full((3, 1), 0.5)), expected)
    with pytest.raises(ValueError, match="takes no reference"):
        used("vgg").classify(embedding, reference)
