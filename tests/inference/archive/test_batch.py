"""Many files: the rows are those of `predict`, and no interruption changes them."""

import csv
import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from scripts import predict_archive
from ser_core import inference as archive
from ser_core.audio.io import read_audio
from ser_core.audio.vad import speech_segments
from ser_core.inference.archive import batch_table as rows, merge
from ser_core.inference.archive.batch import WorkerDied
from ser_core.inference.archive.job import JOB_FILE, parts_folder
from ser_core.inference.archive.plan import ArchivePart, BatchError
from ser_core.inference.prediction.predict import predict, predict_batch
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import load_model
from ser_core.models.names import CheckpointError
from ser_core.models.possible import limit_emotions
from tests.inference.archive.make_archive import BAD, analyse_all, write_recordings
from tests.make_corpus import voice, write_wav

ROOT = Path(__file__).parents[3]


@pytest.fixture
def recordings(tmp_path, speech) -> Path:
    return write_recordings(tmp_path / "recordings", speech)


@pytest.fixture
def model(checkpoints) -> str:
    return str(checkpoints / "small")


def bad_rows(out: Path) -> dict[str, str]:
    with archive.bad_files_path(out).open(newline="") as file:
        return {line["file"]: line["reason"] for line in csv.DictReader(file)}


def test_results_beside_the_recordings_are_left_out_and_said(tmp_path, model, speech, capsys):
    folder = tmp_path / "recordings"
    write_wav(folder / "a.wav", speech)

    def listed(name: str) -> str:
        command = [str(folder), "--model", model, "--workers", "1", "--out", str(folder / name)]
        assert predict_archive.main(command) == 0
        assert pq.read_table(folder / name)["file"].to_pylist() == ["a.wav"]
        return capsys.readouterr().err

    assert "Left out" not in listed("r.parquet")
    interrupted = parts_folder(folder / "half.parquet")
    interrupted.mkdir()
    (interrupted / JOB_FILE).write_text("{}")
    said = "Left out, as results of this command: 3 files, such as half.parquet.parts/job.json"
    assert said in listed("again.parquet")


def test_linked_folders_are_read_once_and_loops_are_named(recordings, model, tmp_path, speech):
    write_wav(tmp_path / "other" / "linked.wav", speech)
    (recordings / "link").symlink_to(tmp_path / "other")
    (recordings / "again").symlink_to(tmp_path / "other")
    (recordings / "deep" / "loop").symlink_to("..")
    found = analyse_all(recordings, model, tmp_path / "r.parquet")
    assert sum(row["file"].endswith("linked.wav") for row in found) == 1 and len(found) == 17
    assert set(bad_rows(tmp_path / "r.parquet")) == {*BAD, "deep/loop"}


def test_every_file_has_the_answer_of_predict(recordings, model, tmp_path):
    found = analyse_all(recordings, model, tmp_path / "r.parquet")
    names = sorted(str(p.relative_to(recordings)) for p in recordings.rglob("[!.]*.wav") if p.name != "empty.wav")
    assert sorted(row["file"] for row in found) == names and len(names) == 16
    loaded = load_model(model)
    for row in found:
        expected = predict(loaded, read_audio(recordings / row["file"]).waveform)
        assert set(row) == {"file", "notes", *vars(expected), *EMOTIONS} - {
            "top3",
            "probabilities",
            "possible_emotions",
        }
        for name in ("model", "version", "emotion", "abstain", "duration_s", "speech_s", "start_s", "end_s"):
            assert row[name] == getattr(expected, name)
        assert {e: row[e] for e in EMOTIONS} == pytest.approx(expected.probabilities, abs=1e-5)
        assert row["confidence"] == pytest.approx(expected.confidence, abs=1e-5)


def test_emotions_that_cannot_occur_have_no_probability(recordings, model, tmp_path):
    few = ("neutral", "happy", "angry")
    found = analyse_all(recordings, model, tmp_path / "r.parquet", emotions=["angry", "happy", "neutral"])
    limited = limit_emotions(load_model(model), few)
    for row in found:
        expected = predict(limited, read_audio(recordings / row["file"]).waveform)
        assert row["emotion"] == expected.emotion and {e for e in EMOTIONS if row[e] is not None} == {*few}
        assert [row[e] for e in few] == pytest.approx([expected.probabilities[e] for e in few], abs=1e-5)


