"""Tuned layers of a shared encoder: the cache of frames, training, resuming, and checkpoints that hold the update."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ser_core import paths
from ser_core.data.audio_store.reading import AudioStore
from ser_core.labels import EMOTIONS
from ser_core.models.calibration import Calibration
from ser_core.models.checkpoint import load_model, save_model
from ser_core.models.names import CheckpointError
from ser_core.models.zoo.whisper.config import WhisperConfig
from ser_core.models.zoo.whisper.encoder import WHISPER_BASE
from ser_core.models.zoo.whisper.layers import WhisperEncoder
from ser_core.models.zoo.whisper.model import Whisper
from ser_core.training.config import TrainingError, TrainingExample
from ser_core.training.frozen.cache import StatisticsCache
from ser_core.training.frozen.fit import EncoderFit, check_tuning
from ser_core.training.frozen.frames import FrameCache
from ser_core.training.frozen.head import HeadConfig, TuningConfig
from ser_core.training.frozen.tuning import frames_layer, pool_clips, random_part
from tests.make_corpus import clips

TINY = WHISPER_BASE | {"d_model": 16, "encoder_layers": 3, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}
CONFIG = WhisperConfig(encoder="tiny", backbone=TINY, layers=(2, 3), embedding_dim=6, tuned_layers=(2, 3))
RECIPE = HeadConfig(
    epochs=20,
    batch_size=32,
    learning_rate=0.03,
    noise=0.0,
    tuning=TuningConfig(epochs=2, draws=240, batch_size=8, learning_rate=0.02, head_rate=0.02, max_clip_s=0.2),
)


@pytest.fixture(autouse=True)
def encoder(tmp_path, monkeypatch) -> Path:
    """A shared encoder with random weights."""
    monkeypatch.setattr(paths, "ENCODERS", tmp_path / "encoders")
    folder = tmp_path / "encoders" / "tiny"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    weights = {name: value.half().contiguous() for name, value in WhisperEncoder(TINY).state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "whisper"} | TINY))
    return folder


def tuned_model(rank: int) -> Whisper:
    torch.manual_seed(1)
    return Whisper(replace(CONFIG, lora_rank=rank)).eval()


def hard_clips(n: int = 60) -> tuple[list[TrainingExample], list[np.ndarray]]:
    """Clips of three emotions that differ in the order of their frames, which a frozen encoder hardly sees."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(-1, 1, 10)[:, None] * rng.standard_normal(16)
    shapes = (ramp, ramp[::-1], np.abs(ramp))
    found = [TrainingExample(str(i), "tess", EMOTIONS[i % 3], f"tess-{i // 3 % 2}") for i in range(n)]
    frames = [(shapes[i % 3] + 0.3 * rng.standard_normal((10, 16))).astype(np.float16) for i in range(n)]
    return found, frames


def fitted(rank: int, folder: Path, config: HeadConfig = RECIPE, resume: bool = False) -> tuple[Whisper, list[float]]:
    """A tuned model and the loss of every step."""
    model, (found, frames), losses = tuned_model(rank), hard_clips(), []
    statistics = pool_clips(model, frames)
    show = lambda step, n_steps, loss: losses.append(loss)  # noqa: E731
    EncoderFit(model, [statistics], found, config, frames, folder, resume, show)(np.arange(len(found)), "all")
    return model, losses


def weights(model: Whisper) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def test_frames_give_the_statistics_of_the_frozen_encoder(cache, crema_d, tmp_path):
    model, store, ids = tuned_model(2), AudioStore(cache), [clip.id for clip in clips(crema_d)][:10]
    expected = StatisticsCache(tmp_path / "statistics", model, store).read(0, ids)
    FrameCache(tmp_path, model, store, 1).read(ids[:4])
    with (tmp_path / "frames-1.f16").open("ab") as file:
        file.write(b"cut off")
    with torch.no_grad():
        model.encoder.layers[0].fc1.weight.zero_()  # the cache is of the shared encoder
    frames = FrameCache(tmp_path, model, store, frames_layer(model)).read(ids)
    np.testing.assert_allclose(pool_clips(tuned_model(2), frames), expected, rtol=0.02, atol=0.02)


