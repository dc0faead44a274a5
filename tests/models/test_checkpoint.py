"""What is saved is what is loaded; and what is not whole is refused with the cause and the cure."""

import json
import os
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ser_core import paths
from ser_core.inference.prediction.predict import predict
from ser_core.models.checkpoint import WEIGHTS_HASH, Calibration, load_model, save_metrics_and_card, save_model
from ser_core.models.errors import DeviceError
from ser_core.models.names import (
    DEFAULT_MODEL,
    FAST_MODEL,
    CheckpointError,
    UnknownModel,
    available_models,
    models_for_long_audio,
    training_record,
)
from ser_core.models.registry import MODEL_FAMILIES, MODELS, build_model

WEIGHTS, CONFIG, METRICS = "model.safetensors", "config.json", "metrics.json"


@pytest.fixture
def waveform() -> torch.Tensor:
    return 0.1 * torch.randn(2, 20_000, generator=torch.Generator().manual_seed(0))


# --- there and back --------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_what_was_saved_is_what_is_loaded(new_model, tmp_path, waveform):
    model = new_model(seed=3)
    save_model(model, tmp_path / "mine", "resonet", Calibration(1.25, 0.4), {"protocol": "resonet"})
    loaded = load_model(tmp_path / "mine", "cpu")
    assert (loaded.name, loaded.config, loaded.calibration) == ("mine", model.config, Calibration(1.25, 0.4))
    assert loaded.metrics == {} and not loaded.training
    torch.testing.assert_close(loaded(waveform), model(waveform), atol=5e-3, rtol=0)
    assert json.loads((tmp_path / "mine" / CONFIG).read_text())["training"] == {"protocol": "resonet"}


def test_a_model_of_a_run_has_the_name_of_the_run(new_model, tmp_path, monkeypatch):
    for run in "ab":
        save_model(new_model(), tmp_path / "runs" / run / "checkpoint", "resonet", Calibration(), {})
    (tmp_path / "linked").symlink_to(tmp_path / "runs" / "a" / "checkpoint")
    monkeypatch.chdir(tmp_path / "runs" / "b" / "checkpoint")
    folders = ("../../a/checkpoint", tmp_path / "runs" / "b" / "checkpoint", ".", tmp_path / "linked")
    assert [load_model(folder, "cpu").name for folder in folders] == ["a", "b", "b", "linked"]


def test_a_checkpoint_may_have_no_record_of_its_training(checkpoints):
    path = checkpoints / "small" / CONFIG
    assert training_record(checkpoints / "small")["protocol"] == "speaker-independent"
    for content in ("{}", '{"training": null}'):
        path.write_text(content)
        assert training_record(checkpoints / "small") == {}
    for content in ("{", "[]"):
        path.write_text(content)
        with pytest.raises(CheckpointError, match="damaged"):
            training_record(checkpoints / "small")


@torch.inference_mode()
def test_a_loaded_model_saved_again_is_the_same_to_the_bit(checkpoints, waveform):
    model = load_model("small", "cpu")
    save_model(model, checkpoints / "again", "resonet", model.calibration, {})
    assert (checkpoints / "again" / WEIGHTS).read_bytes() == (checkpoints / "small" / WEIGHTS).read_bytes()
    assert torch.equal(load_model("again", "cpu")(waveform), model(waveform))


