"""The command lines: what they print, what they write, and how they end."""

import csv
import hashlib
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

import numpy as np
import pytest
import torch
from safetensors import safe_open

from scripts import (
    corpus_statistics as explore,
    evaluate,
    export_embeddings,
    make_protocols,
    predict,
    prepare_corpora,
    readme_tables,
    robustness,
    train,
    train_tables,
)
from scripts.bench import benchmark
from ser_core import paths
from ser_core.audio.degradations import add_white_noise, change_gain
from ser_core.audio.io import load_audio
from ser_core.data import protocols
from ser_core.data.corpora import CREMA_EMOTIONS, parse_filename
from ser_core.data.protocols import SPEAKER_OVERLAP, protocol_split
from ser_core.evaluation import evaluator as evaluation, results
from ser_core.evaluation.evaluator import PredictionTable, compute_metrics
from ser_core.evaluation.model_card import render_model_card
from ser_core.inference.prediction import predict_windows
from ser_core.interpret import atlas
from ser_core.interpret.projection import ProjectionConfig
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import DEFAULT_MODEL, Calibration, CheckpointError, load_model, save_model
from ser_core.models.registry import MODELS
from ser_core.training import experiments
from ser_core.training.augment import AugmentConfig
from ser_core.training.recipes import (
    COMMON_RECIPE,
    RECIPES_BY_MODEL,
    checkpoint_recipe,
    flatten_config,
    override_config,
    recipe_for_model,
)
from ser_core.training.trainer import TrainConfig, TrainingError
from tests.make_corpus import voice, write_crema_d, write_wav
from tests.make_page import open_page

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def good(tmp_path, speech) -> str:
    return str(write_wav(tmp_path / "good.wav", speech))


@pytest.fixture
def bad(tmp_path) -> str:
    (tmp_path / "bad.wav").write_text("this is no sound")
    return str(tmp_path / "bad.wav")


# --- predict ---------------------------------------------------------------------------------------------------------

