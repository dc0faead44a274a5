"""Whisper's encoder: the front end, start weights, shared encoders, and references."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from scripts import prepare_encoder
from ser_core import paths
from ser_core.models.checkpoint import Calibration, load_model, save_model
from ser_core.models.hub import export_hub
from ser_core.models.names import CheckpointError
from ser_core.models.zoo.whisper.config import WhisperConfig
from ser_core.models.zoo.whisper.encoder import WHISPER_BASE, read_whisper_encoder, save_whisper_encoder
from ser_core.models.zoo.whisper.model import Whisper
from ser_core.models.zoo.whisper.pooling import head_input, mean_and_deviation

TINY = WHISPER_BASE | {"d_model": 16, "encoder_layers": 3, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}
CONFIG = WhisperConfig(encoder="", backbone=TINY, layers=(1, 2), embedding_dim=12)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """What `save_pretrained` leaves of a complete model."""
    import transformers

    torch.manual_seed(0)
    decoder = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 32}
    folder = tmp_path_factory.mktemp("start")
    transformers.WhisperModel(transformers.WhisperConfig(**TINY | decoder)).save_pretrained(folder)
    return folder


@pytest.fixture
def encoders(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(paths, "ENCODERS", tmp_path / "encoders")
    return tmp_path / "encoders"


def sound(n_samples: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(n_samples)).astype(np.float32)


def test_front_end_equals_the_published_one_at_full_length():
    from transformers import WhisperFeatureExtractor

    waveform = sound(30 * 16_000)
    features = Whisper(CONFIG).frontend(torch.from_numpy(waveform)[None])
    published = WhisperFeatureExtractor()(waveform, sampling_rate=16_000, return_tensors="np").input_features
    np.testing.assert_allclose(features.numpy(), published, atol=1e-4)


@torch.inference_mode()
def test_full_length_clip_gives_the_hidden_states_of_the_published_encoder(start):
    import transformers

    published = transformers.WhisperModel.from_pretrained(start).encoder.eval()
    model = Whisper.from_pretrained_weights(CONFIG, str(start)).eval()
    features = model.frontend(torch.from_numpy(sound(30 * 16_000))[None])
    hidden = published(features, output_hidden_states=True).hidden_states
    expected = torch.stack([torch.stack([h.mean(1), h.std(1, correction=0)], 1) for h in hidden[1:3]], 1)
    torch.testing.assert_close(
        model.statistics(features), expected, atol=2e-3, rtol=1e-3
    )  # the last frame sees silence


def test_mean_and_deviation_ignore_padding():
    frames = torch.tensor([[[1.0], [3.0], [100.0]]])
    found = mean_and_deviation(frames, torch.tensor([[True, True, False]]))
    assert found.flatten().tolist() == pytest.approx([2.0, 1.0])


def test_head_input_is_relative_to_the_reference_only_where_used():
    embedding, reference = torch.tensor([[1.0, 2.0], [1.0, 2.0]]), torch.tensor([0.5, 0.5])
    assert head_input(embedding, None, 1.0).tolist() == [[1, 2, 0, 0, 0]] * 2
    used = torch.tensor([[0.0], [1.0]])
    assert head_input(embedding, reference, used).tolist() == [[1, 2, 0, 0, 0], [0, 0, 0.5, 1.5, 1]]


@torch.inference_mode()
def test_reference_changes_the_logits():
    model = Whisper(CONFIG).eval()
    embedding = torch.randn(2, 12)
    assert not torch.allclose(model.classify(embedding), model.classify(embedding, torch.zeros(12)))
    torch.testing.assert_close(model.head(embedding), model.classify(embedding))


@torch.inference_mode()
def test_a_light_reference_lies_between_none_and_a_full_one():
    model, reference = Whisper(CONFIG).eval(), torch.randn(12)
    embedding = torch.randn(2, 12)
    alone, full = model.classify(embedding), model.classify(embedding, reference)
    torch.testing.assert_close(model.classify(embedding, reference, 0.25), 0.75 * alone + 0.25 * full)
    each = model.classify(embedding, reference, torch.tensor([[0.0], [1.0]]))
    torch.testing.assert_close(each, torch.stack([alone[0], full[1]]))


def test_checkpoint_on_a_shared_encoder_leaves_its_weights_out(start, encoders, tmp_path):
    assert prepare_encoder.main([str(start), "--layers", "2", "--name", "tiny"]) == 0
    shared = Whisper(replace(CONFIG, encoder="tiny")).eval()
    save_model(shared, tmp_path / "small", "whisper", Calibration(), {})
    assert {name.split(".")[0] for name in load_file(tmp_path / "small" / "model.safetensors")} == {
        "projection",
        "classifier",
    }
    loaded, waveform = load_model(tmp_path / "small", "cpu"), torch.from_numpy(sound(8000))[None]
    torch.testing.assert_close(loaded(waveform), shared(waveform), atol=2e-3, rtol=1e-2)  # half precision


def test_checkpoint_with_a_missing_encoder_names_the_cure(start, encoders, tmp_path):
    save_whisper_encoder(str(start), 2, encoders / "tiny")
    save_model(Whisper(replace(CONFIG, encoder="tiny")), tmp_path / "small", "whisper", Calibration(), {})
    shutil.rmtree(encoders)
    with pytest.raises(CheckpointError, match="prepare_encoder"):
        load_model(tmp_path / "small", "cpu")


def test_start_of_another_kind_is_refused(start, tmp_path):
    with pytest.raises(ValueError, match="prepare_encoder"):
        read_whisper_encoder(str(tmp_path / "nowhere"), 2)
    with pytest.raises(ValueError, match="layers"):
        read_whisper_encoder(str(start), 9)
    weights, values = load_file(start / "model.safetensors"), json.loads((start / "config.json").read_text())
    cases = {
        "decoder only": ({k: v for k, v in weights.items() if "decoder" in k}, values, "missing"),
        "another size": (weights, values | {"d_model": 32}, "does not fit"),
        "another kind": (weights, values | {"model_type": "bert"}, "bert"),
    }
    for name, (kept, config, word) in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        save_file(kept, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(ValueError, match=word):
            read_whisper_encoder(str(folder), 2)
    (tmp_path / "another size" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="prepare_encoder"):
        read_whisper_encoder(str(tmp_path / "another size"), 2)


def test_config_that_the_encoder_cannot_serve_is_refused():
    for changes in ({"window_s": 31.0}, {"layers": (4,)}, {"layers": ()}, {"layers": (0, 1)}):
        with pytest.raises(ValueError, match="encoder"):
            Whisper(replace(CONFIG, **changes))


def test_a_clip_longer_than_the_positions_of_the_encoder_names_the_limit():
    model = Whisper(CONFIG).eval()
    with pytest.raises(ValueError, match=r"31 s is too long: .* 30 s at most"):
        model(torch.from_numpy(sound(31 * 16_000))[None])


def test_hub_export_holds_the_encoder(start, encoders, tmp_path):
    save_whisper_encoder(str(start), 2, encoders / "tiny")
    shared = Whisper(replace(CONFIG, encoder="tiny")).eval()
    calibration = Calibration(1.2, reference_gain=1.7, reference_min_confidence=0.45)
    save_model(shared, tmp_path / "small", "whisper", calibration, {})
    export_hub(tmp_path / "small", tmp_path / "hub")
    shutil.rmtree(encoders)
    exported, waveform = load_model(tmp_path / "hub", "cpu"), torch.from_numpy(sound(8000))[None]
    assert exported.calibration == calibration
    assert "multiplied\nby 1.7 to the power" in (tmp_path / "hub" / "README.md").read_text()
    torch.testing.assert_close(exported(waveform), shared(waveform), atol=2e-3, rtol=1e-2)  # half precision


@torch.inference_mode()
def test_clip_in_a_batch_ends_in_the_silence_that_it_ends_in_alone():
    torch.manual_seed(0)
    model = Whisper(CONFIG).eval()
    model.encoder.conv1.weight.mul_(30), model.encoder.conv2.weight.mul_(30)  # random ones hardly see the last frame
    n_samples = torch.tensor([1600, 9120, 16_000])
    waveform = torch.from_numpy(sound(16_000)) * (torch.arange(16_000) < n_samples[:, None])
    together = model.statistics(model.frontend(waveform, n_samples), model.n_frames(n_samples))
    alone = [model.statistics(model.frontend(clip[None, :n])) for clip, n in zip(waveform, n_samples, strict=True)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-4)