@pytest.mark.parametrize("name", ["resonet", "resonet-no-gru", "vgg16", "cnn-lstm"])
def test_loading_draws_no_random_numbers(tmp_path, name):
    """A page loads models while another thread trains: the run must be repeatable."""
    save_model(build_model(name), tmp_path / "mine", MODELS[name][0], Calibration(), {})
    before = torch.get_rng_state()
    load_model(tmp_path / "mine", "cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_half_precision_on_disk_and_float32_in_memory(checkpoints):
    stored = load_file(checkpoints / "small" / WEIGHTS)
    assert {v.dtype for v in stored.values()} == {torch.float16, torch.int64}  # int64: batches counted by batch norm
    assert {p.dtype for p in load_model("small").parameters()} == {torch.float32}


@pytest.mark.parametrize("device", ["banana", "cuda:99"])  # the second also where torch was built without CUDA
def test_a_device_that_does_not_exist_is_refused(checkpoints, device):
    with pytest.raises(DeviceError, match=rf"{device}.*cpu"):
        load_model("small", device)


@pytest.mark.parametrize("value", [float("nan"), 1e6])
def test_what_half_precision_cannot_hold_is_not_saved(new_model, tmp_path, value):
    model = new_model()
    model.norm.bias.data[3] = value
    with pytest.raises(CheckpointError, match=r"norm\.bias"):
        save_model(model, tmp_path / "broken", "resonet", Calibration(), {})
    assert available_models(tmp_path) == ()


def test_a_checkpoint_holds_no_code(checkpoints):
    assert {path.suffix for path in (checkpoints / "small").iterdir()} == {".safetensors", ".json"}
    with safe_open(checkpoints / "small" / WEIGHTS, "pt") as file:
        assert list(file.keys())


def test_metrics_come_along(checkpoints):
    (checkpoints / "small" / METRICS).write_text('{"pooled": {"uar": 0.5}}')
    assert load_model("small").metrics == {"pooled": {"uar": 0.5}}


def test_models_are_found_by_name_and_by_folder(checkpoints):
    assert available_models() == ("other", "small")
    by_name, by_folder = load_model("small"), load_model(checkpoints / "small")
    assert by_name.name == by_folder.name == "small"
    assert load_model(str(checkpoints / "small")).name == "small"


def test_a_name_goes_before_a_folder_of_the_same_name(checkpoints, monkeypatch, tmp_path):
    (tmp_path / "here" / "small").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert load_model("small").calibration == Calibration(1.5, 0.1)


# --- what does not exist ---------------------------------------------------------------------------------------------

HOSTILE = ["../x", "../../etc/passwd", "small/../../x", "/nowhere", "small\0", "<b>x</b>", "a" * 5000, "\ud800", "~"]


def test_an_unknown_name_lists_what_exists(checkpoints, subtests):
    for name in ["resnet", "Small", *HOSTILE]:
        with subtests.test(name=name):
            with pytest.raises(CheckpointError, match="other, small") as error:
                load_model(name)
            assert len(str(error.value)) < 250


@pytest.mark.parametrize("name", ["", None, 3])
def test_what_is_no_name_lists_what_exists(checkpoints, name):
    with pytest.raises(UnknownModel, match="other, small"):
        load_model(name)


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_folder_without_a_model_is_none(checkpoints, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"other, small|config\.json"):
        load_model(name)


def test_without_any_model_the_message_says_how_to_train_one(checkpoints, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path / "empty")
    assert available_models() == ()
    with pytest.raises(CheckpointError, match=r"python -m scripts\.train"):
        load_model("resonet")


# --- what is not whole -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_missing_file_is_named(checkpoints, name):
    (checkpoints / "small" / name).unlink()
    with pytest.raises(CheckpointError, match=f"small .*{name}"):
        load_model(checkpoints / "small")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, METRICS])
def test_a_truncated_file_is_named(checkpoints, name, share):
    path = checkpoints / "small" / name
    if name == METRICS:
        path.write_text('{"pooled": {"uar": 0.5}}')
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=f"small/{name} is damaged"):
        load_model("small")


def test_a_file_of_another_kind_is_named(checkpoints, subtests):
    for name, content in product([WEIGHTS, CONFIG], [b"\xff\xfe\x00", b"PK\x03\x04", b"\x80\x04."]):
        with subtests.test(name=name, content=content):
            (checkpoints / "small" / name).write_bytes(content)
            with pytest.raises(CheckpointError, match=f"small/{name} is damaged"):
                load_model("small")


