"""Late fusion of checkpoints."""

import json

import numpy as np
import pytest
import torch

from ser_core.inference.enrolment import speaker_reference
from ser_core.inference.forward import run_windows
from ser_core.inference.prediction.predict import predict
from ser_core.models.checkpoint import N_VERSION_DIGITS, Calibration, load_fusion, load_model, save_model
from ser_core.models.names import CheckpointError
from ser_core.models.ood import fit_novelty_detector
from ser_core.models.zoo.fusion import Fusion, FusionConfig
from ser_core.models.zoo.whisper.config import WhisperConfig
from ser_core.models.zoo.whisper.encoder import WHISPER_BASE
from ser_core.models.zoo.whisper.model import Whisper
from tests.make_corpus import voice

TINY = WHISPER_BASE | {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}


@pytest.fixture
def members(checkpoints):
    """Two checkpoints; the first takes a reference."""
    torch.manual_seed(0)
    whisper = Whisper(WhisperConfig(encoder="", backbone=TINY, layers=(1, 2), embedding_dim=12))
    save_model(whisper, checkpoints / "listener", "whisper", Calibration(), {})
    return load_model("listener", "cpu"), load_model("small", "cpu")


def fusion(members, factors=(0.8, 0.2)) -> Fusion:
    return load_fusion([member.name for member in members], factors)


@pytest.fixture
def waveform() -> torch.Tensor:
    return torch.from_numpy(voice(150, seed=0, duration_s=1.0))[None]


@torch.inference_mode()
def test_log_probabilities_are_added(members, waveform):
    found = fusion(members)(waveform)
    expected = sum(f * m(waveform).log_softmax(1) for f, m in zip((0.8, 0.2), members, strict=True))
    torch.testing.assert_close(found, expected)


@torch.inference_mode()
def test_reference_reaches_the_member_that_takes_one(members, waveform):
    model, first = fusion(members, (1.0, 0.0)), members[0]
    embedding, reference = model.embed(waveform), torch.randn(sum(model.sizes))
    expected = first.classify(first.embed(waveform), reference[:12]).log_softmax(1)
    torch.testing.assert_close(model.classify(embedding, reference), expected)
    torch.testing.assert_close(model.classify(embedding, reference[None]), expected)


@torch.inference_mode()
def test_reference_has_its_weight_and_reaches_no_other_member(members, waveform, no_references):
    first, second = members
    model, given = fusion(members), torch.randn(12)
    relative = first.classify(first.embed(waveform), given, 0.3)
    expected = 0.8 * relative.log_softmax(1) + 0.2 * second(waveform).log_softmax(1)
    reference = torch.cat([given, torch.randn(second.embedding_dim)])
    torch.testing.assert_close(model.classify(model.embed(waveform), reference, 0.3), expected)


def test_checkpoint_is_small_and_loads_equal(members, waveform, checkpoints):
    model = fusion(members)
    save_model(model, checkpoints / "both", "fusion", Calibration(1.2, 0.4), {})
    assert (checkpoints / "both" / "model.safetensors").stat().st_size < 1000
    with torch.inference_mode():
        torch.testing.assert_close(load_model("both", "cpu")(waveform), model(waveform), atol=1e-3, rtol=1e-3)


def test_member_of_another_version_is_refused(members, checkpoints):
    save_model(fusion(members), checkpoints / "both", "fusion", Calibration(), {})
    config = json.loads((checkpoints / "both" / "config.json").read_text())
    for changes, word in (({"versions": ["0", "0"]}, "version"), ({"members": ["listener", "../small"]}, "member")):
        changed = config | {"model": config["model"] | changes}
        (checkpoints / "both" / "config.json").write_text(json.dumps(changed))
        with pytest.raises(CheckpointError, match=word):
            load_model("both", "cpu")


def test_version_changes_with_a_member(members, checkpoints):
    """References, embeddings and adapters are refused by their version: the file of a fusion holds factors alone."""

    def saved_version() -> str:
        save_model(fusion(members), checkpoints / "both", "fusion", Calibration(), {})
        return load_model("both", "cpu").version

    before, weights = saved_version(), (checkpoints / "both" / "model.safetensors").read_bytes()
    with torch.no_grad():
        members[0].classifier.weight += 1
    save_model(members[0], checkpoints / "listener", "whisper", Calibration(), {})
    assert saved_version() != before and len(before) == N_VERSION_DIGITS
    assert (checkpoints / "both" / "model.safetensors").read_bytes() == weights


def test_fusion_without_members_is_refused():
    with pytest.raises(ValueError, match="members"):
        Fusion(FusionConfig(), [])


def test_weights_of_another_model_are_refused(members, checkpoints):
    save_model(fusion(members), checkpoints / "both", "fusion", Calibration(), {})
    other = checkpoints / "small" / "model.safetensors"
    (checkpoints / "both" / "model.safetensors").write_bytes(other.read_bytes())
    with pytest.raises(CheckpointError, match="another model"):
        load_model("both", "cpu")


def test_every_way_to_a_prediction_works(members, speech):
    model = fusion(members)
    model.name, model.version = "both", "1"
    reference = speaker_reference(model, [speech, speech[:40_000], speech[-40_000:]])
    found, enrolled = predict(model, speech), predict(model, speech, reference=reference)
    assert found.probabilities.keys() == {*model.config.labels}
    assert enrolled.probabilities != found.probabilities


@pytest.mark.parametrize("n_before", [1, 2])
def test_detector_of_a_member_serves_the_fusion(members, checkpoints, speech, n_before):
    first, last = members
    models = [first, load_model("other", "cpu"), last] if n_before == 2 else members
    factors = (0.5, 0.3, 0.2)[: len(models)]
    assert fusion(models, factors).novelty is None
    rows = np.random.default_rng(0).normal(size=(60, last.config.embedding_dim))
    last.novelty = fit_novelty_detector(rows[:50], rows[50:])
    save_model(last, checkpoints / "small", "resonet", last.calibration, {}, last.novelty)
    save_model(fusion(models, factors), checkpoints / "both", "fusion", Calibration(), {})
    model = load_model("both", "cpu")
    np.testing.assert_allclose(run_windows(model, [speech]).distances, run_windows(last, [speech]).distances, rtol=1e-3)
    assert not (checkpoints / "both" / "novelty.safetensors").exists() and first.novelty is None
