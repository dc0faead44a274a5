"""Emotion offsets of a checkpoint: their file, their mean over reference clips, and those of a fusion."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import Calibration, load_fusion, load_model, models_with_emotions, save_model
from ser_core.models.enrolled import enrolled_logits
from ser_core.models.names import CONFIG_FILE, OFFSETS_FILE, CheckpointError
from ser_core.models.offsets import mean_offset
from ser_core.models.zoo.whisper.config import WhisperConfig
from ser_core.models.zoo.whisper.encoder import WHISPER_BASE
from ser_core.models.zoo.whisper.model import Whisper

TINY = WHISPER_BASE | {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}
OFFSETS = np.arange(8 * 12, dtype=np.float32).reshape(8, 12)


@pytest.fixture
def listener(checkpoints):
    """The folder of a checkpoint with offsets."""
    torch.manual_seed(0)
    model = Whisper(WhisperConfig(encoder="", backbone=TINY, layers=(1, 2), embedding_dim=12))
    save_model(model, checkpoints / "listener", "whisper", Calibration(), {}, offsets=OFFSETS)
    return checkpoints / "listener"


def test_they_are_saved_with_the_model_and_change_no_version(listener):
    found = load_model("listener", "cpu")
    np.testing.assert_array_equal(found.emotion_offsets, OFFSETS)
    (listener / OFFSETS_FILE).unlink()
    without = load_model("listener", "cpu")
    assert without.emotion_offsets is None and without.version == found.version


def test_models_that_use_the_emotions_of_clips_are_known_without_loading_them(listener):
    fusion = load_fusion(["small", "listener"], [0.5, 0.5])
    save_model(fusion, listener.parent / "both", "fusion", Calibration(), {})
    assert {*models_with_emotions()} == {"listener", "both"}
    (listener.parent / "both" / CONFIG_FILE).write_text('{"family": "fusion", "model": {"members": 1}}')
    assert models_with_emotions() == ("listener",)
    (listener / OFFSETS_FILE).unlink()
    assert models_with_emotions() == ()


@pytest.mark.parametrize(
    "content",
    [{"offsets": OFFSETS[:, :5]}, {"offsets": OFFSETS[:7]}, {"other": OFFSETS}, {"offsets": OFFSETS * np.nan}],
)
def test_foreign_ones_are_refused(listener, content):
    save_file(content, listener / OFFSETS_FILE)
    with pytest.raises(CheckpointError, match=rf"listener/{OFFSETS_FILE}.*train the model again"):
        load_model("listener", "cpu")


def test_a_damaged_file_is_refused(listener):
    (listener / OFFSETS_FILE).write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_model("listener", "cpu")


def test_the_mean_is_over_all_clips(listener):
    model = load_model("listener", "cpu")
    found = mean_offset(model, ["happy", "", "sad", "happy"])
    happy, sad = (OFFSETS[EMOTIONS.index(emotion)] for emotion in ("happy", "sad"))
    np.testing.assert_allclose(found, (2 * happy + sad) / 4)
    assert not mean_offset(model, ["", ""]).any()


def test_a_fusion_has_those_of_the_members_that_take_a_reference(listener, no_references):
    model = load_fusion(["listener", "small"], (0.8, 0.2))
    width = model.sizes[1]
    np.testing.assert_array_equal(model.emotion_offsets, np.hstack([OFFSETS, np.zeros((8, width))]))
    (listener / OFFSETS_FILE).unlink()
    assert load_fusion(["listener", "small"], (0.8, 0.2)).emotion_offsets is None


def test_a_model_without_any_says_so(checkpoints):
    with pytest.raises(ValueError, match="small has no emotion offsets"):
        mean_offset(load_model("small", "cpu"), ["happy"])


def test_logits_of_enrolled_clips_are_relative_to_the_voice_alone(listener):
    """Two neutral clips are the reference: with their emotion known, their offset is taken off."""
    model = load_model("listener", "cpu")
    model.emotion_offsets = 0.1 * OFFSETS
    rows = np.random.default_rng(0).standard_normal((3, 12)).astype(np.float32)
    speakers, emotions = np.full(3, "s"), np.array(["sad", "happy", "happy"])
    found, weights = enrolled_logits(model, rows, speakers, 2, emotions == "happy", emotions)
    voice = rows[1:].mean(0) - 0.1 * OFFSETS[EMOTIONS.index("happy")]
    with torch.inference_mode():
        expected = model.classify(torch.from_numpy(rows[:1]), torch.from_numpy(voice), 0.5)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    assert weights[0] == 0.5
