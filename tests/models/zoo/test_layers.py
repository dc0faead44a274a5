"""Layers of the convolutional families: padding stays at zero, start weights fit."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ser_core.models import use_float32
from ser_core.models.zoo.layers import (
    MaskedConv,
    column_mask,
    dense_layers,
    fold_batch_norms,
    halve_lengths,
    load_backbone,
    mean_over_clip,
)

N_FRAMES = torch.tensor([7, 4])


@torch.inference_mode()
def test_padding_stays_at_zero_and_changes_nothing_else():
    torch.manual_seed(0)
    layer, x = MaskedConv(1, 3).eval(), torch.randn(2, 1, 5, 7)
    x = x * column_mask(x, N_FRAMES)
    found = layer(x, column_mask(x, N_FRAMES))
    alone = layer(x[1:, ..., :4], torch.ones(1, 1, 1, 4))
    assert not found[1, ..., 4:].any()
    torch.testing.assert_close(found[1, ..., :4], alone[0])


def test_mean_is_over_the_columns_of_the_clip():
    x = torch.ones(2, 3, 5, 7) * column_mask(torch.ones(2, 1, 1, 7), N_FRAMES)
    torch.testing.assert_close(mean_over_clip(x, N_FRAMES), torch.ones(2, 3))


def test_odd_lengths_are_rounded_up():
    assert halve_lengths(N_FRAMES).tolist() == [4, 2]


def test_dense_layers_end_without_dropout():
    layers = dense_layers((8, 4, 2), dropout=0.5)
    assert [type(layer) for layer in layers] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU]


def test_start_weights_are_loaded_but_for_the_head(tmp_path):
    model, start = (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3)) for _ in range(2))
    head = model[1].weight.clone()
    save_file(start.state_dict(), tmp_path / "start.safetensors")
    load_backbone(model, str(tmp_path / "start.safetensors"), ("1.",))
    assert torch.equal(model[0].weight, start[0].weight) and torch.equal(model[1].weight, head)


def test_start_weights_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "start.safetensors"
    with pytest.raises(ValueError, match="cannot be read"):
        load_backbone(nn.Linear(2, 2), str(path), ())
    save_file({"weight": torch.zeros(3, 2)}, path)
    with pytest.raises(ValueError, match=r"weight is \(3, 2\), not \(2, 2\)"):
        load_backbone(nn.Linear(2, 2), str(path), ())
    save_file({"weight": torch.zeros(2, 2)}, path)
    with pytest.raises(ValueError, match="bias is missing"):
        load_backbone(nn.Linear(2, 2), str(path), ())


def test_a_folded_norm_gives_the_same_until_the_layer_is_trained():
    torch.manual_seed(0)
    layer, x, mask = MaskedConv(2, 3), torch.randn(4, 2, 5, 7), torch.ones(4, 1, 1, 7)
    layer(x, mask)  # running statistics
    layer.eval()
    use_float32(layer)
    with torch.no_grad():
        expected = layer(x, mask)
        fold_batch_norms(layer)
        assert layer.conv.is_folded
        torch.testing.assert_close(layer(x, mask), expected)
        torch.testing.assert_close(layer.double()(x.double(), mask).float(), expected)
    assert not layer.conv.is_folded and layer(x.double(), mask).requires_grad  # with gradients, two layers
    assert set(layer.state_dict()) == set(MaskedConv(2, 3).state_dict())
    assert layer.train().conv.folded is None