FIELDS = {
    *("file", "model", "version", "duration_s", "speech_s", "emotion", "confidence", "probabilities", "top3"),
    *("abstain", "reason", "start_s", "end_s", "novelty", "notes"),
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
    save_model(new_model(), checkpoints / DEFAULT_MODEL, "resonet", Calibration(), {})
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

FOLD_0_PART = ("crema_d-1001", "crema_d-1002", "crema_d-1019", "crema_d-1037")  # two of test, one of dev, one of train


@pytest.fixture
def workbench(tmp_path, monkeypatch, corpora, checkpoints) -> Path:
    """The folder of the results; of speaker-independent only the clips that `corpora` has, and some to train on."""
    folder = tmp_path / "protocols"
    shutil.copytree(paths.PROTOCOLS, folder)
    path = folder / "speaker-independent.csv"
    head, *rows = path.read_text().splitlines()
    kept = [row for row in rows if row.split(",")[2] in FOLD_0_PART and "_DFA_" in row]
    path.write_text("\n".join([head, *kept]) + "\n")
    monkeypatch.setattr(paths, "PROTOCOLS", folder)
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    return tmp_path / "results" / "speaker-independent-0"


def said(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code of `evaluate`, what it printed, and its complaints."""
    code = evaluate.main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_evaluate_writes_and_reproduces_its_figures(workbench, checkpoints, capsys):
    code, out, _ = said(capsys, "small")
    assert code == 0 and "no result speaker-independent-0/small.json to compare with" in out
    assert said(capsys, "small", "--write")[0] == 0
    result = results.load_result(workbench / "small.json")
    own = json.loads((checkpoints / "small" / "metrics.json").read_text())
    assert own == {"protocol": "speaker-independent", "fold": "0"} | result.metrics and own["pooled"]["n_clips"] == 12
    assert (result.model, result.family, result.leak) == ("small", "resonet", False)
    assert result.cost["n_parameters"] == load_model("small").n_parameters()
    code, out, _ = said(capsys, "small")
    assert code == 0 and re.search(r"^crema_d +12 +2 ", out, re.M)
    assert "equal to speaker-independent-0/small.json" in out and "equal to small/metrics.json" in out


def test_a_result_says_where_it_comes_from(workbench, checkpoints):
    evaluate.main(["small", "--write"])
    found = results.load_result(workbench / "small.json").provenance
    weights = (checkpoints / "small" / "model.safetensors").read_bytes()
    assert found["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert found["protocol_sha256"] == results.protocol_sha256("speaker-independent")
    command = "python -m scripts.evaluate small --protocol speaker-independent --fold 0 --write"
    assert found["command"] == command and found["code_version"] and found["bootstrap_seed"] == 0


def test_the_command_in_a_result_makes_it_again(workbench, checkpoints, monkeypatch, capsys):
    monkeypatch.chdir(checkpoints.parent)
    (checkpoints / "other").rename("mine")
    assert said(capsys, "mine", "--write", "--name", "theirs")[0] == 0
    before = json.loads((workbench / "theirs.json").read_text())
    assert evaluate.main(before["provenance"]["command"].split()[3:]) == 0
    after = json.loads((workbench / "theirs.json").read_text())
    assert before | {"cost": None} == after | {"cost": None}
    evaluate.main([str(checkpoints.parent / "mine"), "--write", "--name", "theirs"])
    assert str(checkpoints.parent) not in (workbench / "theirs.json").read_text()


@pytest.mark.parametrize("file", ["small.json", "metrics.json"])
def test_evaluate_notices_a_figure_that_is_not_reproduced(workbench, checkpoints, capsys, file):
    evaluate.main(["small", "--write"])
    path = workbench / file if file == "small.json" else checkpoints / "small" / file
    content = json.loads(path.read_text())
    content.get("metrics", content)["pooled"]["uar"] += 0.0001
    path.write_text(json.dumps(content))
    code, out, _ = said(capsys, "small")
    assert code == 1 and f"/{file}" in out.split("DIFFERENT FROM ")[1].splitlines()[0] and "  pooled.uar: " in out


def test_models_share_the_decoding_of_a_recording(workbench, capsys, monkeypatch):
    decoded = []
    monkeypatch.setattr(evaluation, "load_audio", lambda path: decoded.append(path) or load_audio(path))
    assert said(capsys, "all", "--write")[0] == 0
    assert len(decoded) == 12 and {p.stem for p in results.list_results()} == {"small", "other"}
    code, out, _ = said(capsys, "small", "other")
    assert code == 0 and out.count("equal to") == 4 and "DIFFERENT" not in out


def test_of_all_models_the_reason_of_each_that_is_left_out_is_said(workbench, checkpoints, capsys, new_model):
    training = {"protocol": "speaker-independent", "fold": "1"}
    save_model(new_model(), checkpoints / "other", "resonet", Calibration(), training)
    (checkpoints / "broken").mkdir()
    (checkpoints / "broken" / "config.json").write_text("{")
    code, out, err = said(capsys, "all", "--protocol", "speaker-independent", "--fold", "0")
    assert code == 0 and "small on speaker-independent-0" in out and "other on" not in out
    assert "other is left out: 12 of the 12 test clips" in err and "broken is left out: broken/config.json" in err


def test_with_fewer_recordings_the_rest_is_compared(workbench, corpora, capsys):
    evaluate.main(["small", "--write"])
    (corpora / "AudioWAV" / "1002_DFA_SAD_XX.wav").unlink()
    code, out, _ = said(capsys, "small")
    assert code == 0 and "CREMA-D 1 of 12" in out and "equal to speaker-independent-0/small.json" in out


def test_nothing_is_recorded_when_recordings_are_missing(workbench, corpora, checkpoints, capsys):
    for path in corpora.rglob("1002*.wav"):
        path.unlink()
    code, _, err = said(capsys, "small", "--write")
    assert code == 2 and "CREMA-D 6 of 12" in err and "Without --write, the 6 that are there can be measured" in err
    assert "Complete test parts: none" in err
    assert not workbench.exists() and not (checkpoints / "small" / "metrics.json").exists()


def test_when_recordings_are_missing_it_says_what_can_be_measured(workbench, corpora, capsys):
    code, _, err = said(capsys, "small", "--protocol", "leave-one-corpus-out", "--fold", "savee", "--write")
    assert code == 2 and "SAVEE 420 of 420" in err and "Complete test parts: speaker-independent-0." in err


def test_evaluate_writes_a_model_card_with_measured_figures(workbench, checkpoints):
    evaluate.main(["small", "--write"])
    card = (checkpoints / "small" / "README.md").read_text()
    pooled = json.loads((checkpoints / "small" / "metrics.json").read_text())["pooled"]
    assert f"{100 * pooled['uar']:.1f} [{100 * pooled['uar_ci'][0]:.1f}, " in card
    assert f"{load_model('small').n_parameters():,} parameters" in card
    assert "| CREMA-D | 1: 1037 | 1: 1019 | 2: 1001-1002 |" in card
    assert "Trained from scratch on CREMA-D;" in card and "CREMA-D ODbL 1.0." in card and "RAVDESS" not in card
    assert "## Intended use" in card and "not" in card and "AI\nAct" in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["large"], "There are: other, small"),
        (["small", "--fold", "7"], "There are: 0, 1, 2"),
        (["small", "--protocol", "leave-one-corpus-out"], "There are: crema_d, ravdess, savee, tess"),
        (["small", "--protocol", "resonet", "--fold", "1"], "takes no fold"),
    ],
)
def test_evaluate_lists_what_exists(workbench, capsys, arguments, message):
    code, _, err = said(capsys, *arguments)
    assert code == 2 and message in err


def test_an_unknown_protocol_lists_what_exists(capsys):
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(["small", "--protocol", "random"])
    err = capsys.readouterr().err
    assert all(name in err for name in protocols.PROTOCOLS)


@pytest.mark.parametrize("arguments", [["small", "other", "--name", "x"], ["small", "--name", "../x"]])
def test_a_name_is_for_one_result(capsys, arguments):
    with pytest.raises(SystemExit, match="2"):
        evaluate.main([*arguments, "--write"])
    assert "one plain name" in capsys.readouterr().err


def test_a_result_from_elsewhere_needs_a_name(workbench, checkpoints, capsys):
    folder = checkpoints.parent / "checkpoint"
    (checkpoints / "small").rename(folder)
    code, _, err = said(capsys, str(folder), "--write")
    assert code == 2 and "--name" in err
    assert said(capsys, str(folder), "--write", "--name", "tried")[0] == 0
    assert (workbench / "tried.json").is_file() and not (folder / "metrics.json").exists()


def test_evaluate_refuses_clips_that_were_trained_on(workbench, capsys):
    code, _, err = said(capsys, "small", "--protocol", "leave-one-corpus-out", "--fold", "crema_d")
    assert code == 2 and re.search(r"12 of the \d+ test clips were in the training or development part of small", err)


def test_a_leak_is_measured_on_purpose_only_and_never_shown_as_a_result(workbench, checkpoints, capsys, new_model):
    training = {"protocol": "speaker-independent", "fold": "1"}
    save_model(new_model(), checkpoints / "small", "resonet", Calibration(), training)
    arguments = ["small", "--protocol", "speaker-independent", "--fold", "0", "--write"]
    assert said(capsys, *arguments)[0] == 2 and not workbench.exists()
    code, _, err = said(capsys, *arguments, "--leak")
    assert code == 2 and "--name small-leak" in err and not workbench.exists()
    code, out, _ = said(capsys, *arguments, "--leak", "--name", "small-leak")
    found = results.load_result(workbench / "small-leak.json")
    assert code == 0 and "LEAK" in out and found.leak and "--leak" in found.provenance["command"]
    assert found.trained_on == training and not (checkpoints / "small" / "metrics.json").exists()


def test_under_another_protocol_than_its_own_only_the_result_is_written(workbench, checkpoints, capsys, new_model):
    save_model(
        new_model(), checkpoints / "small", "resonet", Calibration(), {"protocol": "ravdess-random", "fold": None}
    )
    assert said(capsys, "small", "--protocol", "speaker-independent", "--fold", "0", "--write")[0] == 0
    assert not results.load_result(workbench / "small.json").leak
    assert {path.name for path in (checkpoints / "small").iterdir()} == {"config.json", "model.safetensors"}


def test_the_flag_alone_makes_no_leak(workbench, capsys):
    assert "LEAK" not in said(capsys, "small", "--leak", "--write")[1]
    assert not results.load_result(workbench / "small.json").leak


def test_models_are_heard_under_worse_conditions_together(workbench, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(robustness, "RESULT", tmp_path / "robustness.json")
    monkeypatch.setattr(
        robustness, "degradation_conditions", lambda voices: {"louder": change_gain(6), "5 dB": add_white_noise(5)}
    )
    assert said(capsys, "small", "--write")[0] == said(capsys, "other", "--write")[0] == 0
    assert robustness.main(["small", "other", "--every", "2"]) == 0
    found = json.loads((tmp_path / "robustness.json").read_text())
    assert list(found) == ["small", "other"] and "other, 6 clips of speakers" in capsys.readouterr().out
    for model in found.values():
        assert model["command"] == "python -m scripts.robustness small other --every 2"
        assert list(model["conditions"]) == ["as it is", "louder", "5 dB"]
        assert model["conditions"]["louder"]["unchanged"] == 1 and model["conditions"]["as it is"]["lost"] == 0


def test_figures_against_the_votes_where_the_file_is_there(workbench, corpora, capsys):
    assert "no figure against the listeners' votes" in said(capsys, "small", "--write")[1]
    assert results.load_result(workbench / "small.json").metrics["votes"] is None
    path = corpora / "crema_d" / "voice_votes.csv"
    path.parent.mkdir()
    path.write_text("utterance,angry,disgust,fear,happy,neutral,sad\n1001_DFA_ANG_XX,1,1,0,0,0,0\n")
    assert "at best 0.693 (1 clips)" in said(capsys, "small", "--write")[1]
    path.unlink()
    assert said(capsys, "small")[0] == 0


def test_evaluate_says_that_a_protocol_shares_speakers(corpora, checkpoints, capsys, new_model):
    speaker = next(i for i in protocol_split("resonet").test if i.startswith("crema_d/")).split("/")[1][:4]
    write_crema_d(corpora, speakers=(speaker,), sentences=("DFA",))
    save_model(new_model(), checkpoints / "small", "resonet", Calibration(), {"protocol": "resonet", "fold": None})
    assert evaluate.main(["small"]) == 0
    assert "shares speakers on SAVEE and TESS" in capsys.readouterr().out


def test_evaluate_stops_at_an_unreadable_recording(workbench, corpora, checkpoints, capsys):
    (corpora / "AudioWAV" / "1002_DFA_SAD_XX.wav").write_bytes(b"RIFF")
    code, _, err = said(capsys, "small", "--write")
    assert code == 2 and err and not (checkpoints / "small" / "metrics.json").exists() and not workbench.exists()


@pytest.mark.parametrize("missing", ["how it was trained", "a word about training", "every test recording"])
def test_evaluate_says_what_is_missing(workbench, corpora, checkpoints, capsys, new_model, missing):
    if missing == "how it was trained":
        save_model(new_model(), checkpoints / "small", "resonet", Calibration(), {})
    if missing == "a word about training":
        path = checkpoints / "small" / "config.json"
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "training"}))
    for path in corpora.rglob("*.wav") if missing == "every test recording" else ():
        path.rename(path.with_name(path.name.replace("100", "102")))  # a training speaker
    assert evaluate.main(["small"]) == 2
    assert capsys.readouterr().err


# --- the model card --------------------------------------------------------------------------------------------------


def card(
    protocol: str,
    fold: str | None,
    family: str = "resonet",
    n_parameters: int | None = 1000,
    min_confidence: float = 0.3,
    name: str = "it",
    model: dict | None = None,
    **training,
) -> str:
    """Of a model that answers happy to every clip."""
    utterances = tuple(parse_filename(Path(i)) for i in protocol_split(protocol, fold).test)
    probabilities = np.tile(np.eye(8)[2] * 0.3 + 0.0875, (len(utterances), 1))
    answers = PredictionTable(EMOTIONS, utterances, probabilities, np.zeros(len(utterances), bool), 1.2)
    config = {
        "family": family,
        "model": model or {"labels": EMOTIONS, "frontend": {"n_mels": 64, "n_mfcc": 0}},
        "calibration": {"temperature": 1.2, "min_confidence": min_confidence},
        "training": {"protocol": protocol, "fold": fold} | training,
    }
    return render_model_card(
        name, config, {"protocol": protocol, "fold": fold} | compute_metrics(answers).to_dict(), n_parameters
    )


def test_the_card_names_the_speakers_of_every_part():
    text = card("speaker-independent", "0")
    assert "| RAVDESS speech | 17: 01, 04, 07-13, 17-24 | 2: 03, 06 | 5: 02, 05, 14-16 |" in text
    assert "| TESS | 1: YAF | none | 1: OAF |" in text and "none of the 25 speakers" in text
    assert "Trained from scratch on RAVDESS speech, RAVDESS song, CREMA-D, TESS and SAVEE" in text
    assert "--protocol speaker-independent --fold 0" in text and "people it has never heard" in text


@pytest.mark.parametrize("protocol", SPEAKER_OVERLAP)
def test_the_card_of_a_protocol_that_shares_speakers_says_so(protocol):
    text = card(protocol, None)
    assert SPEAKER_OVERLAP[protocol] in text and "it has never heard" not in text and "fold" not in text


def test_the_card_of_a_model_of_one_corpus_speaks_of_no_other():
    text = card("ravdess-random", None)
    assert "TESS" not in text and "CREMA-D" not in text and "nan" not in text and "None" not in text
    assert "| speech and song pooled | 491 | 24 |" in text and "no development part" in text
    assert "abstains below a confidence of 30 %" in text
    assert "abstains only where no speech" in card("ravdess-random", None, min_confidence=0.0)
    assert "RAVDESS speech CC BY-NC-SA 4.0, RAVDESS song CC BY-NC-SA 4.0." in text


def test_the_card_says_what_kind_of_model_it_is():
    assert "a network of the family vgg with 1,000 parameters" in card("resonet", None, "vgg")
    trees = card("resonet", None, "egemaps", None)
    assert "a classifier of scikit-learn" in trees and "eGeMAPSv02 functionals, computed by opensmile" in trees
    assert "without any other features" in card("resonet", None, "wav2vec2")
    assert "Started from some/weights, then trained on" in card("resonet", None, "wav2vec2", start="some/weights")


def test_the_command_in_the_card_makes_this_very_model():
    def command(**training) -> str:
        return re.search(r"`python -m scripts\.train (.*)`", card("resonet", None, **training))[1]

    assert command() == "resonet --protocol resonet"
    recipe = asdict(TrainConfig(epochs=15, seed=3))
    assert command(recipe=recipe) == "resonet --protocol resonet --recipe checkpoints/it"
    assert command(recipe=recipe, start="a/b") == "resonet --protocol resonet --start a/b --recipe checkpoints/it"
    assert command(recipe={"seed": 3, "tried": []}) == "resonet --protocol resonet"  # of scikit-learn
    narrow = override_config(override_config(MODELS["resonet"][1], "channels", [8, 8, 8, 8]), "frontend.n_mfcc", 13)
    flags = command(recipe=recipe, name="resonet", model=json.loads(json.dumps(narrow.to_dict())))
    assert flags.endswith("--set model.frontend.n_mfcc=13 model.channels=[8, 8, 8, 8]")


def test_the_card_of_a_taught_model_names_its_teachers_and_the_command_for_all():
    text = card("speaker-independent", "0", recipe=asdict(COMMON_RECIPE), teachers=["a", "b"])
    assert "by the answers of 2 networks that learned from the same clips" in text
    assert "`python -m scripts.distill --protocol speaker-independent --fold 0`" in text


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
    monkeypatch.setattr(train, "build_model", lambda name, config: new_model().train())


FOLD_0 = ["resonet", "--protocol", "speaker-independent", "--fold", "0", "--epochs", "2", "--run", "x", "--partial"]


def test_train_ends_with_a_calibrated_checkpoint(workplace, small_networks, capsys):
    assert train.main(FOLD_0) == 0
    model = load_model(workplace / "runs" / "x" / "checkpoint")
    assert model.calibration != Calibration() and 0 < model.calibration.min_confidence < 1
    config = json.loads((workplace / "runs/x/checkpoint/config.json").read_text())
    assert config["family"] == "resonet"
    assert config["training"] == {"protocol": "speaker-independent", "fold": "0", "n_clips": 36} | {
        "recipe": json.loads(json.dumps(asdict(replace(COMMON_RECIPE, epochs=2))))
    }


def test_a_run_keeps_the_command_that_makes_it_again(workplace, small_networks):
    assert train.main([*FOLD_0, "--resume"]) == 0
    command = json.loads((workplace / "runs/x/config.json").read_text())["command"]
    assert command == f"python -m scripts.train {' '.join(FOLD_0)}"


def test_epochs_that_were_kept_lie_side_by_side_on_the_map(workplace, small_networks, monkeypatch):
    monkeypatch.setattr(paths, "EMBEDDINGS", workplace / "embeddings")
    monkeypatch.setattr(export_embeddings, "MAPS", (ProjectionConfig("pca"),))
    assert train.main([*FOLD_0, "--keep-epochs", "1", "2"]) == 0
    assert export_embeddings.main(["runs/x/epochs/1", "runs/x/epochs/2"]) == 0
    first, last = (atlas.load_atlas(name) for name in ("x-epoch-1", "x-epoch-2"))
    assert set(first.column("part")) == {"training", "development"} and first.version != last.version
    page = open_page("embedding_map")
    page.session_state["map"], page.session_state["beside"] = "pca", "x-epoch-2"
    page.run()
    assert not page.exception and not page.error and page.selectbox(key="space").value == "x-epoch-1"
    assert len(page.get("plotly_chart")) == 2


def test_missing_recordings_are_named_and_what_can_be_trained_without_them(
    workplace, small_networks, capsys, monkeypatch
):
    assert train.main(FOLD_0[:-1]) == 2
    said = capsys.readouterr().err
    assert re.search(r"CREMA-D \(\d+ of 7435\), .*SAVEE \(480 of 480\)", said) and "Complete here: none" in said
    assert "--partial" in said and not (workplace / "runs").exists()
    monkeypatch.setattr(train, "holes", lambda protocol, store: "" if "ravdess" in protocol else "SAVEE (480 of 480)")
    assert train.main(FOLD_0[:-1]) == 2
    assert "Complete here: ravdess-random" in capsys.readouterr().err


def test_ctrl_c_says_how_to_go_on_and_resume_goes_on(workplace, small_networks, capsys, monkeypatch):
    def interrupted(*arguments, **named):
        *first, show = arguments

        def on_step(step, n_steps, loss):
            show(step, n_steps, loss)
            if step == 3:
                raise KeyboardInterrupt

        return fit(*first, on_step, **named)

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


@pytest.mark.parametrize("name", [name for name in MODELS if name not in RECIPES_BY_MODEL])
def test_every_model_from_scratch_is_trained_by_the_same_recipe(workplace, monkeypatch, name):
    asked = []
    monkeypatch.setattr(train, "build_model", lambda name, config: asked.append(name) or torch.nn.Identity())
    monkeypatch.setattr(train, "fit", lambda model, tr, dev, store, config, *rest, **named: asked.append(config))
    monkeypatch.setattr(train, "ship", lambda *arguments: None)
    assert train.main([name, "--fold", "0", "--partial"]) == 0
    assert asked == [name, COMMON_RECIPE]


@pytest.fixture
def asked(workplace, monkeypatch):
    """A function that runs train without training: the recipe that it asked for."""
    seen = []
    monkeypatch.setattr(train, "build_model", lambda name, config: torch.nn.Identity())
    monkeypatch.setattr(train, "fit", lambda model, tr, dev, store, config, *rest, **named: seen.append(config))
    monkeypatch.setattr(train, "ship", lambda *arguments: None)

    def ask(*flags: str) -> TrainConfig:
        assert train.main(["simple-cnn", "--fold", "0", "--partial", *flags]) == 0
        return seen.pop()

    return ask


def test_a_model_is_trained_by_the_recipe_of_a_checkpoint(asked, tmp_path):
    """Recipes change; what a shipped checkpoint was made by stays reproducible."""
    made = replace(COMMON_RECIPE, epochs=7, seed=5, bf16=False, draws={"tess": 0.1}, augment=AugmentConfig(warp=0.01))
    (tmp_path / "config.json").write_text(json.dumps({"training": {"recipe": asdict(made)}}))
    assert asked("--recipe", str(tmp_path)) == made
    assert asked("--recipe", str(tmp_path), "--seed", "2") == replace(made, seed=2)
    assert asked("--float32", "--epochs", "3") == replace(COMMON_RECIPE, bf16=False, epochs=3)


def test_single_values_of_the_recipe_are_set_by_name(asked, capsys):
    assert asked("--set", "augment.warp=0.02", "learning_rate=1e-2") == override_config(
        replace(COMMON_RECIPE, learning_rate=1e-2), "augment.warp", 0.02
    )
    for wrong, message in (("warp=0.1", "There is no 'warp' to be set"), ("model.width=3", "There is no 'width'")):
        assert train.main(["simple-cnn", "--fold", "0", "--partial", "--set", wrong]) == 2
        assert message in capsys.readouterr().err


def test_single_values_of_the_architecture_are_set_by_name(workplace, monkeypatch):
    seen = []
    monkeypatch.setattr(train, "build_model", lambda name, config: seen.append(config) or torch.nn.Identity())
    monkeypatch.setattr(train, "fit", lambda *arguments, **named: None)
    monkeypatch.setattr(train, "ship", lambda *arguments: None)
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
    assert "Unknown side task vote. There are: functionals, votes." in capsys.readouterr().err
    assert train.main(asked) == 2
    assert "needs crema_d/voice_votes.csv" in capsys.readouterr().err
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
    assert "argument --set: invalid parse_override value" in capsys.readouterr().err


def test_experiments_are_logged_with_what_was_changed(workplace, small_networks, monkeypatch, capsys):
    monkeypatch.setattr(paths, "EXPERIMENT_LOG", workplace / "log.jsonl")
    first = [*FOLD_0, "--log", "the start"]
    assert train.main(first) == 0
    again = [*FOLD_0[:-2], "y", "--partial", "--log", "less warp", "--set", "augment.warp=0.02", "model.dropout=0.2"]
    assert train.main(again) == 0
    one, other = experiments.read_experiments(workplace / "log.jsonl")
    assert (one.said, one.changes, one.kept) == ("the start", {}, True)
    assert one.kind == other.kind == ("resonet", "speaker-independent", "0", 2)
    assert other.changes == {"augment.warp": 0.02, "model.dropout": 0.2}
    assert other.kept == (other.mean_uar > one.mean_uar)
    assert one.dev_uar.keys() == {"crema_d"} and one.seconds > 0
    assert "logged: mean development UAR" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(paths.CHECKPOINTS.glob("*/config.json")), ids=lambda path: path.parent.name)
def test_the_recipe_of_every_shipped_network_can_be_taken(path):
    config = json.loads(path.read_text())
    if config["family"] == "egemaps":
        with pytest.raises(TrainingError, match="holds no recipe of a network"):
            checkpoint_recipe(path.parent)
    else:
        found, kept = (
            flatten_config(asdict(checkpoint_recipe(path.parent))),
            flatten_config(config["training"]["recipe"]),
        )
        assert {name: found[name] for name in kept} == kept  # what was added since does nothing by itself


def test_a_checkpoint_without_a_recipe_is_refused(workplace, small_networks, capsys):
    assert train.main([*FOLD_0, "--recipe", str(workplace / "nothing")]) == 2
    assert "nothing holds no recipe of a network" in capsys.readouterr().err


# --- teachers --------------------------------------------------------------------------------------------------------


def test_a_pupil_learns_from_a_finished_run(workplace, small_networks, capsys):
    assert train.main(FOLD_0) == 0
    teacher = "runs/x/checkpoint"
    pupil = [*FOLD_0[:-2], "pupil", "--partial", "--teachers", teacher]
    assert train.main(pupil) == 2 and "give both" in capsys.readouterr().err
    assert train.main([*pupil, "--set", "distillation=0.9"]) == 0
    training = json.loads((workplace / "runs/pupil/checkpoint/config.json").read_text())["training"]
    assert training["teachers"] == ["x"] and training["recipe"]["distillation"] == 0.9


@pytest.mark.parametrize("fold", ["1", None])
def test_a_teacher_that_learned_from_other_clips_is_refused(workplace, small_networks, capsys, fold):
    """It may know those that are to be tested."""
    training = {"protocol": "speaker-independent", "fold": fold} if fold else {}
    (workplace / "config.json").write_text(json.dumps({"training": training}))
    assert train.main([*FOLD_0, "--teachers", str(workplace), "--set", "distillation=0.5"]) == 2
    assert "was not trained under speaker-independent-0" in capsys.readouterr().err and not Path("runs").exists()


# --- start weights ---------------------------------------------------------------------------------------------------


def test_start_weights_that_know_the_test_clips_are_refused(workplace, capsys, small_networks):
    """Directly, or because they were started from such weights themselves."""
    start = workplace / "start"
    start.mkdir()
    source = {"protocol": "speaker-independent", "fold": "1"}  # fold 0 is in its training part
    for training in (source, {"protocol": "speaker-independent", "fold": "0", "start_trained_on": [source]}):
        (start / "config.json").write_text(json.dumps({"training": training}))
        assert train.main([*FOLD_0, "--start", str(start)]) == 2
        said = capsys.readouterr().err
        assert "test clips, under speaker-independent-1" in said and "leak" in said
    assert not (workplace / "runs").exists()


def test_where_start_weights_come_from_is_kept(tmp_path):
    own = {"protocol": "speaker-independent", "fold": "0"}
    before = {"protocol": "ravdess-random", "fold": None}
    training = own | {"n_clips": 3, "start_trained_on": [before]}
    (tmp_path / "config.json").write_text(json.dumps({"training": training}))
    (tmp_path / "model.safetensors").touch()
    assert train.start_trained_on(str(tmp_path)) == [own, before]
    assert train.start_trained_on(str(tmp_path / "model.safetensors")) == [own, before]
    assert train.start_trained_on("facebook/wav2vec2-base") == train.start_trained_on(None) == []


def test_a_model_leaks_what_its_start_weights_have_heard():
    own = {"protocol": "speaker-independent", "fold": "0"}
    assert not evaluate.leaks("x", own, "speaker-independent", "0", allowed=True)
    assert evaluate.leaks(
        "x", own | {"start_trained_on": [own | {"fold": "1"}]}, "speaker-independent", "0", allowed=True
    )


def test_train_trains_and_calibrates_on_the_parts_of_the_protocol(workplace, monkeypatch):
    seen = {}
    monkeypatch.setattr(train, "fit", lambda model, tr, dev, *rest, **named: seen.update(train=tr, dev=dev))
    monkeypatch.setattr(train, "ship", lambda model, family, folder, tr, dev, *_: seen.update(calibrated=dev))
    assert train.main(FOLD_0) == 0
    speakers = {part: {clip.id.split("/")[1][:4] for clip in found} for part, found in seen.items()}
    assert speakers == {"train": {"1037", "1038", "1039"}, "dev": {"1019"}, "calibrated": {"1019"}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resonet", "--fold", "9"], "There are: 0, 1, 2, 3, 4"),
        (["resonet"], "There are: 0, 1, 2, 3, 4"),
        (["resonet", "--protocol", "resonet", "--fold", "0"], "takes no fold"),
        (["resonet", "--protocol", "leave-one-corpus-out", "--fold", "crema_d", "--partial"], "No clip to train on"),
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

    def first_step(*arguments, **named):
        def on_step(step, n_steps, loss):
            steps.append(step)
            raise KeyboardInterrupt

        return fit(*arguments[:-1], on_step, **named)

    fit = train.fit
    monkeypatch.setattr(train, "fit", first_step)
    assert train.main([*arguments, "--resume"]) == 130
    assert steps == [step + 1]
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == epoch


# --- train_tables ----------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(workplace, monkeypatch):
    """A function that runs train_tables: its exit code, and the models that were trained; `codes` by model."""
    monkeypatch.setattr(train_tables, "RUNS", workplace / "runs")

    def run(*arguments: str, **codes: int) -> tuple[int, list[str]]:
        asked = []
        fake = lambda given: asked.append(given[0]) or codes.get(given[0].replace("-", "_"), 0)  # noqa: E731
        monkeypatch.setattr(train, "main", fake)
        return train_tables.main(list(arguments)), asked

    return run


def test_a_row_that_cannot_be_trained_does_not_stop_the_others(trained):
    code, asked = trained(svm_egemaps=2)
    assert code == 2 and asked == [row.model for row in train_tables.ROWS]


def test_ctrl_c_stops_all_rows(trained):
    assert trained(simple_cnn=130) == (130, [row.model for row in train_tables.ROWS[:7]])


def finished(workplace: Path, run: str, made: TrainConfig) -> None:
    """A checkpoint of a run that was trained by a recipe."""
    folder = workplace / "runs" / run / "checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"training": {"recipe": asdict(made)}}))


def test_rows_that_are_done_are_not_trained_again(trained, workplace, capsys):
    finished(workplace, "vgg16-ravdess-random", recipe_for_model("vgg16"))
    assert trained("vgg16", "vgg19") == (0, ["vgg19"])
    assert trained("vgg16", "vgg19", "--list") == (0, [])
    assert "done: python -m scripts.train vgg16 --protocol ravdess-random" in capsys.readouterr().out


def test_a_row_that_was_trained_by_another_recipe_is_not_done(trained, workplace):
    finished(workplace, "vgg16-ravdess-random", replace(recipe_for_model("vgg16"), epochs=2))
    assert trained("vgg16") == (0, ["vgg16"])


def test_an_unknown_row_lists_what_exists(trained, capsys):
    assert trained("large") == (2, []) and "There are: resonet, " in capsys.readouterr().err


def test_one_recipe_for_all_networks_of_a_table():
    """The committed checkpoints say how they were made."""
    recipes: dict[str, dict[str, TrainConfig]] = {}
    for path in sorted(paths.CHECKPOINTS.glob("*/config.json")):
        config = json.loads(path.read_text())
        if config["family"] not in ("egemaps", "wav2vec2") and path.parent.name != DEFAULT_MODEL:  # it has its own
            recipes.setdefault(config["training"]["protocol"], {})[path.parent.name] = checkpoint_recipe(path.parent)
    assert recipes
    for found in recipes.values():
        (first, *rest) = found.values()
        assert all(recipe == first for recipe in rest), list(found)


# --- benchmark -------------------------------------------------------------------------------------------------------


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A function that records a UAR of a model on a test part; results are looked for in a folder of this test."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    utterance = parse_filename(Path("crema_d/1001_DFA_ANG_XX"))
    answers = PredictionTable(EMOTIONS, (utterance,), np.eye(8)[[4]], np.array([False]))
    measured = json.loads(json.dumps(compute_metrics(answers).to_dict()))

    def save(model: str, uar: float, protocol="speaker-independent", fold="0", latency_ms=7.0, leak=False) -> None:
        pooled = measured["pooled"] | {"uar": uar}
        results.save_result(
            results.EvaluationResult(
                *(model, "resonet", protocol, fold, {"protocol": protocol, "fold": fold}, leak),
                provenance={"protocol_sha256": results.protocol_sha256(protocol)},
                metrics=measured | {"pooled": pooled, "corpora": {"crema_d": pooled}},
                cost={"n_parameters": 5, "macs_per_3_s_clip": 6, "size_mb": 1.0, "latency_ms": latency_ms},
                answers=answers,
            )
        )

    return save


def a_cost(latency_ms: float, n_parameters: int | None = 10) -> dict:
    return {
        "n_parameters": n_parameters,
        "macs_per_3_s_clip": n_parameters and 2_000_000,
        "size_mb": 3.0,
        "latency_ms": latency_ms,
        "load_s": 0.5,
    }


SVM = {"svm-egemaps": a_cost(120.0, None)}


def test_the_fastest_better_network_is_compared_with_egemaps_on_the_same_test_part(record):
    measured = SVM | {"slow": a_cost(60.0), "fast": a_cost(10.0), "poor": a_cost(1.0), "unmeasured": a_cost(0.1)}
    for name, uar in (("svm-egemaps", 0.5), ("slow", 0.9), ("fast", 0.6), ("poor", 0.4)):
        record(name, uar)
    record("poor", 0.99, "resonet", None)
    record("unmeasured", 1.0, leak=True)
    models = benchmark.model_table(measured)
    assert list(models) == ["unmeasured", "poor", "fast", "slow", "svm-egemaps"]
    assert models["fast"]["times_faster"] == 12.0 and models["unmeasured"]["results"] == {}
    found = benchmark.against_yardstick(models)
    assert found == {
        "speaker-independent-0": {"model": "fast", "times_faster": 12.0, "uar_difference": pytest.approx(0.1)}
    }
    (sentence,) = benchmark.sentences(found)
    assert "fast, 12.0 times faster, UAR +10.0 points" in sentence and "none is better" not in sentence


def test_when_no_network_is_better_the_fastest_one_is_named_as_worse(record):
    for name, uar in (("svm-egemaps", 0.5), ("slow", 0.45), ("fast", 0.4)):
        record(name, uar)
    models = benchmark.model_table(SVM | {"slow": a_cost(60.0), "fast": a_cost(10.0)})
    (sentence,) = benchmark.sentences(benchmark.against_yardstick(models))
    assert "none is better, is fast" in sentence and "-10.0 points" in sentence


def test_pareto_models_are_those_that_none_beats_in_both(record):
    for name, uar in (("fast", 0.5), ("slow", 0.6), ("slower", 0.6), ("slowest", 0.3)):
        record(name, uar)
    measured = {"fast": a_cost(1.0), "slow": a_cost(2.0), "slower": a_cost(3.0), "slowest": a_cost(4.0)}
    models = benchmark.model_table(measured)
    assert [m["results"]["speaker-independent-0"]["pareto"] for m in models.values()] == [True, True, False, False]
    stars = [row[benchmark.MODEL_COLUMNS.index("UAR [%]")] for row in benchmark.model_rows(models)]
    assert stars == ["50.0 *", "60.0 *", "60.0", "30.0"]


def test_a_latency_of_another_time_is_compared_with_nothing(record):
    record("svm-egemaps", 0.5)
    record("only-a-result", 0.8, latency_ms=0.1)
    models = benchmark.model_table(SVM)
    found = models["only-a-result"]
    assert (found["latency_ms"], found["load_s"], found["times_faster"]) == (0.1, None, None)
    assert models["svm-egemaps"]["results"]["speaker-independent-0"]["pareto"]
    assert benchmark.against_yardstick(models) == {}


@pytest.fixture
def nothing_else_is_measured(monkeypatch):
    for part in ("clip_of_three_seconds", "file_of_ten_minutes", "features_against_librosa"):
        monkeypatch.setattr(benchmark, part, lambda model, part=part: {f"{part} [ms]": 1.0})
    monkeypatch.setattr(benchmark, "training", lambda: {"training [clips/s]": 2.0})


def test_benchmark_without_opensmile_says_so_and_measures_the_rest(
    nothing_else_is_measured, checkpoints, record, capsys, monkeypatch, tmp_path
):
    def load(name, device):
        if name == "other":
            raise CheckpointError("other needs opensmile: pip install opensmile")
        return load_model(name, device)

    monkeypatch.setattr(benchmark, "load_model", load)
    record("small", 0.375)
    assert benchmark.main(["--model", "small", "--json", str(tmp_path / "benchmark.json")]) == 0
    said = capsys.readouterr()
    assert "other is left out: other needs opensmile" in said.err
    assert "svm-egemaps is missing here" in said.out and re.search(r"small .*speaker-independent-0 +37\.5 \*", said.out)
    written = json.loads((tmp_path / "benchmark.json").read_text())
    models = written.pop("models")
    assert written.pop("yardstick") == {} and list(models) == ["small"]
    assert written["training [clips/s]"] == 2.0 and all(isinstance(value, float) for value in written.values())
    assert written["largest checkpoint, load [s]"] == models["small"]["load_s"] > 0
    assert models["small"]["n_parameters"] == load_model("small").n_parameters()
    assert models["small"]["macs_per_3_s_clip"] > 0 and models["small"]["size_mb"] > 0


def test_the_readme_shows_what_the_benchmark_wrote(record, monkeypatch, tmp_path):
    for name, uar in (("svm-egemaps", 0.5), ("fast", 0.625)):
        record(name, uar)
    models = benchmark.model_table(SVM | {"fast": a_cost(10.0)})
    written = {"a figure": 1.234, "models": models, "yardstick": benchmark.against_yardstick(models)}
    monkeypatch.setattr(readme_tables, "BENCHMARK", tmp_path / "benchmark.json")
    (tmp_path / "benchmark.json").write_text(json.dumps(written))
    shown = readme_tables.benchmark()
    assert "| a figure | 1.23 |" in shown and "12.0 times faster, UAR +12.5 points" in shown
    assert "| fast | 10 | 2 | 3.0 | 0.50 | 10.0 | 12.0 | speaker-independent-0 | 62.5 * |" in shown
    assert "| svm-egemaps | - | - | 3.0 | 0.50 | 120.0 | 1.0 | speaker-independent-0 | 50.0 |" in shown


def test_benchmark_reports_a_damaged_result(nothing_else_is_measured, checkpoints, record, capsys, tmp_path):
    record("small", 0.5)
    (tmp_path / "results" / "speaker-independent-0" / "small.json").write_text("{")
    assert benchmark.main(["--model", "small"]) == 2
    assert "speaker-independent-0/small.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["clip_of_three_seconds", "features_against_librosa"])
def test_benchmark_measures_one_model_closely(new_model, part):
    assert all(value > 0 for value in getattr(benchmark, part)(new_model()).values())


# --- explore ---------------------------------------------------------------------------------------------------------


def test_explore_writes_what_a_page_can_plot(corpora, capsys, tmp_path):
    prepare_corpora.main()
    assert explore.main(["--json", str(tmp_path / "new" / "corpora.json")]) == 0
    found = json.loads((tmp_path / "new" / "corpora.json").read_text(), parse_constant=pytest.fail)
    assert found["clips"]["crema_d"] == {e: 2 for e in EMOTIONS if e not in ("calm", "surprise")}
    pitch = {
        group["emotion"]: group["median"]
        for group in found["groups"]
        if (group["measure"], group["sex"]) == ("pitch_hz", "all")
    }
    for k, emotion in enumerate(CREMA_EMOTIONS.values()):  # as write_crema_d made them
        assert pitch[emotion] == pytest.approx(120 * 1.3**k, rel=0.06)
    out = capsys.readouterr().out
    assert "Not there, so not in the result: RAVDESS speech, RAVDESS song, TESS, SAVEE." in out
    assert re.search(r"^crema_d +angry +2 +1\d\d", out, re.M)


@pytest.mark.parametrize("lacking", ["folder", "cache", "one recording"])
def test_explore_says_what_is_missing(corpora, capsys, monkeypatch, tmp_path, lacking):
    if lacking == "folder":
        monkeypatch.setenv("SER_CORPORA", str(tmp_path / "nothing"))
    elif lacking == "one recording":
        prepare_corpora.main()
        write_wav(corpora / "AudioWAV" / "1003_DFA_ANG_XX.wav", voice(150, 0))
    assert explore.main(["--json", str(tmp_path / "corpora.json")]) == 2
    said = {
        "folder": "Set SER_CORPORA",
        "cache": "prepare_corpora",
        "one recording": "not in the cache: 1. Run: python -m scripts.prepare_corpora",
    }
    assert said[lacking] in capsys.readouterr().err and not (tmp_path / "corpora.json").exists()
