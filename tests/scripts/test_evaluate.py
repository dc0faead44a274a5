"""scripts.evaluate: recorded results, reproduction, leaks, and missing recordings."""

import errno
import hashlib
import json
import re
import shlex
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from scripts import evaluate
from scripts.common.evaluation_report import score_rows
from scripts.common.folders import print_listed
from scripts.result_blocks.text import percent
from ser_core.audio.io import read_audio
from ser_core.data.protocols import files as protocols
from ser_core.data.protocols.splits import protocol_split
from ser_core.evaluation import evaluator, results
from ser_core.evaluation.scoring.metrics import compute_metrics
from ser_core.metrics.scores import compute_scores
from ser_core.models.checkpoint import Calibration, load_model, save_model
from ser_core.models.names import training_record
from tests.make_corpus import write_crema_d


def test_evaluate_writes_and_reproduces_its_figures(run_evaluate, workbench, checkpoints):
    code, out, _ = run_evaluate("small")
    assert code == 0 and "speaker-independent-0/small.json" in out
    assert run_evaluate("small", "--write")[0] == 0
    result = results.load_result(workbench / "small.json")
    own = json.loads((checkpoints / "small" / "metrics.json").read_text())
    assert own == {"protocol": "speaker-independent", "fold": "0"} | result.metrics and own["pooled"]["n_clips"] == 12
    assert (result.model, result.family, result.leak) == ("small", "resonet", False)
    assert result.cost["n_parameters"] == load_model("small").n_parameters()
    code, out, _ = run_evaluate("small")
    assert code == 0 and re.search(r"^crema_d +12 +2 ", out, re.M)
    assert "equal to speaker-independent-0/small.json" in out and "equal to small/metrics.json" in out


def test_results_are_written_also_when_nobody_reads_the_tables(workbench, checkpoints, new_model, monkeypatch):
    def leave(*arguments):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    save_model(new_model(), checkpoints / "second", "resonet", Calibration(), training_record(checkpoints / "small"))
    monkeypatch.setattr(evaluate, "print_evaluation", leave)
    monkeypatch.setattr("scripts.common.errors.discard_output", lambda: None)  # that of the tests
    assert evaluate.main(["small", "second", "--write"]) == 1
    assert (workbench / "small.json").is_file() and (workbench / "second.json").is_file()