def test_weights_of_another_model_are_refused(checkpoints, new_model):
    save_model(new_model(channels=(4, 4, 8, 16)), checkpoints / "wide", "resonet", Calibration(), {})
    os.replace(checkpoints / "wide" / WEIGHTS, checkpoints / "small" / WEIGHTS)
    with pytest.raises(CheckpointError, match=r"small/model\.safetensors"):
        load_model("small")


@pytest.mark.parametrize("change", ["one is missing", "one too many", "one has another name"])
def test_weights_are_loaded_all_or_not_at_all(checkpoints, change):
    path = checkpoints / "small" / WEIGHTS
    weights = load_file(path)
    if change != "one too many":
        taken = weights.pop("norm.weight")
    if change != "one is missing":
        weights["norm.wait"] = taken if change == "one has another name" else torch.zeros(3)
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=r"small/model\.safetensors .*norm\.w"):
        load_model("small")


def test_an_unregistered_family_says_how_to_register_it(checkpoints):
    path = checkpoints / "small" / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | {"family": "pooling"}))
    with pytest.raises(CheckpointError, match="family 'pooling' is unknown"):
        load_model("small")


@pytest.mark.parametrize("family", ["pooling", "cnn"])
def test_a_checkpoint_that_would_not_be_loaded_again_is_not_saved(checkpoints, family):
    model = load_model("small")
    with pytest.raises(CheckpointError, match=f"not the model of a family '{family}'"):
        save_model(model, checkpoints / "small", family, Calibration(), {})
    assert load_model("small").version == model.version


def test_a_foreign_config_is_refused(checkpoints, subtests):
    path = checkpoints / "small" / CONFIG
    config = json.loads(path.read_text())
    for foreign in [
        {"family": "resnet"},
        {"family": ["resonet"]},
        {"family": None},
        {"model": {}},
        {"model": None},
        {"model": "resonet"},
        {"model": {"frontend": {}, "unheard_of": 1}},
        {"model": {"frontend": {"n_mels": -1}}},
        {"model": {"frontend": 3}},
        {"model": {"frontend": {}, "channels": []}},
        {"model": {"frontend": {}, "channels": [-1, 2, 3, 4]}},
        {"model": {"frontend": {}, "channels": "abcd"}},
        {"model": {"frontend": {}, "n_heads": 7}},
        {"calibration": {}, "model": {"frontend": {}, "labels": 3}},
        {"calibration": None},
        {"calibration": {"heat": 1.0}},
        {"calibration": {"temperature": 0.0}},
        {"calibration": {"temperature": "1"}},
        {"calibration": {"temperature": float("nan")}},
        {"calibration": {"min_confidence": 85}},
    ]:
        with subtests.test(foreign=foreign):
            path.write_text(json.dumps(config | foreign))
            with pytest.raises(CheckpointError, match=r"small/config\.json") as error:
                load_model("small")
            assert len(str(error.value)) < 250


def test_json_that_is_no_config_is_refused(checkpoints, subtests):
    for content in ["[]", "3", '"resonet"', "null", "{}"]:
        with subtests.test(content=content):
            (checkpoints / "small" / CONFIG).write_text(content)
            with pytest.raises(CheckpointError, match=r"small/config\.json"):
                load_model("small")


def test_a_checkpoint_of_other_emotions_is_refused(tmp_path):
    config = replace(build_model("simple-cnn").config, labels=("calm", "bored"))
    save_model(MODEL_FAMILIES["cnn"][0](config), tmp_path / "two", "cnn", Calibration(), {})
    with pytest.raises(CheckpointError, match=r"two .*calm, bored"):
        load_model(tmp_path / "two")


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    torch.manual_seed(0)
    save_model(build_model("simple-cnn"), tmp_path / "kept", "cnn", Calibration(), {})
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(CheckpointError, match=r"kept .*No space left"):
        save_model(build_model("simple-cnn"), tmp_path / "kept", "cnn", Calibration(temperature=2), {})
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before


