"""--folder and --map: recordings of one's own in scripts.prepare_corpora, evaluate, train and export_embeddings."""

import csv
import errno
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from scripts import evaluate, export_embeddings, prepare_corpora, train
from ser_core.audio.folders import walk_files
from ser_core.audio.io import load_audio
from ser_core.data.audio_store.reading import AudioStore
from ser_core.data.folders import content_digest, read_folder
from ser_core.data.protocols.splits import protocol_split
from ser_core.evaluation.evaluator import predict_utterances
from ser_core.evaluation.speaker_adaptation import corpus_references, speaker_references
from ser_core.inference.archive.speakers import draw_clips, speaker_function
from ser_core.inference.enrolment import collection_reference, speaker_reference
from ser_core.inference.reference_clips import draw_reference_clips, fingerprint
from ser_core.interpret.atlas import load_atlas
from ser_core.interpret.projection import ProjectionConfig
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import load_model
from tests.make_audio import long_file
from tests.make_corpus import voice, write_wav


@pytest.fixture
def office(tmp_path) -> Path:
    """Two speakers, two emotions and a word to map, in folders."""
    for i, speaker in enumerate(("Ann", "Bob")):
        for k, word in enumerate(("sad", "angry", "joy")):
            write_wav(tmp_path / "office" / speaker / word / "a.wav", voice(120 * 1.3**k, 10 * i + k))
    return tmp_path / "office"


def with_folder(office: Path, *mapping: str) -> list[str]:
    return ["--folder", str(office), *(["--map", *mapping] if mapping else [])]


def test_recordings_of_ones_own_are_decoded_beside_the_corpora(office, corpora, capsys):
    assert prepare_corpora.main(with_folder(office, "joy=happy")) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["corpus", "crema_d", "office"]
    assert all(utterance.id in AudioStore() for utterance in read_folder(office, {"joy": "happy"}).utterances)
    assert len(AudioStore()) == 18