def test_a_result_has_its_provenance(workbench, checkpoints):
    evaluate.main(["small", "--write"])
    found = results.load_result(workbench / "small.json").provenance
    weights = (checkpoints / "small" / "model.safetensors").read_bytes()
    assert found["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert found["protocol_sha256"] == results.protocol_sha256("speaker-independent")
    command = "python -m scripts.evaluate small --protocol speaker-independent --fold 0 --write"
    assert found["command"] == command and found["code_version"] and found["bootstrap_seed"] == 0


@pytest.mark.slow
def test_the_command_in_a_result_reproduces_it(run_evaluate, workbench, checkpoints, monkeypatch):
    monkeypatch.chdir(checkpoints.parent)
    (checkpoints / "other").rename("my runs")
    assert run_evaluate("my runs", "--write", "--name", "theirs")[0] == 0
    before = json.loads((workbench / "theirs.json").read_text())
    assert evaluate.main(shlex.split(before["provenance"]["command"])[3:]) == 0
    after = json.loads((workbench / "theirs.json").read_text())
    assert before | {"cost": None} == after | {"cost": None}
    evaluate.main([str(checkpoints.parent / "my runs"), "--write", "--name", "theirs"])
    assert str(checkpoints.parent) not in (workbench / "theirs.json").read_text()


@pytest.mark.parametrize("file", ["small.json", "metrics.json"])
def test_evaluate_notices_a_figure_that_is_not_reproduced(run_evaluate, workbench, checkpoints, file):
    evaluate.main(["small", "--write"])
    path = workbench / file if file == "small.json" else checkpoints / "small" / file
    content = json.loads(path.read_text())
    content.get("metrics", content)["pooled"]["uar"] += 0.0001
    path.write_text(json.dumps(content))
    code, out, _ = run_evaluate("small")
    assert code == 1 and f"/{file}" in out.split("DIFFERENT FROM ")[1].splitlines()[0] and "  pooled.uar: " in out


@pytest.mark.parametrize(("change", "may_be_rounding"), [(0.01, True), (0.1, False)])
def test_a_small_change_of_the_probabilities_may_be_the_rounding_of_a_processor(
    run_evaluate, workbench, change, may_be_rounding
):
    evaluate.main(["small", "--write"])
    recorded = results.load_result(workbench / "small.json")
    probabilities = recorded.predictions.probabilities.copy()
    rows, top, last = np.arange(len(probabilities)), probabilities.argmax(1), probabilities.argmin(1)
    probabilities[rows, top] -= change
    probabilities[rows, last] += change
    predictions = replace(recorded.predictions, probabilities=probabilities)
    results.save_result(replace(recorded, predictions=predictions, metrics=compute_metrics(predictions).to_dict()))
    code, out, _ = run_evaluate("small")
    assert code == 1 and "DIFFERENT FROM speaker-independent-0/small.json" in out
    assert ("may be the rounding of another processor" in out) == may_be_rounding


def test_one_protocol_that_is_not_reproduced_is_enough(monkeypatch):
    tasks = [SimpleNamespace(split=split) for split in ("resonet", "cross-corpus")]
    monkeypatch.setattr(evaluate, "new_tasks", lambda options: tasks)
    for differing, code in (("resonet", 1), ("cross-corpus", 1), ("", 0)):
        monkeypatch.setattr(evaluate, "run", lambda group, writing, no=differing: group[0].split != no)
        assert evaluate.main(["all"]) == code


def test_evaluate_names_a_recorded_figure_that_is_no_longer_measured(run_evaluate, workbench):
    evaluate.main(["small", "--write"])
    content = json.loads((workbench / "small.json").read_text())
    content["metrics"]["pooled"]["kappa"] = 0.5
    (workbench / "small.json").write_text(json.dumps(content))
    code, out, _ = run_evaluate("small")
    assert code == 1 and "  pooled.kappa: 0.5 recorded, nothing measured" in out
    assert "rounding" not in out  # the predictions are equal


def test_models_share_the_decoding_of_a_recording(run_evaluate, workbench, monkeypatch):
    decoded = []
    monkeypatch.setattr(evaluator, "read_audio", lambda path: decoded.append(path) or read_audio(path))
    assert run_evaluate("all", "--write")[0] == 0
    assert len(decoded) == 12 and {p.stem for p in results.list_results()} == {"small", "other"}
    code, out, _ = run_evaluate("small", "other")
    assert code == 0 and out.count("equal to") == 4 and "DIFFERENT" not in out


def test_all_prints_the_reason_of_each_model_left_out(run_evaluate, workbench, checkpoints, new_model):
    training = {"protocol": "speaker-independent", "fold": "1"}
    save_model(new_model(), checkpoints / "other", "resonet", Calibration(), training)
    (checkpoints / "broken").mkdir()
    (checkpoints / "broken" / "config.json").write_text("{")
    code, out, err = run_evaluate("all", "--protocol", "speaker-independent", "--fold", "0")
    assert code == 0 and "small on speaker-independent-0" in out and "other on" not in out
    assert re.search("^other .*12 of the 12", err, re.M) and re.search("^broken .*broken/config.json", err, re.M)


def test_with_fewer_recordings_the_rest_is_compared(run_evaluate, workbench, corpora):
    evaluate.main(["small", "--write"])
    (corpora / "AudioWAV" / "1002_DFA_SAD_XX.wav").unlink()
    code, out, _ = run_evaluate("small")
    assert code == 0 and "CREMA-D 1 of 12" in out and "equal to speaker-independent-0/small.json" in out


def test_nothing_is_recorded_when_recordings_are_missing(run_evaluate, workbench, corpora, checkpoints):
    for path in corpora.rglob("1002*.wav"):
        path.unlink()
    code, _, err = run_evaluate("small", "--write")
    assert code == 2 and "CREMA-D 6 of 12" in err and re.search("--write.* 6 ", err)
    assert "none" in err
    assert not workbench.exists() and not (checkpoints / "small" / "metrics.json").exists()


@pytest.mark.parametrize("file", ["small.json", "metrics.json"])
def test_a_result_that_cannot_be_written_is_noticed_before_the_work(
    run_evaluate, workbench, checkpoints, monkeypatch, file
):
    path = workbench / file if file == "small.json" else checkpoints / "small" / file
    path.mkdir(parents=True)
    monkeypatch.setattr(evaluate, "read_test_part", lambda *given, **options: pytest.fail("it began"))
    code, _, err = run_evaluate("small", "--write")
    assert code == 2 and f"{path} could not be written" in err


def test_missing_recordings_list_the_complete_test_parts(run_evaluate, workbench, corpora):
    code, _, err = run_evaluate("small", "--protocol", "leave-one-corpus-out", "--fold", "savee", "--write")
    assert code == 2 and re.search(r"SAVEE 420 of 420.*speaker-independent-0\.", err, re.S)


def test_evaluate_writes_a_model_card_with_measured_figures(workbench, checkpoints):
    evaluate.main(["small", "--write"])
    card = (checkpoints / "small" / "README.md").read_text()
    pooled = json.loads((checkpoints / "small" / "metrics.json").read_text())["pooled"]
    assert pooled["uar_ci"] is None and f"| 2 | {100 * pooled['uar']:.1f} | " in card  # two speakers
    assert f"{load_model('small').n_parameters():,} parameters" in card
    assert "| CREMA-D | 1: 1037 | 1: 1019 | 2: 1001-1002 |" in card
    assert "Trained from scratch on CREMA-D;" in card and "CREMA-D ODbL 1.0." in card and "RAVDESS" not in card
    assert "## Intended use" in card and "not" in card and "AI\nAct" in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["large"], "other, small"),
        (["small", "--fold", "7"], "0, 1, 2"),
        (["small", "--protocol", "leave-one-corpus-out"], "needs a fold. There are: crema_d, ravdess, savee, tess"),
        (["small", "--protocol", "resonet", "--fold", "1"], "fold"),
    ],
)
def test_evaluate_lists_what_exists(run_evaluate, workbench, arguments, message):
    code, _, err = run_evaluate(*arguments)
    assert code == 2 and message in err


