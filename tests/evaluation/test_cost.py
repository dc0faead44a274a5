"""Counted costs against numbers worked out by hand and against PyTorch's own counter."""

from itertools import pairwise, product

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.flop_counter import FlopCounterMode

from ser_core import paths
from ser_core.evaluation import cost as cost_module
from ser_core.evaluation.cost import (
    count_macs,
    latency_ms,
    measure_cost,
    median_ms,
    single_torch_thread,
    weights_size_mb,
)
from ser_core.models.checkpoint import Calibration, load_model, save_model

N_STEPS, WIDTH = 7, 8


def macs(module: nn.Module, *inputs, **options) -> int:
    return count_macs(module, torch.inference_mode()(lambda: module.eval()(*inputs, **options)))


def test_layers_by_hand(subtests):
    for layer, shape, expected in [
        (nn.Linear(5, 3), (2, 4, 5), 2 * 4 * 5 * 3),
        (nn.Conv1d(4, 6, 3, stride=2), (1, 4, 11), 6 * 5 * 4 * 3),
        (nn.Conv2d(2, 3, (3, 5), padding=(1, 2)), (2, 2, 4, 6), 2 * 3 * 4 * 6 * 2 * 3 * 5),
        (nn.Conv2d(4, 4, 3, groups=4), (1, 4, 5, 5), 4 * 3 * 3 * 9),
        (nn.GRU(5, 3, batch_first=True), (2, N_STEPS, 5), 2 * N_STEPS * 3 * (5 * 3 + 3 * 3)),
        (nn.LSTM(5, 3), (N_STEPS, 2, 5), 2 * N_STEPS * 4 * (5 * 3 + 3 * 3)),
        (
            nn.GRU(5, 3, num_layers=2, bidirectional=True),
            (N_STEPS, 1, 5),
            N_STEPS * 2 * 3 * ((5 * 3 + 3 * 3) + (6 * 3 + 3 * 3)),
        ),
        (nn.Sequential(nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2)), (1, 4, 8), 0),
    ]:
        with subtests.test(layer=layer):
            assert macs(layer, torch.randn(shape)) == expected


def test_the_padding_of_a_packed_batch_is_not_counted():
    packed = pack_padded_sequence(torch.randn(2, N_STEPS, 5), torch.tensor([N_STEPS, 2]), batch_first=True)
    assert macs(nn.GRU(5, 3, batch_first=True), packed) == (N_STEPS + 2) * 3 * (5 * 3 + 3 * 3)


def test_attention_has_four_projections_and_two_products_on_every_path(subtests):
    for padded, need_weights, batch_first in product([False, True], [False, True], [False, True]):
        with subtests.test(padded=padded, need_weights=need_weights, batch_first=batch_first):
            x = torch.randn((2, N_STEPS, WIDTH) if batch_first else (N_STEPS, 2, WIDTH))
            padding = torch.zeros(2, N_STEPS, dtype=torch.bool) if padded else None
            layer = nn.MultiheadAttention(WIDTH, 2, batch_first=batch_first)
            found = macs(layer, x, x, value=x, key_padding_mask=padding, need_weights=need_weights)
            assert found == 2 * (4 * N_STEPS * WIDTH * WIDTH + 2 * N_STEPS * N_STEPS * WIDTH)


def test_attention_over_another_sequence():
    layer = nn.MultiheadAttention(WIDTH, 2, kdim=5, vdim=3, batch_first=True)
    query, key, value = torch.randn(1, 2, WIDTH), torch.randn(1, N_STEPS, 5), torch.randn(1, N_STEPS, 3)
    projections = 2 * 2 * WIDTH * WIDTH + N_STEPS * (5 + 3) * WIDTH
    assert macs(layer, query, key, value) == projections + 2 * 2 * N_STEPS * WIDTH