def test_other_emotions_are_another_job(recordings, model, tmp_path):
    out = tmp_path / "r.parquet"
    job = archive.open_job(recordings, model, "v", out, 1, emotions=("sad", "happy"))
    assert archive.open_job(recordings, model, "v", out, 1, emotions=("happy", "sad")) == job
    for others in (EMOTIONS, ("neutral", "sad")):
        with pytest.raises(BatchError, match=r"another job.*emotions happy,sad\. Finish"):
            archive.open_job(recordings, model, "v", out, 1, emotions=others)


def test_a_job_without_emotions_in_its_plan_is_of_all(recordings, model, tmp_path):
    """It was started before jobs had them."""
    out = tmp_path / "r.parquet"
    job = archive.open_job(recordings, model, "v", out, 1)
    path = parts_folder(out) / JOB_FILE
    path.write_text(json.dumps({name: v for name, v in json.loads(path.read_text()).items() if name != "emotions"}))
    assert archive.open_job(recordings, model, "v", out, 1) == job
    with pytest.raises(BatchError, match=r"another job: .*recordings\. Finish"):
        archive.open_job(recordings, model, "v", out, 1, emotions=("sad", "happy"))


def test_the_command_passes_the_emotions_on(recordings, model, tmp_path):
    out = tmp_path / "r.parquet"
    command = [str(recordings), "--model", model, "--out", str(out), "--workers", "1", "--emotions", "sad,happy"]
    assert predict_archive.main(command) == 2  # two files are none
    assert set(pq.read_table(out)["emotion"].to_pylist()) <= {"happy", "sad"}


def test_what_cannot_be_read_is_listed_with_the_reason(recordings, model, tmp_path):
    found = analyse_all(recordings, model, tmp_path / "r.parquet")
    listed = bad_rows(tmp_path / "r.parquet")
    assert listed.keys() == BAD.keys() and all(BAD[name] in reason for name, reason in listed.items())
    assert not listed.keys() & {row["file"] for row in found}


def test_every_table_has_its_own_list():
    names = ("r.parquet", "v.1", "v.2", "v")
    lists = [archive.bad_files_path(Path("folder") / name).as_posix() for name in names]
    assert lists == [f"folder/{stem}.bad_files.csv" for stem in ("r", "v.1", "v.2", "v")]


def test_a_listed_name_is_never_a_formula(model, tmp_path, speech):
    folder = tmp_path / "recordings"
    write_wav(folder / "good.wav", speech)
    (folder / "=cmd|' C calc'!A0.wav").write_bytes(b"no sound")
    analyse_all(folder, model, tmp_path / "r.parquet")
    assert list(bad_rows(tmp_path / "r.parquet")) == ["'=cmd|' C calc'!A0.wav"]


def test_common_batches_change_no_answer(new_model, speech):
    model, waveforms = new_model(), [speech, speech[:9000], np.tile(speech, 3), np.zeros(100, np.float32)]
    found = predict_batch(model, waveforms, [speech_segments(w) for w in waveforms])
    for prediction, waveform in zip(found, waveforms, strict=True):
        expected = predict(model, waveform)
        assert prediction.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
        assert (prediction.emotion, prediction.speech_s, prediction.reason[:20]) == (
            expected.emotion,
            expected.speech_s,
            expected.reason[:20],
        )
    assert predict_batch(model, [], []) == []


def test_groups_bound_the_sound_in_memory(recordings, model, monkeypatch, tmp_path):
    expected = analyse_all(recordings, model, tmp_path / "a.parquet")
    sizes = []
    monkeypatch.setattr(rows, "MAX_GROUP_S", 3.0)
    original = rows.predict_batch
    monkeypatch.setattr(rows, "predict_batch", lambda m, w, **_: sizes.append(sum(map(len, w))) or original(m, w))
    files = [row["file"] for row in expected]
    found = rows.predict_files(str(recordings), files, model, load_model(model).version).to_pylist()
    longest = max(row["duration_s"] for row in expected)
    assert len(sizes) > 3 and max(sizes) / 16_000 < 3 + longest
    for row, other in zip(found, expected, strict=True):
        assert [row[e] for e in EMOTIONS] == pytest.approx([other[e] for e in EMOTIONS], abs=1e-5)


