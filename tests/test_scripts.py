"""The command lines: what they print, what they write, and how they end."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from scripts import evaluate, make_protocols, predict, prepare_corpora, train
from ser_core.card import model_card
from ser_core.checkpoint import Calibration, load_model, save_model
from ser_core.inference import predict_windows
from ser_core.labels import EMOTIONS
from ser_core.models import FAMILIES
from ser_core.protocols import SHARES_SPEAKERS, split
from ser_core.training import TrainConfig
from tests.make_corpus import voice, write_crema_d, write_wav

ROOT = Path(__file__).parent.parent


@pytest.fixture
def good(tmp_path, speech) -> str:
    return str(write_wav(tmp_path / "good.wav", speech))


@pytest.fixture
def bad(tmp_path) -> str:
    (tmp_path / "bad.wav").write_text("this is no sound")
    return str(tmp_path / "bad.wav")


# --- predict ---------------------------------------------------------------------------------------------------------

FIELDS = {
    *("file", "model", "duration_s", "speech_s", "emotion", "confidence", "probabilities", "top3"),
    *("abstain", "reason", "start_s", "end_s", "notes"),
}


def lines(capsys) -> list[dict]:
    """One JSON object a line."""
    return [json.loads(line, parse_constant=pytest.fail) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def predicted(checkpoints, capsys):
    """A function that runs `predict` with JSON out: exit code and records."""
    return lambda *arguments: (predict.main(list(arguments)), lines(capsys))


def test_predict_writes_one_json_object_for_each_file(predicted, good):
    code, (record,) = predicted(good, "--model", "small")
    assert code == 0 and set(record) == FIELDS
    assert (record["file"], record["model"]) == (good, "small")
    assert list(record["probabilities"]) == list(EMOTIONS) and sum(record["probabilities"].values()) == pytest.approx(1)
    assert record["top3"][0] == [record["emotion"], record["confidence"]] and len(record["top3"]) == 3
    assert record["duration_s"] == pytest.approx(6.6, abs=0.01) and 3 < record["speech_s"] < 6.6
    assert isinstance(record["abstain"], bool) and (record["reason"] == "") != record["abstain"]


def test_predict_writes_windows_when_asked(predicted, good, speech):
    code, (record,) = predicted(good, "--model", "small", "--windows")
    assert code == 0 and set(record) == FIELDS | {"windows"}
    expected = predict_windows(load_model("small"), speech)
    assert len(record["windows"]) == len(expected.start_s) > 2
    for window, emotion in zip(record["windows"], expected.emotions, strict=True):
        assert set(window) == {"start_s", "end_s", "speech_s", "emotion", "probabilities"}
        assert window["emotion"] == emotion and list(window["probabilities"]) == list(EMOTIONS)


def test_a_bad_file_is_named_and_the_others_still_run(predicted, good, bad, tmp_path):
    gone, folder = str(tmp_path / "gone.wav"), str(tmp_path)
    code, records = predicted(bad, good, gone, folder, good, "--model", "small")
    assert code == 2
    assert ["error" in record for record in records] == [True, False, True, True, False]
    for record, file in zip(records, (bad, good, gone, folder, good), strict=True):
        assert record["file"] == file
        if "error" in record:
            assert set(record) == {"file", "error"} and record["error"].endswith(".")


def test_several_models_answer_side_by_side(predicted, good):
    code, records = predicted(good, "--model", "small", "--model", "other")
    assert code == 0 and [record["model"] for record in records] == ["small", "other"]
    assert records[0]["probabilities"] != records[1]["probabilities"]


def test_without_a_name_the_first_model_answers(predicted, good):
    assert predicted(good)[1][0]["model"] == "other"


def test_notes_say_what_was_left_out(predicted, good):
    half = Path(good).read_bytes()[:100_000]
    Path(good).write_bytes(half)
    code, (record,) = predicted(good)
    assert code == 0 and "ends early" in record["notes"][0]


@pytest.mark.parametrize(
    "name", ['quote".wav', "<b>&.wav", "\N{GRINNING FACE}.wav", "new\nline.wav", "a,b;c.wav", "-x.wav"]
)
@pytest.mark.parametrize("form", ["json", "csv", "text"])
def test_any_file_name_comes_back_as_it_was(checkpoints, capsys, tmp_path, form, name):
    path = str(write_wav(tmp_path / name, voice(150, 0)))
    assert predict.main([path, "--format", form]) == 0
    out = capsys.readouterr().out
    if form == "json":
        assert json.loads(out)["file"] == path and out.count("\n") == 1
    elif form == "csv":
        assert next(csv.DictReader(out.splitlines(keepends=True)))["file"] == path
    else:
        assert path in out


@pytest.mark.parametrize("form", ["json", "csv", "text"])
def test_a_file_name_that_is_no_utf8_does_not_stop_the_others(checkpoints, capsys, tmp_path, good, form):
    path = tmp_path / os.fsdecode(b"\xff.wav")
    path.write_bytes(Path(good).read_bytes())
    assert predict.main([str(path), good, "--format", form]) == 0
    assert good in capsys.readouterr().out


def table(capsys) -> list[dict[str, str]]:
    return list(csv.DictReader(capsys.readouterr().out.splitlines(keepends=True)))


def test_predict_as_csv(checkpoints, capsys, good, bad):
    assert predict.main([good, bad, "--model", "small", "--format", "csv"]) == 2
    answered, failed = table(capsys)
    assert (answered["file"], answered["model"], answered["error"]) == (good, "small", "")
    values = {emotion: float(answered[emotion]) for emotion in EMOTIONS}
    assert sum(values.values()) == pytest.approx(1) and max(values, key=values.get) == answered["emotion"]
    assert float(answered["confidence"]) == max(values.values())
    assert failed["file"] == bad and failed["error"] and failed["emotion"] == ""


def test_predict_windows_as_csv(checkpoints, capsys, good):
    assert predict.main([good, "--model", "small", "--windows", "--format", "csv"]) == 0
    rows = table(capsys)
    assert len(rows) > 2 and {row["file"] for row in rows} == {good}
    assert [float(row["start_s"]) for row in rows] == sorted({float(row["start_s"]) for row in rows})
    for row in rows:
        assert max(EMOTIONS, key=lambda emotion: float(row[emotion])) == row["emotion"]


def test_predict_as_text(checkpoints, capsys, good, bad, tmp_path):
    silent = str(write_wav(tmp_path / "silent.wav", np.zeros(16_000)))
    assert predict.main([good, bad, silent, "--model", "small", "--format", "text", "--windows"]) == 2
    out = capsys.readouterr().out.splitlines()
    assert (
        out[0].startswith(f"{good}: ") and "(small, " in out[0] and re.search(r"\w+ \d+%, \w+ \d+%, \w+ \d+%", out[0])
    )
    assert re.fullmatch(r" +0\.\d\d-\d\.\d\d s  \w+ \d+%", out[1])
    assert any(line.startswith(f"{bad}: ") for line in out)
    assert any(line.startswith(f"{silent}: ") and "No speech was found" in line for line in out)


def test_an_unknown_model_lists_what_exists(checkpoints, capsys, good):
    assert predict.main([good, "--model", "large"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "There are: other, small" in captured.err


def test_the_exit_code_reaches_the_shell(tmp_path):
    command = [sys.executable, "-m", "scripts.predict", "nothing.wav", "--model", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "has no config.json" in done.stderr and "Traceback" not in done.stderr


# --- README ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="README.md is not written yet")
def test_the_readme_example_runs(checkpoints, new_model, tmp_path, monkeypatch, capsys):
    save_model(new_model(), checkpoints / "resonet", "resonet", Calibration(), {})
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    (example, *_) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 4 and printed[0].split()[0] in EMOTIONS
    assert all(line.split()[2] in EMOTIONS for line in printed[1:])


# --- prepare_corpora -------------------------------------------------------------------------------------------------


@pytest.fixture
def corpora(tmp_path, monkeypatch) -> Path:
    """SER_CORPORA and SER_CACHE for one test: two speakers of test fold 0, six emotions, one sentence."""
    folder = write_crema_d(tmp_path / "corpora", speakers=("1001", "1002"), sentences=("DFA",))
    monkeypatch.setenv("SER_CORPORA", str(folder))
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    return folder


def test_prepare_prints_a_table(corpora, capsys):
    assert prepare_corpora.main() == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["corpus", "files", "speakers", "hours", *EMOTIONS]
    assert row.split() == ["crema_d", "12", "2", "0.00", "2", "0", "2", "2", "2", "2", "2", "0"]
    assert prepare_corpora.main() == 0 and capsys.readouterr().out.splitlines() == [header, row]


def test_prepare_lists_what_it_does_not_use(corpora, capsys):
    write_wav(corpora / "AudioWAV" / "1076_MTI_SAD_XX.wav", voice(150, 0))
    write_wav(corpora / "holiday.wav", voice(150, 0))
    (corpora / "AudioWAV" / "1001_DFA_ANG_XX.wav").write_text("no sound")
    assert prepare_corpora.main() == 2
    out = capsys.readouterr().out
    assert re.search(r"left out: 1\n +AudioWAV/1076_MTI_SAD_XX\.wav: digital silence", out)
    assert re.search(r"could not be read: 1\n +1001_DFA_ANG_XX\.wav: .+", out)
    assert re.search(r"fit no grammar: 1\n +holiday\.wav", out)


@pytest.mark.parametrize("script", [prepare_corpora, make_protocols])
@pytest.mark.parametrize("state", ["missing", "empty"])
def test_without_recordings_the_scripts_say_what_to_do(tmp_path, monkeypatch, capsys, script, state):
    if state == "empty":
        (tmp_path / "corpora").mkdir()
    monkeypatch.setenv("SER_CORPORA", str(tmp_path / "corpora"))
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    assert script.main() == 2
    assert re.search("Set SER_CORPORA|No recording of a known corpus", capsys.readouterr().err)
    assert not (tmp_path / "cache").exists()


# --- evaluate --------------------------------------------------------------------------------------------------------


def test_evaluate_writes_and_reproduces_its_figures(corpora, checkpoints, capsys):
    assert evaluate.main(["small"]) == 0
    assert "holds no figures" in capsys.readouterr().out
    assert evaluate.main(["small", "--write"]) == 0
    written = json.loads((checkpoints / "small" / "metrics.json").read_text())
    assert (written["protocol"], written["fold"], written["pooled"]["n_clips"]) == ("speaker-independent", "0", 12)
    capsys.readouterr()
    assert evaluate.main(["small"]) == 0
    out = capsys.readouterr().out
    assert "equal to small/metrics.json" in out and re.search(r"^crema_d +12 +2 ", out, re.M)
    assert "3485 of 3497 test recordings are not in the corpora folder" in out


def test_evaluate_notices_a_figure_that_is_not_reproduced(corpora, checkpoints, capsys):
    evaluate.main(["small", "--write"])
    path = checkpoints / "small" / "metrics.json"
    recorded = json.loads(path.read_text())
    recorded["pooled"]["uar"] += 0.0001
    path.write_text(json.dumps(recorded))
    assert evaluate.main(["small"]) == 1
    assert "DIFFERENT FROM small/metrics.json" in capsys.readouterr().out


def test_evaluate_writes_a_model_card_with_measured_figures(corpora, checkpoints):
    evaluate.main(["small", "--write"])
    card = (checkpoints / "small" / "README.md").read_text()
    pooled = json.loads((checkpoints / "small" / "metrics.json").read_text())["pooled"]
    assert f"{100 * pooled['uar']:.1f} [{100 * pooled['uar_ci'][0]:.1f}, " in card
    assert f"{load_model('small').n_parameters():,} parameters" in card
    assert "## Intended use" in card and "not" in card and "AI\nAct" in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["large"], "There are: other, small"),
        (["small", "--fold", "7"], "There are: 0, 1, 2, 3, 4"),
        (["small", "--protocol", "leave-one-corpus-out"], "There are: crema_d, ravdess, savee, tess"),
    ],
)
def test_evaluate_lists_what_exists(corpora, checkpoints, capsys, arguments, message):
    assert evaluate.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_evaluate_refuses_clips_that_were_trained_on(corpora, checkpoints, capsys):
    assert evaluate.main(["small", "--protocol", "resonet"]) == 2
    assert re.search(
        r"\d+ of the 1544 test clips were in the training or development part of this model", capsys.readouterr().err
    )


def test_evaluate_says_that_a_protocol_shares_speakers(corpora, checkpoints, capsys, new_model):
    speaker = next(i for i in split("resonet").test if i.startswith("crema_d/")).split("/")[1][:4]
    write_crema_d(corpora, speakers=(speaker,), sentences=("DFA",))
    save_model(new_model(), checkpoints / "small", "resonet", Calibration(), {"protocol": "resonet", "fold": None})
    assert evaluate.main(["small"]) == 0
    assert "shares speakers on SAVEE and TESS" in capsys.readouterr().out


def test_evaluate_stops_at_an_unreadable_recording(corpora, checkpoints, capsys):
    (corpora / "AudioWAV" / "1002_DFA_SAD_XX.wav").write_bytes(b"RIFF")
    assert evaluate.main(["small", "--write"]) == 2
    assert capsys.readouterr().err and not (checkpoints / "small" / "metrics.json").exists()


@pytest.mark.parametrize("missing", ["how it was trained", "every test recording"])
def test_evaluate_says_what_is_missing(corpora, checkpoints, capsys, new_model, missing):
    if missing == "how it was trained":
        save_model(new_model(), checkpoints / "small", "resonet", Calibration(), {})
    for path in corpora.rglob("*.wav") if missing == "every test recording" else ():
        path.rename(path.with_name(path.name.replace("100", "102")))  # a training speaker
    assert evaluate.main(["small"]) == 2
    assert capsys.readouterr().err


def test_the_card_of_a_protocol_that_shares_speakers_says_so(checkpoints, corpora):
    evaluate.main(["small", "--write"])
    config, metrics = (
        json.loads((checkpoints / "small" / name).read_text()) for name in ("config.json", "metrics.json")
    )
    card = model_card("small", config, metrics | {"protocol": "resonet", "fold": None}, 1000)
    assert SHARES_SPEAKERS["resonet"] in card and "it has never heard" not in card


# --- train -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def workplace(tmp_path, monkeypatch, crema_d, cache) -> Path:
    """A working folder with decoded recordings, where runs/ is written."""
    monkeypatch.setenv("SER_CORPORA", str(crema_d))
    monkeypatch.setenv("SER_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small_networks(monkeypatch, new_model):
    monkeypatch.setattr(train, "build_model", lambda family: new_model().train())


FOLD_0 = ["resonet", "--protocol", "speaker-independent", "--fold", "0", "--epochs", "2", "--run", "x"]


def test_train_ends_with_a_calibrated_checkpoint(workplace, small_networks, capsys):
    assert train.main(FOLD_0) == 0
    model = load_model(workplace / "runs" / "x" / "checkpoint")
    assert model.calibration != Calibration() and 0 < model.calibration.min_confidence < 1
    config = json.loads((workplace / "runs/x/checkpoint/config.json").read_text())
    assert config["family"] == "resonet"
    assert config["training"] == {"protocol": "speaker-independent", "fold": "0"} | {
        "recipe": json.loads(json.dumps(asdict(TrainConfig(epochs=2))))
    }
    printed = capsys.readouterr()
    assert "8940 of 8976 recordings of this part are not in the cache" in printed.out + printed.err


def test_ctrl_c_says_how_to_go_on_and_resume_goes_on(workplace, small_networks, capsys, monkeypatch):
    def interrupted(*arguments):
        *first, show = arguments

        def on_step(step, n_steps, loss):
            show(step, n_steps, loss)
            if step == 3:
                raise KeyboardInterrupt

        return fit(*first, on_step)

    fit = train.fit
    with monkeypatch.context() as patch:
        patch.setattr(train, "fit", interrupted)
        assert train.main(FOLD_0) == 130
    assert "runs/x" in (said := capsys.readouterr().err) and "--resume" in said
    assert len((workplace / "runs/x/metrics.jsonl").read_text().splitlines()) == 1
    assert train.main(FOLD_0) == 2  # nothing is overwritten
    assert train.main([*FOLD_0, "--resume"]) == 0
    assert len((workplace / "runs/x/metrics.jsonl").read_text().splitlines()) == 2


def test_a_run_is_not_resumed_on_another_fold(workplace, small_networks, capsys):
    assert train.main(FOLD_0) == 0
    assert train.main([*FOLD_0, "--fold", "2", "--resume"]) == 2
    assert "other recordings" in capsys.readouterr().err


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_trained_by_the_same_recipe(workplace, monkeypatch, family):
    asked = []
    monkeypatch.setattr(train, "build_model", lambda family: asked.append(family) or torch.nn.Identity())
    monkeypatch.setattr(train, "fit", lambda model, tr, dev, store, config, *rest: asked.append(config))
    monkeypatch.setattr(train, "ship", lambda *arguments: None)
    assert train.main([family, "--fold", "0"]) == 0
    assert asked == [family, TrainConfig()]


def test_train_trains_and_calibrates_on_the_parts_of_the_protocol(workplace, monkeypatch):
    seen = {}
    monkeypatch.setattr(train, "fit", lambda model, tr, dev, *rest: seen.update(train=tr, dev=dev))
    monkeypatch.setattr(train, "ship", lambda model, family, folder, dev, training: seen.update(calibrated=dev))
    assert train.main(FOLD_0) == 0
    speakers = {part: {clip.id.split("/")[1][:4] for clip in found} for part, found in seen.items()}
    assert speakers == {"train": {"1037", "1038", "1039"}, "dev": {"1019"}, "calibrated": {"1019"}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resonet", "--fold", "9"], "There are: 0, 1, 2, 3, 4"),
        (["resonet"], "There are: 0, 1, 2, 3, 4"),
        (["resonet", "--protocol", "resonet", "--fold", "0"], "takes no fold"),
        (["resonet", "--protocol", "leave-one-corpus-out", "--fold", "crema_d"], "No clip to train on"),
    ],
)
def test_train_says_what_is_wrong(workplace, small_networks, capsys, arguments, message):
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


def test_sigterm_leaves_a_state_that_goes_on(workplace, monkeypatch):
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
    steps = []

    def first_step(*arguments):
        def on_step(step, n_steps, loss):
            steps.append(step)
            raise KeyboardInterrupt

        return fit(*arguments[:-1], on_step)

    fit = train.fit
    monkeypatch.setattr(train, "fit", first_step)
    assert train.main([*arguments, "--resume"]) == 130
    assert steps == [step + 1]
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == epoch