def test_an_unknown_protocol_lists_what_exists(capsys):
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(["small", "--protocol", "random"])
    err = capsys.readouterr().err
    assert all(name in err for name in protocols.PROTOCOLS)


@pytest.mark.parametrize("flag", [["--together"], ["--by-speaker"], ["--map", "joy=happy"], ["--predictions", "x.csv"]])
def test_what_is_for_a_folder_needs_one(flag, capsys):
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(["small", *flag])
    assert "--together, --by-speaker, --map and --predictions need --folder" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["small", "other", "--name", "x"], ["small", "--name", "../x"]])
def test_a_name_is_for_one_result(capsys, arguments):
    with pytest.raises(SystemExit, match="2"):
        evaluate.main([*arguments, "--write"])
    assert "--name" in capsys.readouterr().err


def test_a_result_from_elsewhere_needs_a_name(run_evaluate, workbench, checkpoints):
    folder = checkpoints.parent / "checkpoint"
    (checkpoints / "small").rename(folder)
    code, _, err = run_evaluate(str(folder), "--write")
    assert code == 2 and "--name" in err
    assert run_evaluate(str(folder), "--write", "--name", "tried")[0] == 0
    assert (workbench / "tried.json").is_file() and not (folder / "metrics.json").exists()


def test_evaluate_refuses_clips_that_were_trained_on(run_evaluate, workbench):
    code, _, err = run_evaluate("small", "--protocol", "leave-one-corpus-out", "--fold", "crema_d")
    assert code == 2 and re.search(r"12 of the \d+ test clips were in the training or development part of small", err)


def test_a_leak_is_measured_on_purpose_only(run_evaluate, workbench, checkpoints, new_model):
    training = {"protocol": "speaker-independent", "fold": "1"}
    save_model(new_model(), checkpoints / "small", "resonet", Calibration(), training)
    arguments = ["small", "--protocol", "speaker-independent", "--fold", "0", "--write"]
    assert run_evaluate(*arguments)[0] == 2 and not workbench.exists()
    code, _, err = run_evaluate(*arguments, "--leak")
    assert code == 2 and "--name small-leak" in err and not workbench.exists()
    code, out, _ = run_evaluate(*arguments, "--leak", "--name", "small-leak")
    found = results.load_result(workbench / "small-leak.json")
    assert code == 0 and "LEAK" in out and found.leak and "--leak" in found.provenance["command"]
    assert found.trained_on == training and not (checkpoints / "small" / "metrics.json").exists()


