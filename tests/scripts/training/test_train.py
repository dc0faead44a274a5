"""scripts.train: checkpoints, flags, interruptions, teachers and start weights."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from scripts import export_embeddings, train
from scripts.common import fitting
from ser_core import paths
from ser_core.interpret import atlas
from ser_core.interpret.projection import ProjectionConfig
from ser_core.models.checkpoint import Calibration, load_model
from ser_core.models.registry import MODELS
from ser_core.training import recipes, trainer
from ser_core.training.augment.draw import AugmentConfig
from ser_core.training.config import TrainConfig
from ser_core.training.experiments import read_experiments
from ser_core.training.recipes import COMMON_RECIPE, RECIPES_BY_MODEL, override_config
from tests.conftest import ROOT
from tests.make_page import open_view

FOLD_0 = ["resonet", "--protocol", "speaker-independent", "--fold", "0", "--epochs", "2", "--run", "x", "--partial"]


class UntrainedNetwork(torch.nn.Identity):
    """A model that scripts.train takes for a network."""

    is_neural = True


class UntrainedClassifier(UntrainedNetwork):
    """A model that scripts.train takes for a head or a classifier."""

    is_neural = False
    config = MODELS["whisper"][1]


@pytest.mark.slow
def test_train_ends_with_a_calibrated_checkpoint(workplace, small_networks, capsys):
    assert train.main([*FOLD_0, "--run", "my run"]) == 0
    assert "Evaluate it: python -m scripts.evaluate 'runs/my run/checkpoint'" in capsys.readouterr().out
    model = load_model(workplace / "runs" / "my run" / "checkpoint")
    assert model.calibration != Calibration() and 0 < model.calibration.min_confidence < 1
    config = json.loads((workplace / "runs/my run/checkpoint/config.json").read_text())
    assert config["family"] == "resonet"
    assert config["training"] == {"protocol": "speaker-independent", "fold": "0", "n_clips": 36} | {
        "recipe": json.loads(json.dumps(asdict(replace(COMMON_RECIPE, epochs=2))))
    }


def test_a_run_records_its_command(workplace, small_networks):
    assert train.main([*FOLD_0, "--resume"]) == 0
    command = json.loads((workplace / "runs/x/config.json").read_text())["command"]
    assert command == f"python -m scripts.train {' '.join(FOLD_0)}"


def test_kept_epochs_are_compared_on_the_map(workplace, small_networks, monkeypatch):
    monkeypatch.setattr(paths, "EMBEDDINGS", workplace / "embeddings")
    monkeypatch.setattr(export_embeddings, "MAPS", (ProjectionConfig("pca"),))
    assert train.main([*FOLD_0, "--keep-epochs", "1", "2"]) == 0
    assert export_embeddings.main(["runs/x/epochs/1", "runs/x/epochs/2"]) == 0
    first, last = (atlas.load_atlas(name) for name in ("x-epoch-1", "x-epoch-2"))
    assert set(first.column("part")) == {"training", "development"} and first.version != last.version
    page = open_view("map")
    page.session_state["map"], page.session_state["second-space"] = "pca", "x-epoch-2"
    page.run()
    assert not page.exception and not page.error and page.selectbox(key="space").value == "x-epoch-1"
    assert len(page.get("plotly_chart")) == 2


def test_missing_recordings_are_counted(workplace, small_networks, capsys):
    assert train.main(FOLD_0[:-1]) == 2
    message = capsys.readouterr().err
    assert re.search(r"CREMA-D \(\d+ of 7435\), .*SAVEE \(480 of 480\)", message)
    assert "--partial" in message and not (workplace / "runs").exists()


@pytest.fixture
def stop_at(monkeypatch):
    """A function after which the training is interrupted at a step; it returns the list of the steps made."""

    def stop(step: int | None) -> list[int]:
        steps, fit = [], trainer.fit

        def interrupted(model, config, data, run, teachers, callbacks):
            def on_step(done: int, n_steps: int, loss: float) -> None:
                callbacks.on_step(done, n_steps, loss)
                steps.append(done)
                if step in (done, None):
                    raise KeyboardInterrupt

            return fit(model, config, data, run, teachers, replace(callbacks, on_step=on_step))

        monkeypatch.setattr(fitting, "fit", interrupted)
        return steps

    return stop


def test_an_interrupted_run_is_resumed(workplace, small_networks, capsys, monkeypatch, stop_at):
    stop_at(3)
    assert train.main(FOLD_0) == train.INTERRUPTED
    message = capsys.readouterr().err
    assert "runs/x" in message and "--resume" in message
    assert len((workplace / "runs/x/metrics.jsonl").read_text().splitlines()) == 1
    monkeypatch.setattr(fitting, "fit", trainer.fit)
    assert train.main(FOLD_0) == 2  # nothing is overwritten
    assert train.main([*FOLD_0, "--resume"]) == 0
    assert len((workplace / "runs/x/metrics.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(("model", "kept"), [("svm-egemaps", "functionals"), ("whisper", "encoder's outputs")])
def test_an_interruption_names_what_is_kept_of_a_training_without_epochs(monkeypatch, capsys, model, kept):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", interrupted)
    assert train.main([model]) == train.INTERRUPTED
    message = capsys.readouterr().err
    assert kept in message and "in the cache" in message and "epochs" not in message


def test_a_run_is_not_resumed_on_another_fold(workplace, small_networks, capsys):
    assert train.main(FOLD_0) == 0
    assert train.main([*FOLD_0, "--fold", "2", "--resume"]) == 2
    assert "recordings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "left"),
    [
        ("whisper", "checkpoint"),
        ("whisper", "tuning"),
        ("whisper-light", "config.json"),
        ("random-forest", "checkpoint"),
    ],
)
def test_no_model_overwrites_a_run(workplace, small_networks, monkeypatch, capsys, model, left):
    monkeypatch.setattr(recipes, "build_model", lambda name, config: UntrainedClassifier())
    (workplace / "runs" / "x" / left).mkdir(parents=True)
    assert train.main([model, "--fold", "0", "--run", "x", "--partial"]) == 2
    assert "x exists already. Continue it with --resume, or choose another --run." in capsys.readouterr().err


def test_a_head_is_not_resumed_with_other_settings(workplace, small_networks, capsys):
    (workplace / "runs" / "x").mkdir(parents=True)
    (workplace / "runs/x/config.json").write_text(json.dumps({"train": asdict(recipes.head_recipe({"seed": 1}))}))
    assert train.main(["whisper", "--fold", "0", "--run", "x", "--partial", "--resume"]) == 2
    assert "x was started with another config" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", [name for name in MODELS if name not in RECIPES_BY_MODEL and MODELS[name][0] != "whisper"]
)
def test_every_model_from_scratch_is_trained_by_the_same_recipe(workplace, monkeypatch, name):
    asked = []
    monkeypatch.setattr(recipes, "build_model", lambda name, config: asked.append(name) or UntrainedNetwork())
    monkeypatch.setattr(fitting, "fit", lambda model, config, *rest: asked.append(config))
    monkeypatch.setattr(train, "export", lambda *arguments: None)
    assert train.main([name, "--fold", "0", "--partial"]) == 0
    assert asked == [name, COMMON_RECIPE]


@pytest.fixture
def asked(workplace, monkeypatch):
    """A function that runs train without training: the recipe that it asked for."""
    seen = []
    monkeypatch.setattr(recipes, "build_model", lambda name, config: UntrainedNetwork())
    monkeypatch.setattr(fitting, "fit", lambda model, config, *rest: seen.append(config))
    monkeypatch.setattr(train, "export", lambda *arguments: None)

    def ask(*flags: str) -> TrainConfig:
        assert train.main(["simple-cnn", "--fold", "0", "--partial", *flags]) == 0
        return seen.pop()

    return ask


def test_a_model_is_trained_by_the_recipe_of_a_checkpoint(asked, tmp_path):
    """Recipes change; a shipped checkpoint stays reproducible."""
    made = replace(COMMON_RECIPE, epochs=7, seed=5, bf16=False, draws={"tess": 0.1}, augment=AugmentConfig(warp=0.01))
    (tmp_path / "config.json").write_text(json.dumps({"training": {"recipe": asdict(made)}}))
    assert asked("--recipe", str(tmp_path)) == made
    assert asked("--recipe", str(tmp_path), "--seed", "2") == replace(made, seed=2)
    assert asked("--float32", "--epochs", "3") == replace(COMMON_RECIPE, bf16=False, epochs=3)


def test_single_values_of_the_recipe_are_set_by_name(asked, capsys):
    assert asked("--set", "augment.warp=0.02", "learning_rate=1e-2") == override_config(
        replace(COMMON_RECIPE, learning_rate=1e-2), "augment.warp", 0.02
    )
    for wrong, message in (("warp=0.1", "'warp'"), ("model.width=3", "'width'")):
        assert train.main(["simple-cnn", "--fold", "0", "--partial", "--set", wrong]) == 2
        assert message in capsys.readouterr().err


def test_single_values_of_the_architecture_are_set_by_name(workplace, monkeypatch):
    seen = []
    monkeypatch.setattr(recipes, "build_model", lambda name, config: seen.append(config) or UntrainedNetwork())
    monkeypatch.setattr(fitting, "fit", lambda *arguments, **named: None)
    monkeypatch.setattr(train, "export", lambda *arguments: None)
    flags = ["--set", "model.channels=[8, 8, 8, 8]", "model.dropout=0.5"]
    assert train.main(["resonet", "--fold", "0", "--partial", *flags]) == 0
    assert seen == [replace(MODELS["resonet"][1], channels=(8, 8, 8, 8), dropout=0.5)]


def test_several_flags_with_values_add_up(asked):
    assert asked("--set", "epochs=5", "--set", "learning_rate=1e-2") == replace(
        COMMON_RECIPE, epochs=5, learning_rate=1e-2
    )


def test_side_tasks_are_set_by_name(workplace, small_networks, crema_d, capsys):
    (crema_d / "crema_d").mkdir(exist_ok=True)
    votes = crema_d / "crema_d" / "voice_votes.csv"
    asked = [*FOLD_0, "--set", "side_tasks.votes=0.3"]
    assert train.main([*FOLD_0, "--set", "side_tasks.vote=0.3"]) == 2
    assert "functionals, votes" in capsys.readouterr().err
    assert train.main(asked) == 2
    assert "crema_d/voice_votes.csv" in capsys.readouterr().err
    try:
        names = [path.stem for path in crema_d.rglob("*.wav")]
        votes.write_text("clip,angry,sad\n" + "".join(f"{name},3,1\n" for name in names))
        assert train.main([*asked[:-4], "voted", "--partial", *asked[-2:]]) == 0
    finally:
        votes.unlink()  # the other tests have none
    recipe = json.loads((workplace / "runs/voted/checkpoint/config.json").read_text())["training"]["recipe"]
    assert recipe["side_tasks"] == {"votes": 0.3}


@pytest.mark.parametrize("wrong", ["warp", "augment.warp=much"])
def test_a_value_that_is_none_is_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        train.main(["resonet", "--set", wrong])
    assert f"--set: '{wrong}' is not NAME=VALUE with a value in JSON" in capsys.readouterr().err


def test_experiments_are_logged_with_what_was_changed(workplace, small_networks, monkeypatch, capsys):
    monkeypatch.setattr(paths, "EXPERIMENT_LOG", workplace / "log.jsonl")
    first = [*FOLD_0, "--log", "the start"]
    assert train.main(first) == 0
    again = [*FOLD_0[:-2], "y", "--partial", "--log", "less warp", "--set", "augment.warp=0.02", "model.dropout=0.2"]
    assert train.main(again) == 0
    one, other = read_experiments()
    assert (one.purpose, one.changes, one.kept) == ("the start", {}, True)
    assert one.kind == other.kind == ("resonet", "speaker-independent", "0", 2)
    assert other.changes == {"augment.warp": 0.02, "model.dropout": 0.2}
    assert other.kept == (other.mean_uar > one.mean_uar)
    assert one.dev_uar.keys() == {"crema_d"} and one.seconds > 0
    assert "logged: " in capsys.readouterr().out


def test_a_checkpoint_without_a_recipe_is_refused(workplace, small_networks, capsys):
    assert train.main([*FOLD_0, "--recipe", str(workplace / "nothing")]) == 2
    assert "--recipe" in capsys.readouterr().err


@pytest.mark.slow
def test_a_student_is_distilled_from_a_finished_run(workplace, small_networks, capsys):
    assert train.main(FOLD_0) == 0
    teacher = "runs/x/checkpoint"
    student = [*FOLD_0[:-2], "student", "--partial", "--teachers", teacher]
    assert train.main(student) == 2 and "distillation" in capsys.readouterr().err
    assert train.main([*student, "--set", "distillation=0.9"]) == 0
    training = json.loads((workplace / "runs/student/checkpoint/config.json").read_text())["training"]
    assert training["teachers"] == ["x"] and training["recipe"]["distillation"] == 0.9
    assert training["teachers_trained_on"] == [{"protocol": "speaker-independent", "fold": "0"}]


@pytest.mark.parametrize("fold", ["1", None])
def test_a_teacher_of_another_split_is_refused(workplace, small_networks, capsys, fold):
    """It may have been trained on test clips."""
    training = {"protocol": "speaker-independent", "fold": fold} if fold else {}
    (workplace / "config.json").write_text(json.dumps({"training": training}))
    assert train.main([*FOLD_0, "--teachers", str(workplace), "--set", "distillation=0.5"]) == 2
    assert "speaker-independent-0" in capsys.readouterr().err and not Path("runs").exists()


def test_start_weights_that_leak_test_clips_are_refused(workplace, capsys, small_networks):
    """Directly, or because they were started from such weights themselves."""
    start = workplace / "start"
    start.mkdir()
    source = {"protocol": "speaker-independent", "fold": "1"}  # fold 0 is in its training part
    for training in (source, {"protocol": "speaker-independent", "fold": "0", "start_trained_on": [source]}):
        (start / "config.json").write_text(json.dumps({"training": training}))
        assert train.main([*FOLD_0, "--start", str(start)]) == 2
        message = capsys.readouterr().err
        assert "speaker-independent-1" in message and "leak" in message
    assert not (workplace / "runs").exists()


def test_train_trains_and_calibrates_on_the_parts_of_the_protocol(workplace, monkeypatch):
    seen = {}
    monkeypatch.setattr(fitting, "fit", lambda model, config, data, *rest: seen.update(train=data.train, dev=data.dev))
    monkeypatch.setattr(train, "export", lambda model, family, folder, data, *_: seen.update(calibrated=data.dev))
    assert train.main(FOLD_0) == 0
    speakers = {part: {clip.id.split("/")[1][:4] for clip in found} for part, found in seen.items()}
    assert speakers == {"train": {"1037", "1038", "1039"}, "dev": {"1019"}, "calibrated": {"1019"}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resonet", "--fold", "9"], "0, 1, 2, 3, 4"),
        (["resonet"], "0, 1, 2, 3, 4"),
        (["resonet", "--protocol", "resonet", "--fold", "0"], "fold"),
        (["resonet", "--protocol", "leave-one-corpus-out", "--fold", "crema_d", "--partial"], "clip"),
    ],
)
def test_errors_name_their_cause(workplace, small_networks, capsys, arguments, message):
    assert train.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_train_without_decoded_recordings_names_the_command(workplace, capsys, monkeypatch):
    monkeypatch.setenv("SER_CACHE", str(workplace / "empty"))
    assert train.main(FOLD_0) == 2
    assert "scripts.prepare_corpora" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["resnet"], ["resonet", "--protocol", "random"]])
def test_train_offers_only_what_exists(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        train.main(arguments)
    assert end.value.code == 2 and re.search("resonet.*|speaker-independent", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["whisper", "--log", "why", "--keep-epochs", "1"], "whisper is trained without --log, --keep-epochs"),
        (["whisper-light", "--teachers", "x", "--float32", "--mfcc"], "without --teachers, --float32, --mfcc"),
        (["svm-egemaps", "--epochs", "3", "--recipe", "x"], "svm-egemaps is trained without --recipe, --epochs"),
        (["resonet", "--run", "../x"], "--run ../x: give a plain name"),
        (["resonet", "--run", ".."], "--run ..: give a plain name"),
    ],
)
def test_flags_without_effect_are_refused(arguments, message, workplace, capsys):
    with pytest.raises(SystemExit):
        train.main([*arguments, "--fold", "0", "--partial"])
    assert message in capsys.readouterr().err


def test_an_epoch_that_never_comes_and_words_of_no_folder_are_refused(workplace, small_networks, capsys):
    assert train.main([*FOLD_0, "--keep-epochs", "1", "3"]) == train.main([*FOLD_0, "--map", "joy=happy"]) == 2
    message = capsys.readouterr().err
    assert "--keep-epochs 3: the training has 2 epochs" in message and "--map is for the words of --folder" in message
    assert not (workplace / "runs").exists()


@pytest.mark.parametrize("device", ["banana", "cuda:99"])
def test_a_device_that_does_not_exist_is_refused(device, capsys):
    assert train.main(["resonet", "--fold", "0", "--device", device]) == 2
    assert re.search(f"{device}.*cpu", capsys.readouterr().err)


@pytest.mark.slow
def test_sigterm_leaves_a_state_to_resume(workplace, stop_at):
    folder, arguments = workplace / "runs" / "x", [*FOLD_0, "--epochs", "1000"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        [sys.executable, "-m", "scripts.train", *arguments], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 120
        while not (folder / "state.safetensors").is_file() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        running.send_signal(signal.SIGTERM)
    assert running.wait(30) == -signal.SIGTERM
    with safe_open(folder / "state.safetensors", "pt") as file:
        epoch, step = (int(file.metadata()[name]) for name in ("epoch", "step"))
    assert epoch >= 1
    steps = stop_at(None)
    assert train.main([*arguments, "--resume"]) == train.INTERRUPTED
    assert steps == [step + 1]
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == epoch


def test_damaged_recordings_are_named_with_the_cure(workplace, small_networks, cache, monkeypatch, capsys):
    own = shutil.copytree(cache, workplace / "cache")
    samples = bytearray((own / "audio.i16").read_bytes())
    samples[2000] ^= 1
    (own / "audio.i16").write_bytes(samples)
    monkeypatch.setenv("SER_CACHE", str(own))
    assert train.main(FOLD_0) == 2
    assert re.search(r"samples of crema_d/\S+ are damaged.*scripts\.prepare_corpora", capsys.readouterr().err)
