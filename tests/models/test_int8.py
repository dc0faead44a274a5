"""Linear layers in 8 bits: close to 32 bits, independent rows, exact where gradients or exports need them."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from ser_core.models.zoo import int8
from ser_core.models.zoo.int8 import Int8Linear, project, use_float32, use_int8


@pytest.fixture
def layer(monkeypatch):
    """A layer with its 32-bit twin, as on a processor with the instructions."""
    monkeypatch.setattr(int8, "_has_int8_instructions", lambda: True)
    torch.manual_seed(0)
    linear = nn.Linear(64, 32)
    return Int8Linear.from_linear(linear), linear


@torch.inference_mode()
def test_the_result_is_that_of_32_bits_within_a_percent(layer):
    quantised, exact = layer
    x = torch.randn(5, 7, 64) * torch.tensor([1e-3, 1, 1e3, 1, 0])[:, None, None]
    difference = (quantised(x) - exact(x)).norm(dim=-1)
    assert (difference <= 0.02 * (exact(x) - exact.bias).norm(dim=-1) + 1e-6).all() and difference.max() > 0


@torch.inference_mode()
def test_a_row_depends_on_no_other_row(layer):
    x = torch.randn(9, 64)
    other = torch.cat([x[:4], 1000 * torch.randn(3, 64), x[4:]])
    assert torch.equal(layer[0](x), layer[0](other)[[0, 1, 2, 3, 7, 8, 9, 10, 11]])


def test_gradients_exports_and_request_get_32_bits(layer):
    quantised, exact = layer
    x = torch.randn(3, 64)
    assert torch.equal(quantised(x), exact(x))  # gradients are recorded
    with torch.no_grad():
        assert not torch.equal(quantised(x), exact(x))
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(quantised(x), exact(x))
        use_float32(nn.Sequential(quantised))
        assert torch.equal(quantised(x), exact(x))


@torch.inference_mode()
def test_layers_of_one_input_share_its_rounding_and_are_seen_by_hooks(layer):
    layers, x, seen = [layer[0], deepcopy(layer[0])], torch.randn(2, 3, 64), []
    for one in layers:
        one.register_forward_hook(lambda *_: seen.append(1))  # as count_macs does
    assert all(torch.equal(y, layers[0](x)) for y in project(x, *layers)) and len(seen) == 4
    use_float32(layers[1])
    assert torch.equal(project(x, *layers)[1], layer[1](x))


def test_other_weights_are_rounded_again(layer):
    quantised, exact = layer
    x = torch.randn(3, 64)
    with torch.inference_mode():
        quantised(x)
    shuffled = deepcopy(quantised)
    with torch.no_grad():
        shuffled.weight.neg_()
        torch.testing.assert_close(shuffled(x) - exact.bias, exact.bias - quantised(x))
        quantised.load_state_dict(shuffled.state_dict())
        assert torch.equal(quantised(x), shuffled(x))


def test_only_the_named_layers_change_and_the_weights_keep_their_names():
    module = nn.ModuleDict(
        {"a": nn.Linear(4, 4), "b": nn.ModuleDict({"a": nn.Linear(4, 4, bias=False), "c": nn.Linear(4, 4)})}
    )
    names = list(module.state_dict())
    use_int8(module, ["a"])
    assert [type(layer) for layer in (module["a"], module["b"]["a"], module["b"]["c"])] == [
        Int8Linear,
        Int8Linear,
        nn.Linear,
    ]
    assert list(module.state_dict()) == names


@torch.inference_mode()
def test_a_processor_without_the_instructions_is_told_once(layer, monkeypatch, caplog):
    monkeypatch.undo()
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    int8._has_int8_instructions.cache_clear()
    x = torch.randn(3, 64)
    for _ in range(2):
        assert torch.equal(layer[0](x), layer[1](x))
    assert len(caplog.records) == 1 and "VNNI" in caplog.text
    int8._has_int8_instructions.cache_clear()
