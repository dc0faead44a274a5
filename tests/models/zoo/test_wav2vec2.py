"""wav2vec2 on tiny random encoders: the contract, start weights, training, and the stock pipeline."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from scripts import train
from scripts.common import fitting
from ser_core.audio.features import FrontendConfig
from ser_core.evaluation.cost import measure_cost
from ser_core.inference.prediction.predict import predict
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import Calibration, load_model, save_model
from ser_core.models.names import CheckpointError
from ser_core.models.registry import build_model
from ser_core.models.zoo.wav2vec2 import REFERENCE_HEAD_SIZES, WAV2VEC2_WEIGHTS_HINT, Wav2Vec2, Wav2Vec2Config
from ser_core.training.augment.waveforms import coloured_noise
from ser_core.training.recipes import recipe_for_model

pytestmark = pytest.mark.slow

LENGTHS = torch.tensor([1, 399, 700, 9000, 20_000, 48_000])
TINY = {
    **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48},
    **{"conv_dim": [8] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2},
    **{"classifier_proj_size": 16, "layerdrop": 0.0},
}
NORMS = {
    "group": {"feat_extract_norm": "group"},  # as wav2vec2-base
    "layer": {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},  # as wav2vec2-large-lv60
}


def save_start(folder: Path, do_normalize: bool = True, **changes) -> Path:
    """What `save_pretrained` leaves of a pre-trained model: with the weights that only pre-training needs."""
    import transformers

    torch.manual_seed(0)
    network = transformers.Wav2Vec2ForPreTraining(transformers.Wav2Vec2Config(**TINY | changes))
    with torch.no_grad():
        for parameter in network.wav2vec2.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    network.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=do_normalize).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def starts(tmp_path_factory) -> dict[str, Path]:
    """A start folder for each norm."""
    return {norm: save_start(tmp_path_factory.mktemp(norm), **changes) for norm, changes in NORMS.items()}


@pytest.fixture
def start(starts, tmp_path) -> Path:
    """One to spoil."""
    folder = tmp_path / "start"
    folder.mkdir()
    for path in starts["group"].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def started(start: Path, **config) -> Wav2Vec2:
    torch.manual_seed(1)
    model = Wav2Vec2.from_pretrained_weights(Wav2Vec2Config(**config), str(start)).eval()
    model.name, model.calibration = "tiny", Calibration()
    return model


@pytest.fixture(params=["group", "layer", "reference head"])
def model(request, starts) -> Wav2Vec2:
    if request.param == "reference head":
        return started(starts["group"], dense=REFERENCE_HEAD_SIZES)
    return started(starts[request.param])


@pytest.fixture(scope="module")
def batch() -> Tensor:
    """Clips of different colour and level, padded with zeros, shape = (6, 48000)."""
    noise = coloured_noise((6, 48_000), torch.linspace(0, 2, 6), torch.Generator().manual_seed(0))
    return torch.linspace(0.02, 0.2, 6)[:, None] * noise * (torch.arange(48_000) < LENGTHS[:, None])


@pytest.fixture
def alone(model, batch) -> Tensor:
    """The answer to each clip by itself, without padding, shape = (6, n_classes)."""
    with torch.inference_mode():
        return torch.cat([model(clip[None, :n]) for clip, n in zip(batch, LENGTHS, strict=True)])


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


# --- the contract ----------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_shapes(model, batch):
    assert torch.equal(model.frontend(batch, LENGTHS), batch) and torch.equal(model.n_frames(LENGTHS), LENGTHS)
    embedding = model.embed(batch, LENGTHS)
    assert embedding.shape == (6, model.config.embedding_dim)
    logits = model(batch, LENGTHS)
    assert logits.shape == (6, len(EMOTIONS)) and model.config.labels == EMOTIONS
    close(model.head(embedding), logits)


def test_the_clips_get_different_answers(alone):
    """Or the comparisons below would say nothing."""
    assert (alone[:, None] - alone[None]).abs().amax(-1).add(torch.eye(6)).min() > 1e-3


@torch.inference_mode()
def test_padding_changes_no_answer(model, batch, alone):
    close(model(batch, LENGTHS), alone)
    close(model(F.pad(batch, (0, 10_000)), LENGTHS), alone)


@torch.inference_mode()
def test_what_stands_behind_the_end_is_not_heard(model, batch, alone):
    rubbish = batch + 0.3 * (torch.arange(48_000) >= LENGTHS[:, None])
    close(model(rubbish, LENGTHS), alone)


@torch.inference_mode()
def test_batch_size_and_order_change_no_answer(model, batch, alone):
    for order in ([5, 4, 2, 0, 3, 1], [3, 0], [2], [1, 1, 1]):
        close(model(batch[order], LENGTHS[order]), alone[order])


@torch.inference_mode()
def test_short_clips_and_silence_have_finite_answers(model, subtests):
    for n_samples in [1, 2, 399, 400, 401, 5000]:
        with subtests.test(n_samples=n_samples):
            for waveform in (torch.full((1, n_samples), 0.5), torch.zeros(1, n_samples)):
                assert model(waveform).isfinite().all()
                assert model(waveform, torch.tensor([n_samples])).isfinite().all()


@torch.inference_mode()
def test_the_recording_level_is_not_heard_where_the_start_was_trained_so(starts, start, batch):
    heard = started(starts["group"])
    close(heard(4 * batch[3:] + 0.2), heard(batch[3:]))
    extractor = start / "preprocessor_config.json"
    extractor.write_text(json.dumps(json.loads(extractor.read_text()) | {"do_normalize": False}))
    heard = started(start)
    assert (heard(4 * batch[3:] + 0.2) - heard(batch[3:])).abs().max() > 1e-3


def test_a_training_step_reaches_every_weight_but_the_frozen_ones(model, batch):
    names = list(model.state_dict())
    F.cross_entropy(model.train()(batch, LENGTHS), torch.arange(6)).backward()
    assert list(model.state_dict()) == names
    reached = {name for name, p in model.named_parameters() if p.grad is not None}
    frozen = {name for name in dict(model.named_parameters()) if name.startswith("wav2vec2.feature_extractor.")}
    assert frozen and reached == dict(model.named_parameters()).keys() - frozen
    assert model.wav2vec2.masked_spec_embed.grad.any()


def test_masks_are_drawn_by_the_generator_that_training_seeds(starts, batch):
    model = started(starts["group"]).train()

    def logits(torch_seed: int, numpy_seed: int) -> Tensor:
        torch.manual_seed(torch_seed)
        np.random.seed(numpy_seed)  # noqa: NPY002 - the one transformers draws from
        return model(batch, LENGTHS)

    assert torch.equal(logits(0, 0), logits(0, 1)) and not torch.equal(logits(0, 0), logits(1, 0))


def test_cost_is_counted(starts):
    """By hand: seven convolutions over 3 s, then everything over 149 frames."""
    model = started(starts["group"])
    n_steps, macs, n_in, n_samples = 149, 0, 1, 48_000
    for kernel, stride in zip((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2), strict=True):
        n_samples = (n_samples - kernel) // stride + 1
        macs += n_samples * 8 * n_in * kernel
        n_in = 8
    assert n_samples == n_steps
    macs += n_steps * 8 * 32 + (n_steps + 1) * 32 * 16 * 16  # projection; positional convolution, one step more
    macs += 2 * (n_steps * (4 * 32 * 32 + 2 * 32 * 48) + 2 * n_steps * n_steps * 32)  # layers
    macs += 32 * 16 + 16 * 8  # head
    assert measure_cost(model).macs_per_3_s_clip == macs


# --- config ----------------------------------------------------------------------------------------------------------


def test_a_config_survives_json(model):
    config = model.config
    assert Wav2Vec2Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    hash(config)
    assert replace(config, backbone=config.backbone | {"hidden_size": 64}) != config


def test_a_config_holds_no_path(starts):
    assert str(starts["group"]) not in json.dumps(started(starts["group"]).config.to_dict())


def test_without_start_weights_it_says_where_they_come_from():
    with pytest.raises(ValueError, match="--start facebook/wav2vec2-base") as error:
        build_model("wav2vec2")
    assert str(error.value) == WAV2VEC2_WEIGHTS_HINT


def test_other_features_are_refused(starts):
    with pytest.raises(ValueError, match="MFCC"):
        started(starts["group"], frontend=FrontendConfig(n_mfcc=13))


def test_transformers_is_imported_only_when_a_model_is_made():
    code = "import sys, ser_core, ser_core.models.zoo.wav2vec2; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0


# --- start weights ---------------------------------------------------------------------------------------------------


def test_the_encoder_is_the_start_s_and_the_head_is_new(starts):
    stored = load_file(starts["group"] / "model.safetensors")
    weights = started(starts["group"]).state_dict()
    theirs = {name for name in weights if name.startswith("wav2vec2.")}
    assert theirs == {name for name in stored if name.startswith("wav2vec2.")} and stored.keys() - theirs
    assert all(torch.equal(weights[name], stored[name]) for name in theirs)
    assert weights.keys() - theirs == {f"{layer}.{kind}" for layer in HEAD for kind in ("weight", "bias")}


HEAD = ("projector", "classifier")


def without(start: Path, *names: str) -> None:
    weights = load_file(start / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.endswith(names)}
    assert len(kept) < len(weights)
    save_file(kept, start / "model.safetensors", {"format": "pt"})


def test_missing_weights_are_refused_by_name(start):
    without(start, "layers.1.attention.q_proj.weight", "encoder.layers.0.layer_norm.bias")
    with pytest.raises(ValueError, match=r"2 .*encoder\.layers\.0\.layer_norm\.bias, .*q_proj"):
        started(start)


def test_the_mask_vector_may_be_missing(start):
    """As in wav2vec2-base-960h."""
    without(start, "masked_spec_embed")
    assert started(start).wav2vec2.masked_spec_embed.isfinite().all()


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda start: edit(start / "config.json", model_type="hubert"), "model_type.*hubert"),
        (lambda start: edit(start / "config.json", hidden_size=64), "facebook/wav2vec2-base"),
        (lambda start: edit(start / "config.json", hidden_size="wide"), "hidden_size"),
        (lambda start: edit(start / "config.json", add_adapter=True), "adapter"),
        (
            lambda start: edit(start / "preprocessor_config.json", sampling_rate=8000),
            "8000 Hz.* 16000",
        ),
        (lambda start: (start / "config.json").unlink(), "model_type"),
        (lambda start: (start / "config.json").write_text("{"), "config.json"),
        (lambda start: (start / "preprocessor_config.json").unlink(), "preprocessor_config.json"),
        (lambda start: (start / "model.safetensors").write_bytes(b"cut off"), "facebook/wav2vec2-base"),
        (lambda start: (start / "model.safetensors").rename(start / "pytorch_model.bin"), "convert"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(start, spoil, message):
    spoil(start)
    with pytest.raises(ValueError, match=message) as error:
        started(start)
    assert "Traceback" not in str(error.value)


def test_a_pickle_is_never_opened(start, monkeypatch):
    import transformers  # noqa: F401 - what it imports may load as it likes

    monkeypatch.setattr(torch, "load", lambda *arguments, **options: pytest.fail("a pickle was opened"))
    weights = load_file(start / "model.safetensors")
    (start / "model.safetensors").unlink()
    torch.save(weights, start / "pytorch_model.bin")
    with pytest.raises(ValueError, match="convert"):
        started(start)


def test_a_name_without_internet_says_what_to_do(monkeypatch, subtests):
    for name in ["facebook/wav2vec2-base", "no/such/folder", "/nowhere", ""]:
        with subtests.test(name=name):
            monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
            with pytest.raises(ValueError, match="hf download facebook/wav2vec2-base"):
                started(name)


# --- what is saved ---------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(starts, tmp_path) -> Path:
    model = started(starts["layer"])
    save_model(model, tmp_path / "mine", "wav2vec2", Calibration(), {"protocol": "resonet", "fold": None})
    return tmp_path / "mine"


@torch.inference_mode()
def test_a_checkpoint_comes_back_without_any_hub(starts, saved, batch, monkeypatch):
    before = started(starts["layer"])(batch, LENGTHS)
    monkeypatch.setattr("transformers.Wav2Vec2Model.from_pretrained", lambda *a, **k: pytest.fail("asked a hub"))
    loaded = load_model(saved, "cpu")
    torch.testing.assert_close(loaded(batch, LENGTHS), before, atol=2e-2, rtol=0)
    assert not any(p.requires_grad for p in loaded.wav2vec2.feature_extractor.parameters())


@pytest.mark.parametrize("norm", NORMS)
def test_the_stock_pipeline_gives_the_same_probabilities(starts, tmp_path, batch, norm):
    import transformers

    save_model(started(starts[norm]), tmp_path / "mine", "wav2vec2", Calibration(), {})
    _, report = transformers.Wav2Vec2ForSequenceClassification.from_pretrained(
        tmp_path / "mine", output_loading_info=True
    )
    assert not any(report.values())
    stock = transformers.pipeline("audio-classification", model=str(tmp_path / "mine"), device="cpu", top_k=None)
    assert {p.dtype for p in stock.model.parameters()} == {torch.float32}
    ours = load_model(tmp_path / "mine", "cpu")
    for clip, n_samples in zip(batch[2:], LENGTHS[2:], strict=True):
        theirs = {answer["label"]: answer["score"] for answer in stock(clip[:n_samples].numpy())}
        with torch.inference_mode():
            expected = ours(clip[None, :n_samples]).softmax(-1)[0]
        assert theirs == pytest.approx(dict(zip(EMOTIONS, expected.tolist(), strict=True)), abs=1e-5)


def test_our_keys_and_theirs_share_one_file(saved):
    from transformers import Wav2Vec2Config as StockConfig

    config = json.loads((saved / "config.json").read_text())
    ours = {"family", "model", "calibration", "training"}
    assert ours < config.keys() and not ours & StockConfig().to_dict().keys()
    assert config["id2label"] == {str(i): emotion for i, emotion in enumerate(EMOTIONS)}
    assert json.loads((saved / "preprocessor_config.json").read_text())["sampling_rate"] == 16_000


def test_a_head_that_the_pipeline_cannot_build_is_not_offered_to_it(starts, tmp_path, batch):
    model = started(starts["group"], dense=(12, 6))
    save_model(model, tmp_path / "mine", "wav2vec2", Calibration(), {})
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"config.json", "model.safetensors"}
    assert "model_type" not in json.loads((tmp_path / "mine" / "config.json").read_text())
    assert load_model(tmp_path / "mine", "cpu").config == model.config


@pytest.mark.parametrize("change", ["one is missing", "one too many"])
def test_weights_are_loaded_all_or_not_at_all(saved, change):
    weights = load_file(saved / "model.safetensors")
    if change == "one is missing":
        weights.pop("wav2vec2.encoder.layers.1.attention.q_proj.weight")
    else:
        weights["quantizer.codevectors"] = torch.zeros(3)
    save_file(weights, saved / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors .*(q_proj|quantizer)"):
        load_model(saved)


@pytest.mark.parametrize("backbone", [{}, [], None, {"hidden_size": -1}, {"hidden_size": "wide"}, {"conv_dim": [8]}])
def test_a_foreign_config_is_refused(saved, backbone):
    config = json.loads((saved / "config.json").read_text())
    edit(saved / "config.json", model=config["model"] | {"backbone": backbone})
    with pytest.raises(CheckpointError, match=r"config\.json|model\.safetensors"):
        load_model(saved)


# --- from the command line -------------------------------------------------------------------------------------------


TRAIN = ["wav2vec2", "--protocol", "speaker-independent", "--fold", "0", "--epochs", "2", "--run", "x", "--partial"]


def run_state(workplace: Path) -> dict[str, Tensor]:
    return load_file(workplace / "runs" / "x" / "state.safetensors")


def test_train_save_reload_predict(workplace, starts, speech):
    """Two epochs of 36 clips, 16 a batch: the frozen encoder stays to the bit, all else moves."""
    command = [*TRAIN, "--start", str(starts["group"])]
    assert train.main(command) == 0
    before, after = load_file(starts["group"] / "model.safetensors"), run_state(workplace)
    for name, value in before.items():
        if name.startswith("wav2vec2."):
            frozen = name.startswith("wav2vec2.feature_extractor.")
            assert torch.equal(after[f"model.{name}"], value) is frozen, name
            assert torch.equal(after[f"average.{name}"], value) is frozen, name
    model = load_model(workplace / "runs" / "x" / "checkpoint", "cpu")
    assert model.calibration != Calibration() and predict(model, speech).emotion in EMOTIONS
    training = json.loads((workplace / "runs/x/checkpoint/config.json").read_text())["training"]
    assert training["start"] == starts["group"].name
    assert training["recipe"]["learning_rate"] == recipe_for_model("wav2vec2").learning_rate < 1e-4


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(workplace, starts, monkeypatch):
    def interrupted(model, config, data, run, teachers, callbacks):
        def on_step(step, n_steps, loss):
            callbacks.on_step(step, n_steps, loss)
            if step > n_steps // 2:
                raise KeyboardInterrupt

        return fit(model, config, data, run, teachers, replace(callbacks, on_step=on_step))

    fit, command = fitting.fit, [*TRAIN, "--start", str(starts["layer"])]
    assert train.main([*command, "--run", "whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "fit", interrupted)
        assert train.main(command) == 130
    assert train.main([*command, "--resume"]) == 0
    whole = load_file(workplace / "runs" / "whole" / "state.safetensors")
    assert whole.keys() == run_state(workplace).keys()
    assert all(torch.equal(value, whole[name]) for name, value in run_state(workplace).items())


def test_without_start_weights_training_says_where_they_come_from(workplace, capsys):
    assert train.main(TRAIN) == 2
    assert capsys.readouterr().err == f"{WAV2VEC2_WEIGHTS_HINT}\n" and not (workplace / "runs").exists()


def test_start_weights_of_another_family_are_refused(workplace, capsys):
    assert train.main(["resonet", *TRAIN[1:], "--start", "facebook/wav2vec2-base"]) == 2
    assert "ResoNet" in capsys.readouterr().err
