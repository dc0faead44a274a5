"""scripts.predict: JSON, CSV and text output, and exit codes."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scripts import predict
from ser_core.inference.prediction.predict import predict_windows
from ser_core.inference.results import MIN_SPEECH_TO_PREDICT_S
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import load_model
from tests.make_audio import long_file
from tests.make_corpus import voice, write_wav

ROOT = Path(__file__).parent.parent.parent

FIELDS = {
    *("file", "model", "version", "duration_s", "speech_s", "emotion", "confidence", "probabilities", "top3"),
    "possible_emotions",
    *("abstain", "reason", "start_s", "end_s", "novelty", "familiarity", "notes"),
    *("arousal", "valence", "reference_clips", "reference_source", "reference_note"),
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


def test_a_file_comes_through_a_pipe(predicted, monkeypatch, tmp_path):
    file = ROOT / "assets" / "samples" / "low_slow.ogg"  # short enough for a pipe to hold
    expected = predicted(str(file), "--model", "small")[1][0]
    reader, writer = os.pipe()
    os.write(writer, file.read_bytes())
    os.close(writer)
    monkeypatch.setattr(predict, "STANDARD_INPUT", {"-": f"/dev/fd/{reader}"})
    code, (record,) = predicted("-", "--model", "small")
    assert code == 0 and record == expected | {"file": "-"}
    code, (record,) = predicted(f"/dev/fd/{reader}", "--model", "small")
    assert code == 2 and "empty (0 bytes)" in record["error"]
    os.close(reader)
    os.mkfifo(tmp_path / "pipe")  # without a writer it would be waited for
    assert "not a file" in predicted(str(tmp_path / "pipe"), "--model", "small")[1][0]["error"]


def test_predict_writes_windows_when_asked(predicted, good, speech):
    code, (record,) = predicted(good, "--model", "small", "--windows")
    assert code == 0 and set(record) == FIELDS | {"windows"}
    expected = predict_windows(load_model("small"), speech)
    assert len(record["windows"]) == len(expected.start_s) > 2
    for window, emotion in zip(record["windows"], expected.emotions, strict=True):
        assert set(window) == {
            "start_s",
            "end_s",
            "speech_s",
            "emotion",
            "probabilities",
            "arousal",
            "valence",
            "answer",
        }
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


def test_rows_of_windows_say_which_have_no_label(checkpoints, capsys, speech, tmp_path):
    path = checkpoints / "small" / "config.json"
    config = json.loads(path.read_text())
    pause = str(write_wav(tmp_path / "pause.wav", np.concatenate([speech, np.zeros(10 * 16_000, np.float32), speech])))
    for threshold, reasons in ((0.0, {"", "no speech"}), (1.0, {"not sure", "no speech"})):
        config["calibration"]["min_confidence"] = threshold
        path.write_text(json.dumps(config))
        assert predict.main([pause, "--model", "small", "--windows", "--format", "csv"]) == 0
        rows = table(capsys)
        assert {row["reason"] for row in rows} == reasons
        for row in rows:
            assert row["abstain"] == str(row["reason"] != "") and row["confidence"] == row[row["emotion"]]
            assert (row["reason"] == "no speech") == (float(row["speech_s"]) < MIN_SPEECH_TO_PREDICT_S)
        assert predict.main([pause, "--model", "small", "--windows", "--format", "text"]) == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if re.match(r" +\d", line)]
        assert ["no speech" in line for line in lines] == [row["reason"] == "no speech" for row in rows]
        assert ["(not sure)" in line for line in lines] == [row["reason"] == "not sure" for row in rows]


def test_predict_as_text(checkpoints, capsys, good, bad, tmp_path):
    silent = str(write_wav(tmp_path / "silent.wav", np.zeros(16_000)))
    assert predict.main([good, bad, silent, "--model", "small", "--format", "text", "--windows"]) == 2
    out = capsys.readouterr().out.splitlines()
    assert (
        out[0].startswith(f"{good}: ") and "(small, " in out[0] and re.search(r"\w+ \d+%, \w+ \d+%, \w+ \d+%", out[0])
    )
    assert re.fullmatch(r" +0\.\d\d-\d\.\d\d s  \w+ \d+%", out[1])
    assert any(line.startswith(f"{bad}: ") for line in out)
    (line,) = (line for line in out if line.startswith(f"{silent}: "))
    assert line == f"{silent}: no speech (small, 0.0 s of speech in 1.0 s)  No speech was found (0.0 s)."


FEW = ("neutral", "happy", "angry")


def test_the_emotions_that_can_occur_are_chosen_among(checkpoints, predicted, capsys, good, monkeypatch):
    monkeypatch.setattr(predict, "describe_expected_accuracy", lambda *known: f"measured among {known[4]}")
    chosen = [good, "--model", "small", "--emotions", "angry, happy,neutral"]
    code, (record,) = predicted(*chosen, "--windows")
    assert code == 0 and record["possible_emotions"] == [*FEW] and record["emotion"] in FEW
    assert {name for name, p in record["probabilities"].items() if p} == {*FEW}
    assert all(window["emotion"] in FEW for window in record["windows"])
    for more in ([], ["--windows"]):
        assert predict.main([*chosen, "--format", "csv", *more]) == 0
        assert all({name for name in EMOTIONS if row[name]} == {*FEW} for row in table(capsys))
    assert predict.main([*chosen, "--format", "text"]) == 0
    assert "among neutral, happy and angry)" in (text := capsys.readouterr().out) and f"measured among {FEW}" in text
    assert predict.main([good, "--model", "small", "--format", "text", "--emotions", ",".join(EMOTIONS)]) == 0
    assert ", among" not in (text := capsys.readouterr().out) and f"measured among {EMOTIONS}" in text


@pytest.mark.parametrize(("words", "message"), [("happy", "two possible"), ("joy,sad", "'joy'"), ("", "There are: ")])
def test_emotions_that_cannot_be_chosen_among_are_a_usage_error(words, message, good, capsys):
    with pytest.raises(SystemExit, match="2"):
        predict.main([good, "--emotions", words])
    assert "argument --emotions: " in (shown := capsys.readouterr().err) and message in shown


def test_an_unknown_model_lists_what_exists(checkpoints, capsys, good):
    assert predict.main([good, "--model", "large"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "other, small" in captured.err


@pytest.mark.slow
def test_the_exit_code_reaches_the_shell(tmp_path):
    command = [sys.executable, "-m", "scripts.predict", "nothing.wav", "--model", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "config.json" in done.stderr and "Traceback" not in done.stderr


# --- output that ends early -----------------------------------------------------------------------------------------


@pytest.fixture
def written_to(checkpoints, monkeypatch, good):
    """A function that runs `predict` with an output that cannot be written: its exit code."""

    def run(descriptor: int, form: str) -> int:
        with os.fdopen(descriptor, "w") as output, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", output)
            return predict.main([good, good, "--windows", "--format", form])

    return run


@pytest.mark.parametrize("form", ["json", "csv", "text"])
def test_a_reader_that_has_enough_ends_it_quietly(written_to, capfd, form):
    reader, writer = os.pipe()
    os.close(reader)
    assert written_to(writer, form) == 1
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("form", ["json", "csv", "text"])
def test_a_full_disk_is_told(written_to, capfd, form):
    assert written_to(os.open("/dev/full", os.O_WRONLY), form) == 2
    assert "No space left on device. Free some space" in capfd.readouterr().err


def test_a_closed_output_is_told(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    assert predict.main(["a.wav"]) == 2
    assert "output is closed" in capsys.readouterr().err


def test_ctrl_c_is_no_error(checkpoints, good, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(predict, "prediction_record", interrupted)
    assert predict.main([good]) == 130
    assert capsys.readouterr().err == "\nInterrupted.\n"


def test_ctrl_c_during_the_imports_is_no_error():
    code = "import scripts; raise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGINT and done.stderr == "\nInterrupted.\n"


# --- reference clips -------------------------------------------------------------------------------------------------


@pytest.fixture
def enrolled(monkeypatch, enrolling_model, predicted):
    """`predicted` with a model that takes reference clips."""
    monkeypatch.setattr(predict, "load_model", lambda name: enrolling_model)
    return predicted


def test_clips_of_the_speaker_are_a_reference(enrolled, good, others):
    plain, used = (enrolled(good, *more)[1][0] for more in ([], ["--reference", *others]))
    assert used["reference_clips"] == 3 and used["reference_source"] == "clips" and not plain["reference_clips"]
    assert used["probabilities"] != plain["probabilities"]
    own = enrolled(good, "--reference", good, *others)[1][0]  # it is compared with the others alone
    assert own["probabilities"] == pytest.approx(used["probabilities"], abs=1e-5) and own["reference_clips"] == 3


def test_a_reference_is_saved_and_used_again(enrolled, good, others, tmp_path):
    saved = str(tmp_path / "voice.json")
    code, (first,) = enrolled(good, "--reference", *others, "--save-reference", saved)
    again = enrolled(good, "--reference", saved)[1][0]
    assert code == 0 and again["probabilities"] == pytest.approx(first["probabilities"], abs=1e-4)
    assert first["reference_clips"] == again["reference_clips"] == 3
    assert enrolled("--reference", *others, "--save-reference", str(tmp_path / "other.json")) == (0, [])
    assert (tmp_path / "other.json").read_bytes() == Path(saved).read_bytes()


def test_the_emotion_of_the_clips_may_be_known(enrolled, enrolling_model, good, others, tmp_path, monkeypatch):
    monkeypatch.setattr(enrolling_model, "emotion_offsets", np.ones((8, 8), np.float32))
    plain, known = (
        enrolled(good, *flags, "--reference", *others)[1][0] for flags in ([], ["--reference-emotion", "neutral"])
    )
    assert (plain["reference_source"], known["reference_source"]) == ("clips", "neutral clips")
    assert plain["probabilities"] != known["probabilities"]
    saved = str(tmp_path / "voice.json")
    enrolled("--reference-emotion", "neutral", "--save-reference", saved, "--reference", *others)
    assert enrolled(good, "--reference", saved)[1][0]["probabilities"] == pytest.approx(
        known["probabilities"], abs=1e-4
    )
    monkeypatch.setattr(enrolling_model, "emotion_offsets", None)
    assert enrolled(good, "--reference-emotion", "neutral", "--reference", *others) == (2, [])


@pytest.mark.parametrize("given", [[], ["recording"], ["together"], ["voice.json"]])
def test_an_emotion_belongs_to_clips(good, given, capsys):
    with pytest.raises(SystemExit):
        predict.main([good, "--reference-emotion", "sad", *(["--reference", *given] if given else [])])
    assert "--reference-emotion needs the clips of --reference" in capsys.readouterr().err


def test_a_recording_may_be_its_own_reference(enrolled, tmp_path, speech):
    write_wav(tmp_path / "long.wav", np.tile(speech, 4))
    record = enrolled(str(tmp_path / "long.wav"), "--reference", "recording")[1][0]
    assert record["reference_source"] == "recording" and record["reference_clips"] > 3


def test_the_files_may_be_the_reference_of_each_other(enrolled, good, others, bad):
    code, found = enrolled(good, *others, bad, "--reference", "together")
    assert code == 2 and "error" in found[4]  # of the bad file
    assert {(record["reference_source"], record["reference_clips"]) for record in found[:4]} == {("collection", 3)}
    assert enrolled(good, good, "--reference", "together") == (2, [])


def test_a_long_file_is_compared_with_the_others_too(enrolled, good, others, tmp_path, speech):
    (tmp_path / "long.wav").write_bytes(long_file(speech))
    _, found = enrolled(good, *others, str(tmp_path / "long.wav"), "--reference", "together")
    assert {record["reference_clips"] for record in found} == {4}


def test_the_order_of_the_files_changes_no_prediction(enrolled, good, others, monkeypatch):
    monkeypatch.setattr("ser_core.inference.reference_clips.MAX_REFERENCE_CLIPS", 3)
    files = sorted([good, *others])
    first, again = (enrolled(*given, "--reference", "together")[1] for given in (files, files[::-1]))
    assert first == again[::-1] and sorted(record["reference_clips"] for record in first) == [2, 2, 2, 3]


def test_the_rate_of_right_predictions_is_that_with_the_reference(enrolled, good, others, capsys, monkeypatch):
    monkeypatch.setattr(predict, "describe_expected_accuracy", lambda *known: f"measured with {known[3]!r}")
    for given, expected in (([], "''"), (others[:1], "'1'"), (["together"], "None")):
        assert predict.main([good, *others[1:], "--format", "text"] + (["--reference", *given] if given else [])) == 0
        assert f"measured with {expected}" in capsys.readouterr().out


def test_the_rate_is_that_of_recordings_as_familiar_and_of_speech_alone(enrolled, good, monkeypatch):
    monkeypatch.setattr(predict, "describe_expected_accuracy", lambda *known: f"measured for {known[2]}")
    record = enrolled(good)[1][0] | {"familiarity": "unusual"}
    metrics = {record["model"]: {}}
    assert "measured for unusual" in predict.as_text(record, metrics)
    assert "measured" not in predict.as_text(record | {"speech_s": 0.0}, metrics)


def test_each_model_has_a_reference_of_its_own(predicted, good, others):
    code, found = predicted(good, "--model", "small", "--model", "other", "--reference", *others)
    assert code == 0 and [(r["model"], r["reference_clips"]) for r in found] == [("small", 3), ("other", 3)]


def test_rows_of_windows_name_the_reference_too(enrolled, good, others, capsys):
    for more in ([], ["--windows"]):
        assert predict.main([good, "--reference", others[0], "--format", "csv", *more]) == 0
        rows = table(capsys)
        assert {(row["reference_clips"], row["reference_source"]) for row in rows} == {("1", "clips")}
        assert all(row["reference_note"] for row in rows)


def test_a_note_of_the_reference_is_shown(enrolled, good, others, capsys):
    for clip, note in ((others[0], "Reference clips: 1"), (good, "this recording alone")):
        assert predict.main([good, "--reference", clip, "--format", "text"]) == 0
        assert note in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "{}", "[1]", "\udcff"])
def test_another_file_is_not_a_reference(enrolled, good, tmp_path, content):
    file = tmp_path / "voice.json"
    file.write_bytes(content.encode(errors="surrogateescape"))
    assert enrolled(good, "--reference", str(file)) == (2, [])


def test_a_saved_reference_that_cannot_be_read_or_written_is_named(enrolled, good, tmp_path, capsys):
    missing = str(tmp_path / "missing.json")
    assert predict.main([good, "--reference", missing]) == 2
    assert f"{missing} cannot be read: No such file" in capsys.readouterr().err
    (folder := tmp_path / "folder.json").mkdir()
    assert predict.main([good, "--reference", good, "--save-reference", str(folder)]) == 2
    assert f"{folder} cannot be written: Is a directory" in capsys.readouterr().err


def test_the_folder_of_a_saved_reference_must_exist(good, tmp_path, capsys):
    with pytest.raises(SystemExit):
        predict.main([good, "--reference", good, "--save-reference", str(tmp_path / "none" / "voice.json")])
    assert f"the folder {tmp_path / 'none'} does not exist" in capsys.readouterr().err


def test_a_reference_is_saved_only_where_it_is_found_again(good, capsys):
    """A name without .json is taken for a clip: the reference could not be used, and a recording would be replaced."""
    before = Path(good).read_bytes()
    with pytest.raises(SystemExit):
        predict.main([good, "--reference", good, "--save-reference", good])
    assert "ends with .json" in capsys.readouterr().err and Path(good).read_bytes() == before


@pytest.mark.parametrize("embedding", [[1.0] * 3, [3.4e38] * 8])
def test_a_damaged_reference_is_told(enrolled, good, tmp_path, capsys, embedding):
    saved = tmp_path / "voice.json"
    enrolled("--reference", good, good, good, "--save-reference", str(saved))
    saved.write_text(json.dumps(json.loads(saved.read_text()) | {"embedding": embedding}))
    assert predict.main([good, "--reference", str(saved)]) == 2
    assert "Make it again" in capsys.readouterr().err


def test_a_bad_reference_clip_is_named(predicted, good, bad, capsys, enrolled):
    assert predict.main([good, "--reference", good, bad]) == 2
    assert bad in capsys.readouterr().err


def test_a_model_without_reference_is_named(predicted, good, capsys, no_references):
    for reference in ("recording", good):
        assert predict.main([good, "--model", "small", "--reference", reference]) == 2
        assert "small takes no reference clips" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--reference", "a.wav"],
        ["a.wav", "--save-reference", "v.json"],
        ["a.wav", "--reference", "recording", "--save-reference", "v.json"],
        ["a.wav", "--reference", "b.wav", "--save-reference", "v.json", "--model", "x", "--model", "y"],
        ["a.wav", "--reference", "b.wav", "together"],
        ["a.wav", "--reference", "v.json", "b.wav"],
    ],
)
def test_flags_that_do_not_fit_together(flags, capsys):
    with pytest.raises(SystemExit):
        predict.main(flags)
