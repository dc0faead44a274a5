"""Enrolment in an archive: which files are the reference of a speaker, and which predictions use it."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pyarrow.parquet as pq
import pytest

from scripts import predict_archive
from ser_core import inference as archive
from ser_core.audio.io import read_audio
from ser_core.inference.archive import batch, batch_table as rows, job
from ser_core.inference.archive.job import JOB_FILE, parts_folder
from ser_core.inference.archive.plan import ArchivePart, BatchError, read_plan
from ser_core.inference.archive.speakers import SpeakerTableError, draw_clips, speaker_function
from ser_core.inference.enrolment import collection_reference, speaker_reference
from ser_core.inference.prediction.predict import predict
from ser_core.labels import EMOTIONS
from tests.make_audio import long_file
from tests.make_corpus import write_wav


@pytest.fixture
def recordings(tmp_path, speech):
    """Four clips of one speaker, two of another, one of a third that is silent."""
    noise = np.random.default_rng(0).normal(0, 0.004, len(speech)).astype(np.float32)
    for i in range(4):
        write_wav(tmp_path / "archive" / "a" / f"{i}.wav", speech + i * noise)
    write_wav(tmp_path / "archive" / "a" / "silent.wav", np.zeros(16_000))
    for i in range(2):
        write_wav(tmp_path / "archive" / "b" / f"{i}.wav", speech * (0.9 - i * 0.1))
    (tmp_path / "archive" / "a" / "damaged.wav").write_bytes(b"no sound")
    return tmp_path / "archive"


@pytest.fixture
def predicted(recordings, tmp_path, monkeypatch, enrolling_model):
    """A function that runs a job with enrolment: rows by file."""
    monkeypatch.setattr(rows, "_load_once", lambda name: enrolling_model)

    def run(speakers: str, n_workers: int = 1, emotion: str = "") -> dict[str, dict]:
        out = tmp_path / "r.parquet"
        out.unlink(missing_ok=True)
        of_speakers = (speakers, None, emotion)
        job = archive.open_job(recordings, "enrolling", enrolling_model.version, out, n_workers, *of_speakers)
        with ThreadPoolExecutor(1) as executor:
            if speakers:
                archive.enrol_speakers(job, out, executor)
            list(archive.run_job(job, out, executor, n_workers))
        archive.finish_job(job, out)
        return {row["file"]: row for row in pq.read_table(out).to_pylist()}

    return run


def test_the_files_of_a_folder_are_the_reference_of_its_speaker(predicted, recordings, enrolling_model):
    found = predicted("folders")
    clips = {f"a/{i}.wav": read_audio(recordings / "a" / f"{i}.wav").waveform for i in range(4)}
    reference = speaker_reference(enrolling_model, list(clips.values()))
    for file, waveform in clips.items():
        expected = predict(enrolling_model, waveform, reference=reference)
        assert [found[file][e] for e in EMOTIONS] == pytest.approx(list(expected.probabilities.values()), abs=1e-5)
        assert (found[file]["reference_clips"], found[file]["reference_source"]) == (3, "clips")  # the others


@pytest.mark.parametrize(
    ("speakers", "emotion", "source"),
    [("folders", "neutral", "neutral clips"), ("folders", "everyday", "everyday clips")],
)
def test_the_emotion_of_the_files_may_be_known(
    predicted, recordings, enrolling_model, monkeypatch, speakers, emotion, source
):
    plain = predicted(speakers)["a/0.wav"]
    monkeypatch.setattr(enrolling_model, "emotion_offsets", np.ones((8, 8), np.float32))
    found = predicted(speakers, emotion=emotion)["a/0.wav"]
    assert found["reference_source"] == source and found["reference_clips"] == plain["reference_clips"]
    assert [found[e] for e in EMOTIONS] != pytest.approx([plain[e] for e in EMOTIONS], abs=1e-3)
    clips = [read_audio(recordings / "a" / f"{i}.wav").waveform for i in range(4)]
    reference = speaker_reference(enrolling_model, clips, emotions=[emotion] * 4)
    expected = predict(enrolling_model, clips[0], reference=reference).probabilities
    assert [found[e] for e in EMOTIONS] == pytest.approx([*expected.values()], abs=1e-5)


def test_a_reference_goes_with_the_emotions_that_can_occur(recordings, enrolling_model, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "_load_once", lambda name: enrolling_model)
    out, of_speakers = tmp_path / "r.parquet", ("folders", ArchivePart(1, 1))
    job = archive.open_job(
        recordings, "enrolling", enrolling_model.version, out, 1, *of_speakers, emotions=("happy", "sad")
    )
    with ThreadPoolExecutor(1) as executor:
        archive.enrol_speakers(job, out, executor)
        list(archive.run_job(job, out, executor, 1))
    archive.finish_job(job, out)
    found = {row["file"]: row for row in pq.read_table(out).to_pylist()}["a/0.wav"]
    assert found["reference_clips"] == 3 and {e for e in EMOTIONS if found[e] is not None} == {"happy", "sad"}


def test_another_emotion_of_the_files_is_another_job(recordings, tmp_path):
    archive.open_job(recordings, "m", "v", tmp_path / "r.parquet", 1, "folders", None, "neutral")
    with pytest.raises(BatchError, match="speakers by folders, reference emotion neutral"):
        archive.open_job(recordings, "m", "v", tmp_path / "r.parquet", 1, "folders")


@pytest.mark.parametrize("table", ["", "file,speaker\nelsewhere.wav,x\n"])
def test_nothing_is_left_of_a_job_that_does_not_start(tmp_path, recordings, table):
    (tmp_path / "none").mkdir()
    (tmp_path / "t.csv").write_text(table)
    folder, speakers = (recordings, str(tmp_path / "t.csv")) if table else (tmp_path / "none", "")
    out = tmp_path / "r.parquet"
    with pytest.raises((BatchError, SpeakerTableError)), archive.exclusive_lock(out):
        archive.open_job(folder, "m", "v", out, 1, speakers)
    assert not parts_folder(out).exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--speakers", "folders"], "small cannot use the emotions of reference clips"),
        ([], "--reference-emotion needs --speakers"),
        (["--speakers", "together"], "it is of the files of one speaker"),
    ],
)
def test_an_emotion_without_use_is_refused(recordings, checkpoints, capsys, flags, message):
    model = str(checkpoints / "small")
    with suppress(SystemExit):
        predict_archive.main([str(recordings), "--model", model, "--reference-emotion", "neutral", *flags])
    assert message in capsys.readouterr().err


def test_a_long_file_is_compared_with_the_others_too(predicted, recordings, speech):
    (recordings / "a" / "long.wav").write_bytes(long_file(speech))
    for speakers, n_others in (("folders", 4), ("together", 6)):
        found = predicted(speakers)
        assert found["a/long.wav"]["reference_clips"] == found["a/0.wav"]["reference_clips"] == n_others


def test_all_files_together_are_the_reference_whoever_speaks(predicted, recordings, enrolling_model):
    found = predicted("together")
    names = [*(f"a/{i}.wav" for i in range(4)), *(f"b/{i}.wav" for i in range(2))]
    waveforms = [read_audio(recordings / name).waveform for name in names]
    reference = collection_reference(enrolling_model, [*waveforms, np.zeros(16_000, np.float32)])
    for file, waveform in zip(names, waveforms, strict=True):
        expected = predict(enrolling_model, waveform, reference=reference)
        assert [found[file][e] for e in EMOTIONS] == pytest.approx(list(expected.probabilities.values()), abs=1e-5)
        assert (found[file]["reference_clips"], found[file]["reference_source"]) == (5, "collection")  # the others


def test_folders_of_emotions_are_no_speakers():
    speaker_of = speaker_function("folders")
    files = ["Ann/angry/a.wav", "Ann/Sad /b.wav", "happy/Ann/c.wav", "Ann/d.wav"]
    assert {speaker_of(file) for file in files} == {"Ann"}
    assert {speaker_of(file) for file in ("angry/a.wav", "sad/b.wav", "c.wav")} == {"."}
    assert speaker_of("Ann/monday/sad/a.wav") == "Ann/monday"


@pytest.mark.parametrize(
    ("folders", "example"),
    [
        ("Ann/Kizgin Ann/Uzgun Ben/Kizgin Ben/Uzgun Cem", "Ann/Kizgin and Ben/Kizgin"),
        ("Kizgin/Ann Uzgun/Ann Kizgin/Ben Uzgun/Ben", "Kizgin/Ann and Uzgun/Ann"),
        ("Ann/sad/Kizgin Ben/sad/Kizgin sad", "Ann/Kizgin and Ben/Kizgin"),
        ("Ann/angry Ann/sad Ben/angry angry/Ann", ""),
        ("north/Ann north/Ben south/Cem south/Ann", ""),  # two of four share their name
        ("Ann", ""),
        ("", ""),
    ],
)
def test_folders_that_share_their_names_are_a_warning(tmp_path, folders, example):
    for folder in folders.split(" "):
        write_wav(tmp_path / "archive" / folder / "a.wav", np.zeros(160))
    note, none = (
        archive.open_job(tmp_path / "archive", "m", "v", tmp_path / f"{speakers}.parquet", 1, speakers).note
        for speakers in ("folders", "together")
    )
    assert not none and bool(note) == bool(example)
    assert not example or (f"such as {example}: if" in note and "--speakers CSV" in note)


def test_parts_of_an_archive_together_are_of_files(recordings, tmp_path):
    found = []
    for number in (1, 2):
        archive.open_job(recordings, "m", "v", tmp_path / f"{number}.parquet", 1, "together", ArchivePart(number, 2))
        found.append(set(read_plan(parts_folder(tmp_path / f"{number}.parquet"))))
    assert all(found) and not found[0] & found[1] and len(found[0] | found[1]) == 8


def test_the_files_of_a_speaker_are_in_one_part(recordings, tmp_path):
    found = []
    for number in (1, 2, 3, 4):
        out = tmp_path / f"{number}.parquet"
        with suppress(BatchError):  # a part without files
            archive.open_job(recordings, "m", "v", out, 1, "folders", ArchivePart(number, 4))
            found.append(list(read_plan(parts_folder(out))))
    assert sorted(len(names) for names in found) in ([2, 6], [8])


def test_a_speaker_with_few_files_has_no_reference(predicted):
    assert [predicted("folders")[f"b/{i}.wav"]["reference_clips"] for i in range(2)] == [0, 0]


def test_without_enrolment_nothing_changes(predicted):
    assert not any(row["reference_clips"] for row in predicted("").values())


def test_a_table_names_the_speakers(predicted, tmp_path):
    lines = ["speaker,file", *(f"x,a/{i}.wav" for i in range(2)), *(f"x,b/{i}.wav" for i in range(2)), ",a/2.wav"]
    table = tmp_path / "speakers.csv"
    table.write_text("\n".join(lines))
    used = {file: row["reference_clips"] for file, row in predicted(str(table)).items()}
    assert {file for file, n in used.items() if n} == {"a/0.wav", "a/1.wav", "b/0.wav", "b/1.wav"}
    assert set(used.values()) == {0, 3}  # each of four is compared with the others


def test_a_table_with_two_speakers_of_one_file_is_refused(tmp_path):
    (tmp_path / "s.csv").write_text("file,speaker\na.wav,Ann\n.\\a.wav,Ann\nb.wav,Ann\nb.wav,Bob\n")
    with pytest.raises(SpeakerTableError, match=r"row 5: b\.wav is of 'Bob', in a row before of 'Ann'"):
        speaker_function(str(tmp_path / "s.csv"))


@pytest.fixture
def with_table(recordings, tmp_path):
    """A function that opens the job of a table of speakers."""

    def open_with(content: str | bytes, table=tmp_path / "speakers.csv", part=None):
        table.write_bytes(content if isinstance(content, bytes) else content.encode())
        return archive.open_job(recordings, "m", "v", tmp_path / "r.parquet", 1, str(table), part)

    return open_with


def test_a_changed_table_is_another_job(with_table, tmp_path):
    job = with_table("file,speaker\na/0.wav,x\n")
    assert with_table("file,speaker\na/0.wav,x\n") == job
    with pytest.raises(BatchError, match=r"parts belongs .*another content of .*speakers\.csv.*--out"):
        with_table("file,speaker\na/0.wav,y\n")
    with pytest.raises(SpeakerTableError, match="changed during the work"):
        speaker_function(job.speakers, job.table_sha256)


def test_a_plan_without_the_checksum_of_its_table_is_refused(with_table, tmp_path):
    with_table("file,speaker\na/0.wav,x\n")
    plan = parts_folder(tmp_path / "r.parquet") / JOB_FILE
    plan.write_text(json.dumps({k: v for k, v in json.loads(plan.read_text()).items() if k != "table_sha256"}))
    with pytest.raises(BatchError, match="another content"):
        with_table("file,speaker\na/0.wav,x\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_a_table_may_come_from_a_spreadsheet(tmp_path, encoding):
    content = "Speaker;File\r\nAnn;a\\M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller.wav\r\nBo;./b/0.wav\r\nCy\r\n"
    (tmp_path / "t.csv").write_bytes(content.encode(encoding))
    speaker_of = speaker_function(str(tmp_path / "t.csv"))
    names = (
        "a/M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller.wav",
        "a/Mu\N{COMBINING DIAERESIS}ller.wav",
        "b/0.wav",
        "c",
    )
    assert [speaker_of(name) for name in names] == ["Ann", "Ann", "Bo", ""]


def test_a_table_of_other_files_is_refused(with_table):
    for part in (None, ArchivePart(1, 2)):
        with pytest.raises(
            SpeakerTableError, match=r"None of the 2 rows .*a row has '/x/0\.wav', a file is '[ab]/.*\."
        ):
            with_table("file,speaker\n/x/0.wav,x\n/x/1.wav,x\n", part=part)
    with pytest.raises(SpeakerTableError, match="no rows"):
        with_table("file,speaker\n")


def test_rows_without_a_file_are_told_at_every_start(with_table):
    for _ in range(2):
        note = with_table("file,speaker\na/0.wav,x\na/7.wav,x\nb/8.wav,x\n", part=ArchivePart(1, 1)).note
        assert note.startswith("2 of 3 rows of ") and note.endswith("the first has 'a/7.wav'")


def test_the_command_tells_of_rows_without_a_file(recordings, checkpoints, tmp_path, monkeypatch, capsys):
    for name in ("start_processes", "check_takes_reference", "analyse_despite_deaths"):
        monkeypatch.setattr(predict_archive, name, lambda *_: None)
    monkeypatch.setattr(predict_archive, "finish_job", lambda *_: 0)
    (tmp_path / "speakers.csv").write_text("file,speaker\na/0.wav,x\na/7.wav,x\n")
    options = ["--model", str(checkpoints / "small"), "--speakers", str(tmp_path / "speakers.csv")]
    assert predict_archive.main([str(recordings), *options, "--out", str(tmp_path / "r.parquet")]) == 0
    assert "1 of 2 rows" in capsys.readouterr().err


def test_a_table_in_the_folder_is_no_recording(with_table, recordings, tmp_path):
    assert not with_table("file,speaker\na/0.wav,x\n", recordings / "speakers.csv").note
    assert "speakers.csv" not in set(read_plan(parts_folder(tmp_path / "r.parquet")))


def test_batches_change_no_answer(predicted, monkeypatch):
    one, several = predicted("folders"), predicted("folders", n_workers=2)
    monkeypatch.setattr(job, "BATCHES_PER_WORKER", 1)  # the files of all speakers in one batch
    together = predicted("folders")
    for file, row in one.items():
        for other in (several[file], together[file]):
            assert [row[e] for e in EMOTIONS] == pytest.approx([other[e] for e in EMOTIONS], abs=1e-5)
            assert row["reference_clips"] == other["reference_clips"]


def test_references_of_an_earlier_job_are_deleted(recordings, tmp_path):
    stale = parts_folder(tmp_path / "r.parquet") / job.REFERENCES_FILE
    stale.parent.mkdir()
    stale.write_text("{}")
    archive.open_job(recordings, "m", "v", tmp_path / "r.parquet", 1, "folders")
    assert not stale.exists()


def test_the_files_of_a_speaker_of_a_table_are_in_one_part(with_table, tmp_path):
    rows_of_table = [f"a/{i}.wav,x" for i in range(4)] + [f"b/{i}.wav,x" for i in range(2)]
    found = []
    for number in (1, 2):
        with_table("\n".join(["file,speaker", *rows_of_table]), part=ArchivePart(number, 2))
        parts = parts_folder(tmp_path / "r.parquet")
        found.append({name for name in read_plan(parts) if f"{name},x" in rows_of_table})
        (parts / JOB_FILE).unlink()
    assert sorted(map(len, found)) == [0, 6]


def test_references_are_made_once(recordings, tmp_path, monkeypatch, enrolling_model):
    monkeypatch.setattr(rows, "_load_once", lambda name: enrolling_model)
    out = tmp_path / "r.parquet"
    job = archive.open_job(recordings, "enrolling", enrolling_model.version, out, 1, "folders")
    with ThreadPoolExecutor(1) as executor:
        assert len(archive.enrol_speakers(job, out, executor)) == 1
        monkeypatch.setattr(batch, "enrol_files", None)
        assert len(archive.enrol_speakers(job, out, executor)) == 1
    with pytest.raises(BatchError, match="another job"):
        archive.open_job(recordings, "enrolling", enrolling_model.version, out, 1)


def test_at_most_thirty_clips_are_drawn():
    files = [f"{'ab'[i % 2]}/{i}" for i in range(200)] + ["c/1", "c/2", "loose"]
    drawn = draw_clips(lambda: iter(files), speaker_function("folders"))
    assert set(drawn) == {"a", "b"} and [len(clips) for clips in drawn.values()] == [30, 30]
    steps = np.diff([int(file.removeprefix("a/")) for file in drawn["a"]])
    assert (steps > 0).all() and len(set(steps)) > 5  # even ones would repeat a sentence, or an emotion


@pytest.mark.parametrize("content", ["file,who\na.wav,x", "", "\udcff"])
def test_another_table_is_refused(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(SpeakerTableError):
        speaker_function(str(tmp_path / "t.csv"))("a.wav")


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(SpeakerTableError):
        speaker_function(str(tmp_path / "missing.csv"))


def test_a_model_without_reference_is_named(recordings, checkpoints, tmp_path, capsys, no_references):
    model = str(checkpoints / "small")
    assert predict_archive.main([str(recordings), "--model", model, "--speakers", "folders"]) == 2
    assert "small takes no reference clips" in capsys.readouterr().err


def test_what_an_archive_is_relative_to_is_told(recordings, tmp_path, monkeypatch, enrolling_model):
    monkeypatch.setattr(rows, "_load_once", lambda name: enrolling_model)
    described = []
    for number, speakers in enumerate(("folders", "together")):
        out = tmp_path / f"{number}.parquet"
        job = archive.open_job(recordings, "enrolling", enrolling_model.version, out, 1, speakers)
        with ThreadPoolExecutor(1) as executor:
            described.append(predict_archive.describe_references(job, archive.enrol_speakers(job, out, executor)))
    of_one, together = described
    assert of_one.startswith("Speakers with a reference: 1. Files of others: without")
    assert together == "Relative to 6 of the files"
    assert "are without" in predict_archive.describe_references(job, {})


@pytest.mark.parametrize(("speakers", "n_told"), [((), 1), (("--speakers", "together"), 0)])
def test_files_as_reference_of_each_other_are_suggested(monkeypatch, capsys, tmp_path, speakers, n_told):
    for n_rows in (9, 10):
        monkeypatch.setattr(predict_archive, "run", lambda options, out, n_rows=n_rows: (n_rows, 0))
        assert predict_archive.main([str(tmp_path), "--model", "whisper-light", *speakers]) == 0
    assert capsys.readouterr().out.count("--speakers together predicts them relative to each other. Measured") == n_told
    limited = [str(tmp_path), "--model", "whisper-light", *speakers, "--emotions", "happy,sad"]
    assert predict_archive.main(limited) == 0  # the figure is of all emotions
    out = capsys.readouterr().out
    assert out.count("predicts them relative to each other.") == n_told and "Measured" not in out
    assert not predict_archive.suggest_together("simple-cnn", 100)