def test_tuned_from_the_layer_below_all_that_are_pooled_or_tuned():
    layers = {(2, 3): (3,), (1, 3): (3,), (3,): (2, 3)}
    found = [frames_layer(Whisper(replace(CONFIG, layers=a, tuned_layers=b))) for a, b in layers.items()]
    assert found == [2, 1, 1]
    assert len(random_part(np.zeros((9, 2)), 0.1, np.random.default_rng(0))) == 5


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 2])
def test_tuning_lowers_the_loss_and_resumes_to_the_same_weights(rank, tmp_path):
    model, losses = fitted(rank, tmp_path / "once")
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    interrupted = iter(range(60))

    class Interrupted(Exception):
        pass

    def stop(step, n_steps, loss):
        if next(interrupted) == 40:  # in the second epoch
            raise Interrupted

    unfinished, (found, frames) = tuned_model(rank), hard_clips()
    fit = EncoderFit(unfinished, [pool_clips(unfinished, frames)], found, RECIPE, frames, tmp_path, progress=stop)
    with pytest.raises(Interrupted):
        fit(np.arange(len(found)), "all")
    resumed, rest = fitted(rank, tmp_path, resume=True)
    assert len(rest) == 30 and torch.equal(weights(resumed), weights(model))
    with pytest.raises(TrainingError, match="another --run"):
        fitted(rank, tmp_path, replace(RECIPE, seed=1), resume=True)


def test_share_goes_from_the_frozen_weights_to_the_tuned_ones(tmp_path):
    tuned, half, none = (
        fitted(2, tmp_path, replace(RECIPE, tuning=replace(RECIPE.tuning, share=share)), resume=True)[0]
        for share in (1.0, 0.5, 0.0)
    )
    torch.testing.assert_close(weights(half), (weights(tuned) + weights(none)) / 2)
    shared = load_file(paths.ENCODERS / "tiny" / "model.safetensors")
    assert all(torch.equal(none.encoder.state_dict()[name], value.float()) for name, value in shared.items())


@pytest.mark.parametrize("rank", [0, 2])
def test_checkpoint_holds_the_update_alone(rank, tmp_path, encoder):
    before = (encoder / "model.safetensors").read_bytes()
    model, _ = fitted(rank, tmp_path / "states")
    save_model(model, tmp_path / "tuned", "whisper", Calibration(), {})
    names = {*load_file(tmp_path / "tuned" / "model.safetensors")}
    assert not [name for name in names if name.startswith(("encoder.conv", "encoder.layers.0."))]
    if rank:
        assert len([name for name in names if name.endswith(".up")]) == 12  # six matrices of two layers
        assert not [name for name in names if name.startswith("encoder.") and name.endswith("weight")]
    loaded = load_model(tmp_path / "tuned", "cpu")
    torch.testing.assert_close(weights(loaded), weights(model), atol=2e-3, rtol=2e-3)  # half precision
    waveform = torch.from_numpy(0.1 * np.random.default_rng(0).standard_normal((1, 8000)).astype(np.float32))
    with torch.inference_mode():
        torch.testing.assert_close(loaded(waveform), loaded.standalone()(waveform))
    assert not torch.equal(loaded.encoder.layers[1].fc1.weight, tuned_model(rank).encoder.layers[1].fc1.weight)
    assert (encoder / "model.safetensors").read_bytes() == before


def test_updates_of_another_shape_are_refused(tmp_path):
    save_model(tuned_model(2), tmp_path / "tuned", "whisper", Calibration(), {})
    config = json.loads((tmp_path / "tuned" / "config.json").read_text())
    for change in ({"lora_rank": 3}, {"tuned_layers": [1, 2, 3]}, {"lora_rank": 0}):
        (tmp_path / "tuned" / "config.json").write_text(json.dumps(config | {"model": config["model"] | change}))
        with pytest.raises(CheckpointError, match="another model"):
            load_model(tmp_path / "tuned", "cpu")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"tuned_layers": (4,)}, "1..3"),
        ({"tuned_layers": (3, 3)}, "different"),
        ({"tuned_layers": (), "lora_rank": 2}, "tuned_layers"),
        ({"lora_rank": -1}, "lora_rank"),
        ({"encoder": ""}, "shared"),
    ],
)
def test_impossible_settings_are_refused(change, word):
    with pytest.raises(ValueError, match=word):
        Whisper(replace(CONFIG, **change))


def test_impossible_recipes_are_refused():
    for change in ({"passes": (0, 1)}, {"tuning": TuningConfig(share=2.0)}):
        with pytest.raises(TrainingError, match="must"):
            check_tuning(tuned_model(2), replace(RECIPE, **change))
