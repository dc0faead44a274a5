"""The calibration of a fold learns from no clip of its own test speakers."""

from types import SimpleNamespace

import numpy as np
import pytest

from scripts import fuse, prepare_corpora
from ser_core import paths
from ser_core.data import CorpusError
from ser_core.training import TrainingExample, training_history

LABELS = ("happy", "sad")


def model() -> SimpleNamespace:
    return SimpleNamespace(
        config=SimpleNamespace(labels=LABELS),
        novelty=None,
        classify=lambda embedding, *reference: embedding.double(),
        calibration=None,
    )


def clips_of(*speakers: str, corpus: str = "savee") -> tuple:
    """A clip of each speaker, whose logits name it: the second one is its number."""
    clips = [TrainingExample(f"{corpus}/{speaker}", corpus, "sad", speaker) for speaker in speakers]
    return model(), clips, np.array([[0, float(speaker)] for speaker in speakers], np.float32)


def test_no_test_speaker_of_a_fold_is_in_its_calibration(monkeypatch):
    monkeypatch.setattr(fuse, "fit_cross_corpus_calibration", lambda *parts: [set(part.logits[:, 1]) for part in parts])
    left_out = {"savee": clips_of("1", "2", "3"), "tess": clips_of("11", corpus="tess")}
    unseen = {"0": clips_of("1"), "1": clips_of("2", "3"), "2": clips_of("4")}
    fuse.calibrate_folds(left_out, unseen)
    assert {fold: model.calibration for fold, (model, _, _) in unseen.items()} == {
        "0": [{2, 3, 11}, {2, 3, 4}],
        "1": [{1, 11}, {1, 4}],
        "2": [{1, 2, 3, 11}, {1, 2, 3}],
    }


def test_each_fold_is_written_with_its_own_members(monkeypatch, tmp_path):
    written = {}
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(fuse, "save_model", lambda model, folder, *values: written.update({folder: values[-1]}))
    for name in ("whisper", "prosonet", "folds/whisper-1", "folds/prosonet-1"):  # of each its own recordings
        (tmp_path / name).mkdir(parents=True)
        training = {"protocol": "speaker-independent-8", "fold": name[-1], "folder_clips": name}
        paths.write_json(tmp_path / name / "config.json", {"training": training})
    fuse.save_folds({"0": clips_of("1"), "1": clips_of("2")})
    assert {folder: training["members"] for folder, training in written.items()} == {
        tmp_path / "whisper-prosonet": ["whisper", "prosonet"],
        tmp_path / "folds" / "whisper-prosonet-1": ["whisper-1", "prosonet-1"],
    }
    known = [{part.get("folder_clips") for part in training_history(training)} for training in written.values()]
    assert known == [{None, "whisper", "prosonet"}, {None, "folds/whisper-1", "folds/prosonet-1"}]


def test_a_sample_without_a_clip_to_score_is_refused():
    clips = [TrainingExample(str(i), "savee", "sad" if i == 1 else "surprise", "DC") for i in range(8)]
    assert len(fuse.sample(clips, 1)) == 8
    with pytest.raises(CorpusError, match=r"One in 8 .*SAVEE.*lower --every"):
        fuse.sample(clips, 8)


def test_no_result_is_replaced_before_all_are_computed(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    unseen = {"0": clips_of("1"), "1": clips_of("2")}
    monkeypatch.setattr(fuse, "left_out_predictions", lambda every: {"savee": clips_of("1", "2")})
    monkeypatch.setattr(fuse, "unseen_speakers", lambda every: unseen)
    monkeypatch.setattr(fuse, "report", lambda found, known: {"savee": {"uar": 0.5}})
    monkeypatch.setattr(fuse, "calibrate_folds", lambda found, unseen: None)
    monkeypatch.setattr(fuse, "table", str)
    monkeypatch.setattr(fuse, "reports_by_corpus", lambda model, rows, clips: {"savee": {"uar": 1 / (len(unseen) - 2)}})
    with pytest.raises(ZeroDivisionError):
        fuse.fuse(1, True)
    assert not [*tmp_path.iterdir()]
    unseen["2"] = clips_of("3")
    fuse.fuse(1, True)
    assert len([*tmp_path.iterdir()]) == 2


def test_without_recordings_it_says_what_to_run(monkeypatch, corpora, capsys):
    assert prepare_corpora.main([]) == 0
    monkeypatch.setattr(fuse, "left_out_fusion", lambda corpus: model())
    monkeypatch.setattr(fuse, "spoken_test_clips", lambda protocol, fold: [])
    capsys.readouterr()
    assert fuse.main([]) == 2
    err = capsys.readouterr().err
    assert "SER_CORPORA" in err and "scripts.prepare_corpora" in err