def test_a_full_disk_leaves_the_old_figures_whole(checkpoints, monkeypatch):
    """Half of metrics.json would make the model unusable."""
    save_metrics_and_card(checkpoints / "small", {"pooled": 1}, "card")
    before = {path.name: path.read_bytes() for path in (checkpoints / "small").iterdir()}
    write_text = Path.write_text

    def full(path, text):
        write_text(path, text[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(CheckpointError, match=r"small .*No space left"):
        save_metrics_and_card(checkpoints / "small", {"pooled": 2}, "another card")
    assert {path.name: path.read_bytes() for path in (checkpoints / "small").iterdir()} == before


def test_files_of_two_checkpoints_are_refused(tmp_path):
    """As left behind by a kill between two renames."""
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_model(build_model("simple-cnn"), tmp_path / str(seed), "cnn", Calibration(temperature=1 + seed), {})
        load_model(tmp_path / str(seed))
    (tmp_path / "0" / "config.json").replace(tmp_path / "1" / "config.json")
    with pytest.raises(CheckpointError, match="another save"):
        load_model(tmp_path / "1")


def test_a_checkpoint_without_the_hash_of_its_weights_is_loaded(tmp_path):
    save_model(build_model("simple-cnn"), tmp_path / "old", "cnn", Calibration(), {})
    path = tmp_path / "old" / "config.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "weights_sha256"}))
    assert load_model(tmp_path / "old").name == "old"


def test_the_default_model_comes_first(checkpoints):
    (checkpoints / "small").rename(checkpoints / DEFAULT_MODEL)
    assert available_models() == (DEFAULT_MODEL, "other")
    (checkpoints / "other").rename(checkpoints / FAST_MODEL)
    assert available_models() == (DEFAULT_MODEL, FAST_MODEL)
    assert models_for_long_audio() == (FAST_MODEL, DEFAULT_MODEL)


# --- what ships ------------------------------------------------------------------------------------------------------


def test_what_ships_fits_a_repository():
    """Each file under 95 MB, all together under 220 MB: what a hosting site takes and a clone over a phone bears."""
    sizes = {path.relative_to(paths.CHECKPOINTS): path.stat().st_size / 1e6 for path in paths.CHECKPOINTS.glob("*/*")}
    assert sizes
    assert {path: size for path, size in sizes.items() if size >= 95} == {}
    assert sum(sizes.values()) < 220


# --- damaged values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_s", None),
        ("window_s", -1),
        ("window_s", float("nan")),
        ("embedding_dim", 10**9),
        ("embedding_dim", True),
        ("channels", [4, None, 8, 8]),
        ("frontend", {"hop_length": 0}),
        ("frontend", {"n_fft": "x"}),
    ],
)
def test_a_damaged_value_of_the_config_is_named(checkpoints, name, value):
    path = checkpoints / "small" / CONFIG
    config = json.loads(path.read_text())
    config["model"][name] = config["model"][name] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=next(iter(value)) if isinstance(value, dict) else name):
        load_model("small")


def test_weights_that_are_not_finite_give_no_prediction(new_model, speech):
    model = new_model()
    model.head[-1].weight.data[0, 0] = torch.nan
    with pytest.raises(CheckpointError, match="not finite"):
        predict(model, speech)


def test_one_changed_byte_of_shipped_weights_is_noticed(tmp_path):
    shutil.copytree(paths.ROOT / "checkpoints" / "simple-cnn", tmp_path / "changed")
    weights = tmp_path / "changed" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-99] ^= 255
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(tmp_path / "changed", "cpu")


def test_every_shipped_config_has_the_hash_of_its_weights():
    configs = [
        *(paths.ROOT / "checkpoints").glob("*/config.json"),
        *(paths.ROOT / "checkpoints").glob("folds/*/config.json"),
    ]
    models = [config for config in configs if "family" in json.loads(config.read_text())]
    assert len(models) > 50 and all(WEIGHTS_HASH in json.loads(config.read_text()) for config in models)