@pytest.mark.parametrize("n_done", [0, 1, 5])
def test_going_on_gives_what_an_uninterrupted_run_gives(recordings, model, tmp_path, n_done):
    expected = analyse_all(recordings, model, tmp_path / "once" / "r.parquet", n_workers=2)
    out = tmp_path / "r.parquet"
    version = load_model(model).version
    job = archive.open_job(recordings, model, version, out, 2)
    assert job.n_batches > 5
    with ThreadPoolExecutor(1) as executor:
        list(islice(archive.run_job(job, out, executor, 1), n_done))
    parts = parts_folder(out)
    (parts / "000099.parquet.tmp").write_bytes(b"torn")
    kept = {path: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert len(kept) >= n_done and not out.exists()
    write_wav(recordings / "later.wav", voice(200, seed=99))  # comes too late for this job
    assert archive.open_job(recordings, model, version, out, 1) == job
    with ThreadPoolExecutor(1) as executor:
        done = list(archive.run_job(job, out, executor, 1))
    assert sum(p.n_files for p in done) == job.n_files
    assert sum(p.n_files for p in done if p.from_earlier_run) == sum(pq.read_metadata(p).num_rows for p in kept)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    archive.finish_job(job, out)
    assert pq.read_table(out).to_pylist() == expected and bad_rows(out).keys() == BAD.keys()
    assert not parts.exists()


def test_parts_are_the_archive_each_file_once(recordings, model, tmp_path):
    expected = analyse_all(recordings, model, tmp_path / "r.parquet")
    found, n_bad = [], 0
    for part in (ArchivePart(1, 2), ArchivePart(2, 2)):
        out = tmp_path / f"{part.number}.parquet"
        found += analyse_all(recordings, model, out, part=part)
        n_bad += len(bad_rows(out))
        assert len(found) < len(expected) or part.number == 2
    by_file = {row["file"]: row["emotion"] for row in found}
    assert by_file == {row["file"]: row["emotion"] for row in expected} and len(found) == len(expected)
    assert n_bad == len(BAD)


def test_results_are_never_made_of_some_of_the_parts(recordings, model, tmp_path):
    out = tmp_path / "r.parquet"
    job = archive.open_job(recordings, model, load_model(model).version, out, 1)
    with pytest.raises(BatchError, match="same command"):
        archive.finish_job(job, out)
    assert not out.exists()


def test_a_file_that_vanishes_is_listed(recordings, model, tmp_path):
    out = tmp_path / "r.parquet"
    job = archive.open_job(recordings, model, load_model(model).version, out, 1)
    (recordings / "speaker 0" / "00.wav").unlink()
    with ThreadPoolExecutor(1) as executor:
        list(archive.run_job(job, out, executor, 1))
    archive.finish_job(job, out)
    assert "not found" in bad_rows(out)["speaker 0/00.wav"]


def test_an_unforeseen_fault_of_one_file_is_listed(recordings, model, tmp_path, monkeypatch):
    def read(path, **_):
        if path.name == "03.wav":
            raise RuntimeError("the decoder stumbled")
        return read_audio(path)

    monkeypatch.setattr(rows, "read_audio", read)
    found = analyse_all(recordings, model, tmp_path / "r.parquet")
    assert len(found) == 15 and "the decoder stumbled" in bad_rows(tmp_path / "r.parquet")["speaker 0/03.wav"]


def test_names_that_are_no_text_are_shown_escaped(model, tmp_path, speech):
    folder = tmp_path / "recordings"
    write_wav(folder / os.fsdecode(b"caf\xe9.wav"), speech)
    write_wav(folder / "new\nline.wav", speech)
    found = analyse_all(folder, model, tmp_path / "r.parquet")
    assert {row["file"] for row in found} == {"caf\\udce9.wav", "new\nline.wav"}


def test_results_inside_the_folder_are_not_read(recordings, model):
    found = analyse_all(recordings, model, recordings / "r.parquet")
    assert len(found) == 16 and bad_rows(recordings / "r.parquet").keys() == BAD.keys()


class Mortal(ThreadPoolExecutor):
    """An executor whose worker dies of one file: the tasks that run then, and all later ones, fail."""

    def __init__(self, *lethal: str):
        super().__init__(1)
        self.lethal, self.is_broken, self.calls = lethal, False, []

    def submit(self, predict, folder, files, *rest):
        self.calls.append(files)
        self.is_broken |= any(name in files for name in self.lethal)
        if not self.is_broken:
            return super().submit(predict, folder, files, *rest)
        future = Future()
        future.set_exception(BrokenProcessPool())
        return future


def test_files_that_end_a_worker_are_named_and_left_out(recordings, model, tmp_path):
    expected = analyse_all(recordings, model, tmp_path / "once" / "r.parquet", n_workers=2)
    lethal = {"speaker 0/03.wav", "speaker 1/07.wav"}
    out, deaths = tmp_path / "r.parquet", 0
    job = archive.open_job(recordings, model, load_model(model).version, out, 2)
    while True:
        try:
            with Mortal(*lethal) as executor:
                done = list(archive.run_job(job, out, executor, 2))
            break
        except WorkerDied as error:
            assert "same command" in str(error)
            deaths += 1
    assert deaths <= 2 * len(lethal)
    assert all(len(files) == 1 for files in executor.calls[:1])
    assert sum(p.n_files for p in done) == job.n_files
    archive.finish_job(job, out)
    assert bad_rows(out).keys() == BAD.keys() | lethal
    assert "ended the process" in bad_rows(out)["speaker 0/03.wav"]
    found = pq.read_table(out).to_pylist()
    assert [row["file"] for row in found] == [row["file"] for row in expected if row["file"] not in lethal]
    assert not parts_folder(out).exists()


def test_an_innocent_batch_that_ran_beside_is_predicted(recordings, model, tmp_path):
    out = tmp_path / "r.parquet"
    job = archive.open_job(recordings, model, load_model(model).version, out, 2)
    with Mortal("deep/er/notes.txt") as executor, pytest.raises(WorkerDied):
        list(archive.run_job(job, out, executor, 2))
    with ThreadPoolExecutor(1) as executor:  # it was the machine, not a file
        list(archive.run_job(job, out, executor, 2))
    archive.finish_job(job, out)
    assert bad_rows(out).keys() == BAD.keys()


def test_another_version_does_not_answer(recordings, model):
    with pytest.raises(CheckpointError, match="00000000"):
        rows.predict_files(str(recordings), ["empty.wav"], model, "00000000")


# --- what is refused -------------------------------------------------------------------------------------------------


def test_results_are_not_overwritten(recordings, model, tmp_path):
    (tmp_path / "r.parquet").write_text("mine")
    with pytest.raises(BatchError, match=r"r\.parquet .*--out"):
        archive.open_job(recordings, model, "v", tmp_path / "r.parquet", 1)
    assert (tmp_path / "r.parquet").read_text() == "mine"


def test_the_parts_of_another_job_are_not_touched(recordings, model, tmp_path):
    out = tmp_path / "r.parquet"
    archive.open_job(recordings, model, "v", out, 1)
    for folder, version in ((recordings, "w"), (recordings / "deep", "v")):
        with pytest.raises(BatchError, match=r"r\.parquet.*version v\).*--out"):
            archive.open_job(folder, model, version, out, 1)
    (parts_folder(out) / JOB_FILE).write_text("{}")
    with pytest.raises(BatchError, match=re.escape(JOB_FILE)):
        archive.open_job(recordings, model, "v", out, 1)


@pytest.mark.parametrize(("name", "why"), [("nowhere", "folder.*nowhere"), ("nothing", "files.*nothing")])
def test_a_folder_without_files_is_told(tmp_path, name, why):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(BatchError, match=why):
        archive.open_job(tmp_path / name, "m", "v", tmp_path / "r.parquet", 1)


def test_links_in_a_circle_are_listed_and_end_nothing(recordings, model, tmp_path):
    (recordings / "circle.wav").symlink_to("circle.wav")
    (recordings / "up").symlink_to(recordings)
    assert len(analyse_all(recordings, model, tmp_path / "r.parquet")) == 16
    assert bad_rows(tmp_path / "r.parquet").keys() == {*BAD, "circle.wav", "up"}


def test_a_folder_that_cannot_be_listed_is_not_left_out_in_silence(recordings, model, tmp_path, monkeypatch):
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("speaker 1"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(BatchError, match=r"speaker 1 .*Permission denied"):
        archive.open_job(recordings, model, "v", tmp_path / "r.parquet", 1)


def test_parts_that_an_ended_job_left_are_not_taken_for_the_next_one(recordings, model, tmp_path, monkeypatch):
    out = tmp_path / "r.parquet"
    with monkeypatch.context() as stuck:
        stuck.setattr(merge.shutil, "rmtree", lambda *_, **__: None)
        analyse_all(recordings, model, out)
    assert list(parts_folder(out).glob("*.parquet"))
    out.unlink()
    (recordings / "deep" / "er" / "long, speech.wav").unlink()
    found = [row["file"] for row in analyse_all(recordings, model, out)]
    assert len(found) == 15 and "deep/er/long, speech.wav" not in found


@pytest.mark.slow
def test_only_one_process_makes_the_same_results(recordings, model, tmp_path, capsys):
    out = tmp_path / "r.parquet"
    arguments = [str(recordings), "--model", model, "--out", str(out), "--workers", "1"]
    with archive.exclusive_lock(out):
        assert predict_archive.main(arguments) == 2
    assert "--out" in capsys.readouterr().err and not parts_folder(out).exists()
    assert predict_archive.main(arguments) == 2 and out.exists()  # two files cannot be read


# --- the command -----------------------------------------------------------------------------------------------------


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "scripts.predict_archive", *map(str, arguments)]


def started(arguments: list[str], said: Path) -> subprocess.Popen:
    """The command, in a session of its own; `said` receives what all of its processes print."""
    with said.open("wb") as output:
        return subprocess.Popen(
            arguments,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background inherit another
            env=os.environ | {"PYTHONFAULTHANDLER": "1"},
        )


def ended(process: subprocess.Popen, said: Path, timeout_s: float = 120) -> str:
    """What it printed, once no process of its session is left; fails with the stacks of those that stay."""
    end = time.monotonic() + timeout_s
    while left := members(process.pid):
        if time.monotonic() > end:
            for pid in left:
                os.kill(pid, signal.SIGABRT)
            time.sleep(1)
            pytest.fail(f"processes stay: {left}\n{said.read_text()}")
        time.sleep(0.02)
    process.wait(timeout_s)
    return said.read_text()


def wait_for(condition, timeout_s: float = 120) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def members(session: int) -> list[int]:
    """Processes of a session that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[3]) == session and after_name[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts processes as Linux lists them")
def test_a_command_that_is_interrupted_then_killed_goes_on(recordings, model, tmp_path, speech, capsys):
    for i in range(60):
        write_wav(recordings / "more" / f"{i}.wav", speech[:32_000])
    out, done = tmp_path / "r.parquet", 0
    arguments = [str(recordings), "--model", model, "--out", str(out)]
    for how, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        process = started(command(*arguments, "--workers", "2"), tmp_path / "said.txt")
        wait_for(lambda before=done, process=process: n_parts(out) > before or process.poll() is not None)
        os.killpg(process.pid, how) if how == signal.SIGINT else process.send_signal(how)
        said = ended(process, tmp_path / "said.txt")
        assert process.returncode == code, said
        assert "Traceback" not in said and not out.exists()
        done = n_parts(out)
        assert 0 < done < json.loads((parts_folder(out) / JOB_FILE).read_text())["n_files"]
    assert predict_archive.main([*arguments, "--workers", "1"]) == 2
    assert "2 files could not be read" in capsys.readouterr().err
    found = pq.read_table(out).to_pylist()
    assert found == analyse_all(recordings, model, tmp_path / "once" / "r.parquet", n_workers=2)
    assert len({row["file"] for row in found}) == len(found) == 76


def n_parts(out: Path) -> int:
    """Batches that are done."""
    return len(list(parts_folder(out).glob("??????.parquet")))


def test_faults_of_the_caller_are_told_in_a_line(recordings, model, tmp_path, capsys):
    out = tmp_path / "r.parquet"
    for arguments in (["nowhere", "--model", model], [str(recordings), "--model", "unsizes-of"]):
        assert predict_archive.main([*arguments, "--out", str(out)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1 and not parts_folder(out).exists()
    assert predict_archive.main([str(recordings), "--model", model, "--out", "/proc/nowhere/r.parquet"]) == 2
    assert "/proc/nowhere cannot be read or written" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        predict_archive.main([str(recordings), "--workers", "0"])


def test_the_plan_of_a_job_is_valid_in_any_folder(recordings, checkpoints, tmp_path, monkeypatch, capsys):
    planned, job = [], SimpleNamespace(note="", n_files=5)
    for name in ("start_processes", "check_takes_reference", "check_takes_emotions", "analyse_despite_deaths"):
        monkeypatch.setattr(predict_archive, name, lambda *_: None)
    monkeypatch.setattr(predict_archive, "open_job", lambda *given: planned.append(given) or job)
    monkeypatch.setattr(predict_archive, "finish_job", lambda *_: 2)
    monkeypatch.chdir(tmp_path)
    names = ["--model", "checkpoints/small", "--speakers", "speakers.csv", "--reference-emotion", "neutral"]
    names += ["--emotions", "sad,happy"]
    assert predict_archive.main(["recordings", *names, "--part", "2/4", "--out", "r.parquet"]) == 2
    ((_, model, version, out, _, *of_speakers),) = planned
    assert (model, version) == (str(checkpoints / "small"), load_model("small").version)
    assert of_speakers == [str(tmp_path / "speakers.csv"), ArchivePart(2, 4), "neutral", ("happy", "sad")]
    told = capsys.readouterr()
    assert str(out) == "r-2-of-4.parquet" and "3 rows in r-2-of-4.parquet" in told.out and "2 files could" in told.err


def test_new_workers_take_the_place_of_those_that_died(tmp_path, monkeypatch):
    calls = []

    def dying(*given):
        calls.append(given)
        if len(calls) <= n_deaths:
            raise WorkerDied

    monkeypatch.setattr(predict_archive, "analyse", dying)
    for n_deaths in (0, 20):
        calls.clear()
        predict_archive.analyse_despite_deaths(None, tmp_path, None, 1)
        assert len(calls) == n_deaths + 1
    n_deaths = 10**6
    with pytest.raises(WorkerDied):
        predict_archive.analyse_despite_deaths(None, tmp_path, None, 1)


def test_an_interruption_has_its_own_code(tmp_path, monkeypatch):
    def interrupted(options, out):
        raise KeyboardInterrupt

    monkeypatch.setattr(predict_archive, "run", interrupted)
    assert predict_archive.main([str(tmp_path)]) == 130


def test_output_that_nobody_reads_is_no_fault_of_the_table(tmp_path, monkeypatch, capsys):
    def unread(options, out):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(predict_archive, "run", unread)
    monkeypatch.setattr("scripts.common.errors.discard_output", lambda: None)  # that of the tests
    assert predict_archive.main([str(tmp_path)]) == 1 and not capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "values"), [("--out", ["", "/", "..", os.devnull, "r.XLSX"]), ("--part", ["5/4", "0/4", "2", "a/b"])]
)
def test_a_wrong_option_is_answered_by_a_sentence(option, values, tmp_path, capsys):
    for value in values:
        with pytest.raises(SystemExit) as refused:
            predict_archive.main([str(tmp_path), option, value])
        said = capsys.readouterr().err
        assert refused.value.code == 2 and "such as" in said and "invalid" not in said
