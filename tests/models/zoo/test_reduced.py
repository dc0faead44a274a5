"""Layers in fewer bits: close to 32 bits, independent rows, exact where gradients or exports need them."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from ser_core.models.registry import build_model
from ser_core.models.zoo import reduced
from ser_core.models.zoo.layers import FoldableConv, MaskedConv, fold_batch_norms
from ser_core.models.zoo.reduced import BF16, INT8, Bf16Conv1d, Bf16Linear, Int8Linear, project, use_float32


@pytest.fixture(autouse=True)
def a_processor_with_the_instructions(monkeypatch):
    monkeypatch.setattr(reduced, "missing_instructions", frozenset)


def twins(reduced_class, exact_class, *sizes):
    """A layer that rounds, and one that does not, with the same weights."""
    torch.manual_seed(0)
    layer, exact = reduced_class(*sizes), exact_class(*sizes)
    exact.load_state_dict(layer.state_dict())
    return layer, exact


@pytest.fixture
def layer():
    return twins(Int8Linear, nn.Linear, 64, 32)


PAIRS = pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ((Int8Linear, nn.Linear, 64, 32), (3, 64)),
        ((Bf16Linear, nn.Linear, 64, 32), (3, 64)),
        ((Bf16Conv1d, nn.Conv1d, 64, 32, 3), (2, 64, 9)),
    ],
    ids=["int8", "bf16", "convolution"],
)


@torch.inference_mode()
def test_the_result_is_that_of_32_bits_within_two_percent(layer):
    quantised, exact = layer
    x = torch.randn(5, 7, 64) * torch.tensor([1e-3, 1, 1e3, 1, 0])[:, None, None]
    difference = (quantised(x) - exact(x)).norm(dim=-1)
    assert (difference <= 0.02 * (exact(x) - exact.bias).norm(dim=-1) + 1e-6).all() and difference.max() > 0


@torch.inference_mode()
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_bfloat16_is_closer(scale):
    for reduced_class, exact_class, sizes, shape in (
        (Bf16Linear, nn.Linear, (64, 32), (5, 64)),
        (Bf16Conv1d, nn.Conv1d, (64, 32, 3), (2, 64, 9)),
    ):
        rounded, exact = twins(reduced_class, exact_class, *sizes)
        x = scale * torch.randn(shape)
        assert rounded(x).dtype == torch.bfloat16
        assert 0 < (rounded(x) - exact(x)).norm() <= 0.005 * exact(x).norm()


@torch.inference_mode()
def test_a_row_depends_on_no_other_row(layer):
    x = torch.randn(9, 64)
    other = torch.cat([x[:4], 1000 * torch.randn(3, 64), x[4:]])
    assert torch.equal(layer[0](x), layer[0](other)[[0, 1, 2, 3, 7, 8, 9, 10, 11]])


@PAIRS
def test_gradients_autocast_and_request_get_32_bits(layers, shape):
    quantised, exact = twins(*layers)
    x = torch.randn(shape)
    assert torch.equal(quantised(x), exact(x))  # gradients are recorded
    with torch.no_grad():
        assert not torch.equal(quantised(x), exact(x))
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(quantised(x), exact(x))
        assert torch.equal(quantised.double()(x.double()), exact.double()(x.double()))
        use_float32(nn.Sequential(quantised.float()))
        assert torch.equal(quantised(x), exact.float()(x))


@torch.inference_mode()
def test_layers_of_one_input_share_its_rounding_and_are_seen_by_hooks(layer):
    layers, x, seen = [layer[0], deepcopy(layer[0])], torch.randn(2, 3, 64), []
    for one in layers:
        one.register_forward_hook(lambda *_: seen.append(1))  # as count_macs does
    assert all(torch.equal(y, layers[0](x)) for y in project(x, *layers)) and len(seen) == 4
    use_float32(layers[1])
    assert torch.equal(project(x, *layers)[1], layer[1](x))


@PAIRS
def test_other_weights_are_rounded_again(layers, shape):
    quantised, _ = twins(*layers)
    x = torch.randn(shape)
    with torch.no_grad():
        before = quantised(x)
        shuffled = deepcopy(quantised)
        for values in shuffled.parameters():
            values.neg_()
        torch.testing.assert_close(shuffled(x), -before)
        quantised.load_state_dict(shuffled.state_dict())
        assert torch.equal(quantised(x), shuffled(x))


@torch.no_grad()
def test_a_folded_norm_is_rounded_too_and_again_when_it_is_folded_again():
    torch.manual_seed(0)
    layer, x = MaskedConv(2, 3), torch.randn(4, 2, 5, 7)
    layer(x, None)  # running statistics
    exact = layer.eval()(x, None)
    fold_batch_norms(layer)
    assert layer(x, None).dtype == torch.bfloat16
    torch.testing.assert_close(layer(x, None).float(), exact, rtol=0.02, atol=0.02)
    assert torch.equal(layer(x.bfloat16(), None), layer(x, None))
    layer.norm.bias += 1
    fold_batch_norms(layer)
    torch.testing.assert_close(layer(x, None).float(), exact + 1, rtol=0.02, atol=0.02)
    use_float32(layer)
    torch.testing.assert_close(layer(x.bfloat16().float(), None), layer(x.bfloat16(), None))
    torch.testing.assert_close(layer(x, None), exact + 1)


@torch.no_grad()
@pytest.mark.parametrize("width", range(1, 8))
def test_the_narrowest_inputs_give_the_result_of_32_bits(width):
    torch.manual_seed(0)
    layer, x = MaskedConv(32, 64, (2, 2)).eval(), torch.randn(2, 32, 16, width)
    exact = layer(x, None)
    fold_batch_norms(layer)
    torch.full((1 << 18,), torch.nan)  # what is left in memory
    torch.testing.assert_close(layer(x, None).float(), exact, rtol=0.02, atol=0.02)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("vnni", "bf16", "missing"), [(True, True, set()), (False, True, {INT8}), (False, False, {INT8, BF16})]
)
def test_a_processor_without_the_instructions_is_told_once(monkeypatch, caplog, vnni, bf16, missing):
    monkeypatch.undo()
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: vnni)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    reduced.missing_instructions.cache_clear()
    x = torch.randn(3, 64)
    for reduced_class, lacks in ((Int8Linear, INT8 in missing), (Bf16Linear, BF16 in missing)):
        rounded, exact = twins(reduced_class, nn.Linear, 64, 32)
        assert torch.equal(rounded(x), exact(x)) == lacks
    assert len(caplog.records) == bool(missing) and all(name in caplog.text for name in missing)
    reduced.missing_instructions.cache_clear()


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "rounds"),
    [("prosonet", True), ("resonet-no-gru", True), ("resonet-no-residual", False), ("cnn-lstm", False)],
)
def test_only_convolutions_with_a_path_around_them_are_rounded(name, rounds):
    model = build_model(name).eval()
    fold_batch_norms(model)
    convolutions = [layer for layer in model.modules() if isinstance(layer, FoldableConv)]
    assert {layer.rounds(torch.zeros(1, 1, 1, 9)) for layer in convolutions} == {rounds}