def test_recordings_of_ones_own_need_no_corpora(office, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SER_CORPORA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    assert prepare_corpora.main(with_folder(office)) == 0
    shown = capsys.readouterr()
    assert [line.split()[0] for line in shown.out.splitlines()] == ["corpus", "office"]
    assert re.search(r"office: 2 left out, .*'joy'.*Ann/joy/a\.wav", shown.err) and "--map" in shown.err


def test_a_folder_without_labels_is_an_error(tmp_path, corpora, capsys):
    write_wav(tmp_path / "mixed" / "a.wav", voice(150, 0))
    for main, first in (
        (prepare_corpora.main, []),
        (evaluate.main, ["small"]),
        (train.main, ["resonet", "--fold", "0"]),
    ):
        assert main([*first, "--folder", str(tmp_path / "mixed")]) == 2
        assert "mixed" in capsys.readouterr().err


@pytest.mark.parametrize("mapping", ["joy", "joy=glad", "=happy"])
def test_a_mapping_names_an_emotion(office, mapping, capsys):
    with pytest.raises(SystemExit):
        prepare_corpora.main(with_folder(office, mapping))
    assert "surprise" in capsys.readouterr().err


def test_an_emotion_of_a_mapping_is_one_in_any_case(office, checkpoints, capsys):
    assert evaluate.main(["small", *with_folder(office, "JOY=Happy")]) == 0
    assert re.search(r"office +6 +2 +", capsys.readouterr().out)


def test_a_word_of_a_mapping_has_one_emotion(office, checkpoints, capsys):
    assert evaluate.main(["small", *with_folder(office, "joy=happy", "Joy=happy", "Joy=sad")]) == 2
    assert capsys.readouterr().err == "--map takes 'Joy' for happy and for sad: leave one of them out.\n"


def test_no_recording_counts_twice(office, checkpoints, capsys):
    (office / "labels.csv").write_text("path,speaker,emotion\nAnn/sad/a.wav,Ann,sad\n")
    assert evaluate.main(["small", *with_folder(office), *with_folder(office / "labels.csv")]) == 2
    assert re.search(r"two --folder: 1 \(.*Ann/sad/a\.wav\)", capsys.readouterr().err)


def test_two_folders_of_one_name_are_no_corpus(office, tmp_path, checkpoints, capsys):
    other = shutil.copytree(office, tmp_path / "before" / "office")
    both = [*with_folder(office), *with_folder(other)]
    assert evaluate.main(["small", *both]) == 2
    said = capsys.readouterr().err
    assert all(text in said for text in (str(office), str(other), "Rename", "column corpus"))
    (other / "labels.csv").write_text("path,speaker,emotion,corpus\nAnn/sad/a.wav,Ann,sad,before\n")
    assert evaluate.main(["small", *both]) == 0
    assert re.search(r"before +1 +1 +", capsys.readouterr().out)


def test_a_model_is_evaluated_on_recordings_of_ones_own(office, checkpoints, capsys):
    assert evaluate.main(["small", *with_folder(office, "joy=happy")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"office +6 +2 +", out) and "pooled: office" in out and "LEAK" not in out


def test_what_a_table_does_not_list_or_use_is_named(office, checkpoints, capsys):
    (office / "labels.csv").write_text("path,emotion,Speakr\nAnn/sad/A.wav,sad,Ann\nBob/sad/a.wav,sad,Bob\n")
    assert evaluate.main(["small", *with_folder(office)]) == 0
    err = capsys.readouterr().err
    assert "office: 4 left out, not listed in labels.csv: Ann/angry/a.wav, ...\n" in err
    assert "office: labels.csv has no column speaker; columns that are not used: speakr\n" in err


def test_the_recall_of_each_emotion_is_printed(office, checkpoints, capsys):
    assert evaluate.main(["small", *with_folder(office, "joy=happy")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^recall +clips +office\n(?:(?:happy|sad|angry) +2 +\d+\.\d\n){3}", out, re.M)
    rows = ["path,corpus,emotion", *(f"{name}/a.wav,{name[:3]},{name[4:]}" for name in ("Ann/sad", "Bob/angry"))]
    (office / "labels.csv").write_text("\n".join([*rows, "Bob/sad/a.wav,Bob,sad"]))
    assert evaluate.main(["small", *with_folder(office)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^recall +clips +Ann +Bob +pooled\nsad +2( +\d+\.\d){3}\nangry +1 +-( +\d+\.\d){2}\n", out, re.M)


def test_the_predictions_of_a_folder_are_written(office, checkpoints, tmp_path, capsys):
    out = tmp_path / "found.csv"
    command = [*with_folder(office, "joy=happy"), "--predictions", str(out)]
    assert evaluate.main(["small", *command]) == 0
    assert f"predictions in {out}\n" in capsys.readouterr().out
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("path", "corpus", "speaker", "emotion", "predicted", "confidence", "abstained"),
        *EMOTIONS,
    ]
    utterances = read_folder(office, {"joy": "happy"}).utterances
    assert [(r["path"], r["speaker"], r["emotion"]) for r in rows] == [
        (str(u.path), u.speaker.removeprefix("office-"), u.emotion) for u in utterances
    ]
    table = predict_utterances(load_model("small"), utterances)
    found = np.array([[float(row[emotion]) for emotion in EMOTIONS] for row in rows])
    assert found == pytest.approx(table.probabilities, abs=1e-5)
    for row, values, abstained in zip(rows, found, table.abstained, strict=True):
        assert row["predicted"] == EMOTIONS[values.argmax()] and float(row["confidence"]) == values.max()
        assert row["abstained"] == str(bool(abstained))
    before = out.read_bytes()
    assert evaluate.main(["small", *command]) == 2 and out.read_bytes() == before
    assert "already exists. Delete it" in capsys.readouterr().err
    out.unlink()
    assert evaluate.main(["small", "other", *command]) == 0
    with out.open(newline="") as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["small"] * 6 + ["other"] * 6


def test_recordings_of_emotions_that_cannot_occur_are_left_out(office, checkpoints, tmp_path, capsys):
    out, command = tmp_path / "found.csv", with_folder(office, "joy=happy")
    assert evaluate.main(["small", *command, "--emotions", "sad,neutral,happy", "--predictions", str(out)]) == 0
    shown = capsys.readouterr()
    assert "office: 2 left out, angry is not in --emotions: Ann/angry/a.wav, ..." in shown.err
    assert "small, among neutral, happy and sad\n" in shown.out and re.search(r"^office +4 ", shown.out, re.M)
    rows = list(csv.DictReader(out.open()))
    assert len(rows) == 4
    assert all({name for name in EMOTIONS if row[name]} == {"neutral", "happy", "sad"} for row in rows)
    assert evaluate.main(["small", *command, "--emotions", "fear,calm"]) == 2
    assert "No recording of --folder is calm or fear" in capsys.readouterr().err


def test_a_choice_among_the_emotions_of_the_recordings_is_offered(office, checkpoints, capsys):
    command = ["small", *with_folder(office, "joy=happy")]
    assert evaluate.main(command) == 0
    assert "have 3 of 8 emotions. Among these alone: --emotions happy,sad,angry" in capsys.readouterr().out
    assert evaluate.main([*command, "--emotions", "happy,sad,angry"]) == 0
    assert "Among these alone" not in capsys.readouterr().out


def test_results_under_a_protocol_are_of_all_emotions(capsys):
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(["small", "--emotions", "sad,happy"])
    assert "--emotions needs --folder" in capsys.readouterr().err


def test_the_predictions_of_a_folder_are_written_also_when_nobody_reads_the_table(
    office, checkpoints, tmp_path, monkeypatch
):
    def leave(*arguments):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(evaluate, "print_listed", leave)
    monkeypatch.setattr("scripts.common.errors.discard_output", lambda: None)  # that of the tests
    out = tmp_path / "found.csv"
    assert evaluate.main(["small", *with_folder(office, "joy=happy"), "--predictions", str(out)]) == 1
    assert len(out.read_text().splitlines()) == 7


def test_predictions_in_a_folder_that_may_not_be_written_are_refused_before_the_work(
    office, checkpoints, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("scripts.common.flags.os.access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(SystemExit):
        evaluate.main(["small", *with_folder(office), "--predictions", str(tmp_path / "found.csv")])
    assert "found.csv' cannot be written: name a file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["found.txt", "nowhere/found.csv"])
def test_predictions_need_a_csv_file_in_a_folder(office, checkpoints, tmp_path, name, capsys):
    with pytest.raises(SystemExit):
        evaluate.main(["small", *with_folder(office), "--predictions", str(tmp_path / name)])
    assert re.search("--predictions.*: (name a file|the folder)", capsys.readouterr().err)


def test_published_clips_of_the_training_are_found_by_their_names(checkpoints, tmp_path, capsys):
    clip = next(i for i in protocol_split("speaker-independent", "0").train if "_SAD_" in i).partition("/")[2]
    write_wav(tmp_path / "mine" / "sad" / f"{clip}.wav", voice(150, 0))
    write_wav(tmp_path / "mine" / "angry" / "a.wav", voice(170, 1))
    assert evaluate.main(["small", *with_folder(tmp_path / "mine")]) == 0
    assert "LEAK? 1 of these recordings" in (out := capsys.readouterr().out) and "(CREMA-D)" in out
    (tmp_path / "mine" / "sad").rename(tmp_path / "mine" / "happy")  # only the name is that of a published clip
    assert evaluate.main(["small", *with_folder(tmp_path / "mine")]) == 0
    assert "LEAK" not in capsys.readouterr().out


def test_published_clips_of_a_teacher_are_found_by_their_names(checkpoints, tmp_path, capsys):
    clip = next(i for i in protocol_split("speaker-independent", "0").test if "_SAD_" in i).partition("/")[2]
    write_wav(tmp_path / "mine" / "sad" / f"{clip}.wav", voice(150, 0))
    write_wav(tmp_path / "mine" / "angry" / "a.wav", voice(170, 1))
    assert evaluate.main(["small", *with_folder(tmp_path / "mine")]) == 0
    assert "LEAK" not in capsys.readouterr().out
    path = checkpoints / "small" / "config.json"
    config = json.loads(path.read_text())
    config["training"]["teachers_trained_on"] = [{"protocol": "speaker-independent", "fold": "1"}]
    path.write_text(json.dumps(config))
    assert evaluate.main(["small", *with_folder(tmp_path / "mine")]) == 0
    assert "LEAK? 1 of these recordings" in capsys.readouterr().out


@pytest.mark.parametrize("together", [[], ["--together"]])
def test_unreadable_files_are_listed_and_left_out(office, checkpoints, capsys, together):
    broken = [office / speaker / "sad" / "a.wav" for speaker in ("Ann", "Bob")]
    for path in broken:
        path.write_text("no sound")
    assert evaluate.main(["small", *with_folder(office, "joy=happy"), *together]) == 2
    out = capsys.readouterr().out
    assert re.search(r"office +4 +2 +", out) and "could not be read: 2" in out
    assert all(f"{path}: " in out for path in broken)
    for path in office.rglob("*.wav"):
        path.write_text("no sound")
    assert evaluate.main(["small", *with_folder(office, "joy=happy"), *together]) == 2
    assert "repair" in capsys.readouterr().err


def test_notes_name_their_files(office, checkpoints, capsys):
    rows = np.random.default_rng(0).normal(0, 0.1, 16_000)
    path = office / "Ann" / "sad" / "a.wav"
    soundfile.write(path, np.stack([rows, -rows], 1), 16_000)
    assert evaluate.main(["small", *with_folder(office)]) == 0
    assert re.search(rf"read with a note: 1\n  {path}: The channels cancelled", capsys.readouterr().out)
    with pytest.warns(UserWarning, match=rf"^{path}: The channels cancelled"):
        predict_utterances(load_model("small"), [u for u in read_folder(office).utterances if u.path == path])


def test_copies_of_a_recording_are_named(office, checkpoints, capsys):
    shutil.copy(office / "Ann" / "sad" / "a.wav", office / "Ann" / "sad" / "b.wav")
    shutil.copy(office / "Bob" / "sad" / "a.wav", office / "Bob" / "angry" / "b.wav")
    assert evaluate.main(["small", *with_folder(office)]) == 0
    err = capsys.readouterr().err
    names = "office/Ann/sad/a.wav = office/Ann/sad/b.wav"
    assert f"--folder: 1 recordings are copies of others, and count again: {names}\n" in err
    assert "other labels, and count with both: office/Bob/angry/b.wav = office/Bob/sad/a.wav\n" in err


def test_copies_in_two_folders_are_named(office, tmp_path, checkpoints, capsys):
    home = tmp_path / "home"
    (home / "Cem" / "sad").mkdir(parents=True)
    shutil.copy(office / "Ann" / "sad" / "a.wav", home / "Cem" / "sad" / "c.wav")
    assert evaluate.main(["small", *with_folder(office), "--folder", str(home)]) == 0
    names = "office/Ann/sad/a.wav = home/Cem/sad/c.wav"
    assert f"1 recordings are copies of others with other labels, and count with both: {names}\n" in (
        capsys.readouterr().err
    )


def test_unreadable_files_are_named_by_what_needs_them_decoded(office, corpora, atlas_folder, capsys):
    broken = [office / speaker / "sad" / "a.wav" for speaker in ("Ann", "Bob")]
    for path in broken:
        path.write_text("no sound")
    assert prepare_corpora.main(with_folder(office)) == 2
    out = capsys.readouterr().out
    assert "could not be read: 2" in out and all(f"{path}: " in out for path in broken)
    assert export_embeddings.main(["small", *with_folder(office)]) == 2
    err = capsys.readouterr().err
    assert all(str(path) in err for path in broken) and "repair or remove" in err


def test_a_long_recording_is_compared_with_the_others_too(office, new_model, speech):
    for name in ("a", "b", "c"):
        write_wav(office / "Ann" / "sad" / f"{name}.wav", speech)
    (office / "Ann" / "sad" / "long.wav").write_bytes(long_file(speech))
    (reference,) = corpus_references(new_model(), read_folder(office, {"joy": "happy"}).utterances).values()
    assert reference.clip_of(load_audio(office / "Ann" / "sad" / "long.wav")) is not None


def test_the_reference_is_drawn_as_in_an_archive_of_the_folder(office, new_model, speech, monkeypatch):
    monkeypatch.setattr("ser_core.inference.reference_clips.MAX_REFERENCE_CLIPS", 3)
    paths = list(walk_files(office))
    for i, path in enumerate(paths):
        write_wav(path, speech * (1 - 0.05 * i))
    (reference,) = corpus_references(new_model(), read_folder(office, {"joy": "happy"}).utterances[::-1]).values()
    expected = {fingerprint(load_audio(paths[i])) for i in draw_reference_clips(len(paths))}
    assert {*reference.clips} == expected


def test_recordings_of_ones_own_may_be_the_reference_of_each_other(office, checkpoints, speech, monkeypatch, capsys):
    command = ["small", *with_folder(office, "joy=happy"), "--together"]
    assert evaluate.main(command) == 0
    alone = capsys.readouterr().out
    assert "office: too little speech for a reference" in alone
    clips = [speech, 0.9 * speech, 0.8 * speech]
    found = collection_reference(load_model("small", "cpu"), clips)
    monkeypatch.setattr(evaluate, "corpus_references", lambda model, utterances: {"office": found})
    assert evaluate.main(command) == 0
    relative = capsys.readouterr().out
    shutil.copytree(checkpoints / "other", checkpoints.parent / "small")  # as two runs, of one name
    both = ["small", str(checkpoints.parent / "small"), *command[1:]]
    monkeypatch.setattr(evaluate, "corpus_references", lambda m, _: {"office": collection_reference(m, clips)})
    assert evaluate.main(both) == 0 and capsys.readouterr().out.count("office: 3 of its recordings") == 2
    assert "office: 3 of its recordings are the reference of all" in relative
    assert re.findall(" temperature: .*", relative) != re.findall(" temperature: .*", alone)
    with pytest.raises(SystemExit):
        evaluate.main(["small", "--together"])


def test_the_clips_of_a_speaker_may_be_the_reference_of_each_other(office, checkpoints, speech, capsys):
    for i, name in enumerate(("a", "b", "c")):
        write_wav(office / "Ann" / "sad" / f"{name}.wav", speech * (1 - 0.05 * i))
    command = ["small", *with_folder(office, "joy=happy")]
    assert evaluate.main([*command, "--by-speaker"]) == 0
    relative = capsys.readouterr().out
    assert "speakers with a reference: 1 of 2\n" in relative and "no name: office-Bob\n" in relative
    assert evaluate.main(command) == 0
    alone = capsys.readouterr().out
    assert re.findall(" temperature: .*", relative) != re.findall(" temperature: .*", alone)
    with pytest.raises(SystemExit):
        evaluate.main([*command, "--by-speaker", "--together"])


def test_the_reference_of_a_speaker_is_that_of_an_archive(tmp_path, new_model, speech, monkeypatch):
    monkeypatch.setattr("ser_core.inference.reference_clips.MAX_REFERENCE_CLIPS", 3)
    for i in range(5):
        write_wav(tmp_path / "x" / "Ann" / ("sad", "angry")[i % 2] / f"{i}.wav", speech * (1 - 0.05 * i))
        write_wav(tmp_path / "x" / "sad" / f"{i}.wav", speech * (0.5 - 0.05 * i))
    model, files = new_model(), [path.relative_to(tmp_path / "x").as_posix() for path in walk_files(tmp_path / "x")]
    clips = draw_clips(lambda: files, speaker_function("folders"))["Ann"]
    found = speaker_references(model, read_folder(tmp_path / "x").utterances[::-1])
    assert found.keys() == {"x-Ann"} and found["x-Ann"].source == "clips"  # those in sad/ are of nobody
    expected = speaker_reference(model, [load_audio(tmp_path / "x" / file) for file in clips])
    assert {*found["x-Ann"].clips} == {*expected.clips}
    assert found["x-Ann"].embedding == pytest.approx(expected.embedding, abs=1e-5)


@pytest.mark.parametrize("flag", ["--write", "--leak", "--fold=0", "--protocol=resonet", "--name=x"])
def test_flags_of_protocols_do_not_fit_a_folder(office, checkpoints, flag, capsys):
    with pytest.raises(SystemExit):
        evaluate.main(["small", flag, *with_folder(office)])
    assert "--folder" in capsys.readouterr().err


@pytest.mark.slow
def test_training_uses_and_records_recordings_of_ones_own(
    office, workplace, small_networks, cache, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("SER_CACHE", str(shutil.copytree(cache, tmp_path / "own-cache")))
    folder = with_folder(office, "joy=happy")
    arguments = ["resonet", "--fold", "0", "--epochs", "1", "--partial", "--run", "own"]
    assert train.main([*arguments, *folder]) == 2 and "prepare_corpora" in capsys.readouterr().err
    assert prepare_corpora.main(folder) == 0
    assert train.main([*arguments, "--keep-epochs", "1", *folder]) == 0
    checkpoint = Path("runs/own/checkpoint")
    training = json.loads((checkpoint / "config.json").read_text())["training"]
    assert training["folders"] == {"office": 6} and len(training["folder_clips"].split()) == 6
    capsys.readouterr()
    for made in (checkpoint, Path("runs/own/epochs/1")):
        assert evaluate.main([str(made), *folder]) == 0
        assert "LEAK: it was trained on 6 of these recordings (office)" in capsys.readouterr().out


def test_a_leak_is_found_by_the_content_of_the_recordings(office, checkpoints, capsys):
    path = checkpoints / "small" / "config.json"
    config = json.loads(path.read_text())
    trained = read_folder(office).utterances[:2]
    config["training"] |= {"folders": {"office": 2}, "folder_clips": " ".join(content_digest(u.id) for u in trained)}
    path.write_text(json.dumps(config))
    copied = office.rename(office.parent / "copy")
    assert evaluate.main(["small", *with_folder(copied)]) == 0
    assert "LEAK: it was trained on 2 of these recordings (copy)" in capsys.readouterr().out
    for i, emotion in enumerate(("sad", "angry")):
        write_wav(office / "Cy" / emotion / "a.wav", voice(200, 50 + i))
    assert evaluate.main(["small", *with_folder(office)]) == 0
    assert "LEAK" not in capsys.readouterr().out
    config["training"]["start_trained_on"] = [config["training"] | {"folder_clips": content_digest(trained[0].id)}]
    del config["training"]["folder_clips"], config["training"]["folders"]  # the start weights alone know one of them
    history = config["training"].pop("start_trained_on")
    for role in ("start", "teachers", "members"):
        path.write_text(json.dumps(config | {"training": config["training"] | {f"{role}_trained_on": history}}))
        assert evaluate.main(["small", *with_folder(copied)]) == 0
        assert "LEAK: it was trained on 1 of these recordings (copy)" in capsys.readouterr().out
    path.write_text(json.dumps(config | {"training": None}))
    assert evaluate.main(["small", *with_folder(copied)]) == 0 and "LEAK" not in capsys.readouterr().out
    config["training"] |= {"folders": {"office": 2}}  # as written before
    path.write_text(json.dumps(config))
    assert evaluate.main(["small", *with_folder(office)]) == 0
    assert "LEAK: it was trained on 2 of these recordings (office)" in capsys.readouterr().out


def test_messages_name_the_present_folder(office, checkpoints, capsys, monkeypatch):
    monkeypatch.chdir(office)
    assert evaluate.main(["small", "--folder", "."]) == 0
    assert re.search(r"^office: \d+ left out, ", capsys.readouterr().err, re.M)


def test_embeddings_of_recordings_of_ones_own(office, atlas_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SER_CORPORA", str(tmp_path / "nowhere"))
    folder = with_folder(office, "joy=happy")
    monkeypatch.setattr(export_embeddings, "MAPS", (ProjectionConfig("pca"),))
    assert export_embeddings.main(["small", *folder]) == 2 and "prepare_corpora" in capsys.readouterr().err
    assert prepare_corpora.main(folder) == 0
    assert export_embeddings.main(["small", *folder]) == 0
    atlas = load_atlas("small", load_model("small").version)
    own = atlas.column("corpus") == "office"
    assert own.sum() == 6 and set(atlas.column("part")[own]) == {"unseen"}
    assert set(atlas.column("emotion")[own]) == {"sad", "angry", "happy"}