def test_under_another_protocol_only_the_result_is_written(run_evaluate, workbench, checkpoints, new_model):
    save_model(
        new_model(), checkpoints / "small", "resonet", Calibration(), {"protocol": "ravdess-random", "fold": None}
    )
    assert run_evaluate("small", "--protocol", "speaker-independent", "--fold", "0", "--write")[0] == 0
    assert not results.load_result(workbench / "small.json").leak
    assert {path.name for path in (checkpoints / "small").iterdir()} == {"config.json", "model.safetensors"}


def test_the_flag_alone_makes_no_leak(run_evaluate, workbench):
    assert "LEAK" not in run_evaluate("small", "--leak", "--write")[1]
    assert not results.load_result(workbench / "small.json").leak


def test_figures_against_the_votes_where_the_file_is_there(run_evaluate, workbench, corpora):
    assert "votes" in run_evaluate("small", "--write")[1]
    assert results.load_result(workbench / "small.json").metrics["votes"] is None
    path = corpora / "crema_d" / "voice_votes.csv"
    path.parent.mkdir()
    path.write_text("utterance,angry,disgust,fear,happy,neutral,sad\n1001_DFA_ANG_XX,1,1,0,0,0,0\n")
    assert "at best 0.693 (1 clips)" in run_evaluate("small", "--write")[1]
    path.unlink()
    assert run_evaluate("small")[0] == 0


def test_shared_speakers_are_reported(corpora, checkpoints, capsys, new_model):
    speaker = next(i for i in protocol_split("resonet").test if i.startswith("crema_d/")).split("/")[1][:4]
    write_crema_d(corpora, speakers=(speaker,), sentences=("DFA",))
    save_model(new_model(), checkpoints / "small", "resonet", Calibration(), {"protocol": "resonet", "fold": None})
    assert evaluate.main(["small"]) == 0
    assert "shares speakers on SAVEE and TESS" in capsys.readouterr().out


def test_evaluate_stops_at_an_unreadable_recording(run_evaluate, workbench, corpora, checkpoints):
    (corpora / "AudioWAV" / "1002_DFA_SAD_XX.wav").write_bytes(b"RIFF")
    code, _, err = run_evaluate("small", "--write")
    assert code == 2 and err and not (checkpoints / "small" / "metrics.json").exists() and not workbench.exists()


@pytest.mark.parametrize("missing", ["how it was trained", "its training entry", "every test recording"])
def test_evaluate_names_what_is_missing(workbench, corpora, checkpoints, capsys, new_model, missing):
    if missing == "how it was trained":
        save_model(new_model(), checkpoints / "small", "resonet", Calibration(), {})
    if missing == "its training entry":
        path = checkpoints / "small" / "config.json"
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "training"}))
    for path in corpora.rglob("*.wav") if missing == "every test recording" else ():
        path.rename(path.with_name(path.name.replace("100", "102")))  # a training speaker
    assert evaluate.main(["small"]) == 2
    assert capsys.readouterr().err


def test_a_printed_figure_is_that_of_the_tables():
    """24.65 is 24.6 in a table made from a result file, whose figures have four places."""
    truth = np.repeat([0, 1], [100_000, 100_000])
    predicted = np.where(np.arange(200_000) % 100_000 < 24_653, truth, 2)
    scores = compute_scores(truth, predicted, np.zeros(200_000, int), 3)
    rows = score_rows(SimpleNamespace(corpora={}, pooled=scores, common_pooled=None))
    assert [row[3] for row in rows] == [percent({"uar": round(scores.uar, 4)}, "uar")] == ["24.6"]


def test_of_a_frequent_reason_the_first_names_are_listed(capsys):
    print_listed("left out", {f"{i}.wav": "too short" for i in range(21)} | {"x.wav": "text"})
    printed = capsys.readouterr().out
    assert "21 files: too short (0.wav, 1.wav, 2.wav, 3.wav, 4.wav, ...)" in printed and "  x.wav: text" in printed