def test_as_pytorch_counts_convolutions_and_linear_layers():
    network = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2, padding=1), nn.Flatten(2)),
        *(nn.Conv1d(8, 4, 5, dilation=2), nn.Linear(80, 6)),
    )
    x = torch.randn(3, 1, 17, 23)
    with FlopCounterMode(display=False) as counter:
        network(x)
    assert macs(network, x) == counter.get_total_flops() // 2 > 0


def test_transformers_attention_by_hand():
    transformers = pytest.importorskip("transformers")
    config = transformers.Wav2Vec2Config(hidden_size=WIDTH, num_attention_heads=2)
    attention = transformers.models.wav2vec2.modeling_wav2vec2.Wav2Vec2Attention(WIDTH, 2, config=config)
    expected = 4 * N_STEPS * WIDTH * WIDTH + 2 * N_STEPS * N_STEPS * WIDTH
    assert macs(attention, torch.randn(1, N_STEPS, WIDTH)) == expected
    assert macs(attention, hidden_states=torch.randn(1, N_STEPS, WIDTH)) == expected


def test_cost_of_a_whole_model(new_model, tmp_path):
    model = new_model()
    save_model(model, tmp_path / "small", "resonet", Calibration(), {})
    found = measure_cost(model, tmp_path / "small")
    assert found.n_parameters == model.n_parameters()
    assert found.size_mb == (tmp_path / "small" / "model.safetensors").stat().st_size / 1e6
    assert found.latency_ms > 0
    assert not any(module._forward_hooks for module in model.modules())


def test_the_size_of_a_fusion_is_that_of_all_files_it_needs():
    parts = ("whisper-prosonet", "whisper", "prosonet", "encoders/whisper-base")
    expected = sum((paths.CHECKPOINTS / part / "model.safetensors").stat().st_size for part in parts)
    model = load_model("whisper-prosonet", "cpu")
    assert weights_size_mb(model, paths.CHECKPOINTS / "whisper-prosonet") == expected / 1e6


def test_macs_of_resonet_by_hand(new_model):
    channels, frames, bands, total = (1, 4, 4, 8, 8), 1 + 48_000 // 256, 64, 0
    for i, (n_in, n_out) in enumerate(pairwise(channels)):
        bands, frames = bands // 2, frames if i == 3 else -(-frames // 2)
        total += bands * frames * 9 * n_out * (n_in + 2 * n_out)
    total += frames * 2 * 3 * (8 * 4 + 4 * 4)  # GRU
    total += 4 * frames * 8 * 8 + 2 * frames**2 * 8  # attention
    total += 16 * 8 + 8 * 8  # embedding and head
    assert measure_cost(new_model()).macs_per_3_s_clip == total


def test_a_model_without_a_network_has_no_macs(new_model, monkeypatch):
    model = new_model()
    monkeypatch.setattr(model, "n_parameters", lambda: 0)
    found = measure_cost(model)
    assert (found.n_parameters, found.macs_per_3_s_clip, found.size_mb) == (None, None, None)


def test_latency_is_of_one_thread_and_leaves_the_threads_as_they_were(new_model, monkeypatch):
    model, seen, before = new_model(), [], torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(cost_module, "_run_clip", lambda model: seen.append(torch.get_num_threads()))
    latency_ms(model)
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert set(seen) == {1} and after == 2


def test_threads_come_back_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), single_torch_thread():
        raise KeyError
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("n_runs", "budget_s", "expected"), [(10, 60.0, 10), (10, 0.0, 3), (1, 0.0, 1)])
def test_slow_models_are_timed_less_often(monkeypatch, n_runs, budget_s, expected):
    monkeypatch.setattr(cost_module, "LATENCY_BUDGET_S", budget_s)
    calls = []
    median_ms(lambda: calls.append(None), n_runs)
    assert len(calls) == expected + 1


def test_a_model_in_training_mode_is_refused(new_model):
    with pytest.raises(ValueError, match="eval"):
        measure_cost(new_model().train())


def test_a_folder_without_weights_is_named(new_model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        measure_cost(new_model(), tmp_path)
