"""scripts.possible_emotions: which models it counts, and the table of its files."""

import json

import pytest

from scripts import possible_emotions
from scripts.result_blocks import possible
from ser_core import paths
from ser_core.data import protocol_folds
from ser_core.training import TrainingError, TrainingExample


@pytest.fixture
def results(monkeypatch, tmp_path):
    """The folder of results, with a model of every fold that knows corpus "tess" alone."""
    clips = [TrainingExample(str(i), "tess", ("neutral", "sad", "angry")[i % 3], "one") for i in range(6)]
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    monkeypatch.setattr(possible_emotions, "check_complete", lambda *arguments: None)
    monkeypatch.setattr(possible_emotions, "AudioStore", lambda: None)
    monkeypatch.setattr(possible_emotions, "fold_model", lambda *arguments: None)
    monkeypatch.setattr(possible_emotions, "spoken_test_clips", lambda *arguments: clips)
    monkeypatch.setattr(possible_emotions, "embeddings", lambda *arguments: None)
    monkeypatch.setattr(possible_emotions, "counts_by_corpus", counted)
    return tmp_path


def counted(model: None, embeddings: None, clips: list[TrainingExample]) -> dict:
    """Alone, sad clips are taken for neutral, angry ones for sad."""
    counts = {"neutral": {"": 2}, "sad": {"0": 2}, "angry": {"3": 2}}
    return {"tess": {"alone": counts, "10": {emotion: {"": 2} for emotion in counts}}}


def test_counts_of_all_folds_are_in_one_file_and_in_the_table(results, capsys):
    assert possible_emotions.main(["whisper-light"]) == 0
    found = json.loads((results / "possible-emotions-whisper-light.json").read_text())
    assert (found["model"], found["every"]) == ("whisper-light", 1)
    for protocol, corpora in found["protocols"].items():
        assert corpora["tess"]["alone"]["angry"] == {"3": 2 * len(protocol_folds(protocol))}
    assert found["protocols"].keys() == {"left-out", "speaker-independent-8"}
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()]
    cells = {row[1]: row[2:] for row in rows}
    assert cells["neutral, angry"][:2] == ["100.0, 50.0", "100.0, 100.0"]
    assert cells["those of the corpus"][:2] == ["33.3, 33.3", "100.0, 100.0"]
    assert cells["all eight"][:2] == ["33.3", "100.0"]


def test_a_sample_is_named_in_the_table(results, capsys):
    assert possible_emotions.main(["whisper-light", "--every", "2"]) == 0
    assert "`whisper-light`, on one in 2 clips" in capsys.readouterr().out


def test_without_a_file_no_figure_is_shown(results):
    assert possible.possible_emotions() == "Not measured yet: python -m scripts.possible_emotions."


def test_missing_recordings_are_named_before_the_work(results, monkeypatch, capsys):
    def refuse(protocol: str, store: object) -> None:
        raise TrainingError(f"Recordings of protocol {protocol!r} are missing: SAVEE (480 of 480).")

    monkeypatch.setattr(possible_emotions, "check_complete", refuse)
    monkeypatch.setattr(possible_emotions, "fold_model", lambda *arguments: pytest.fail("it began"))
    assert possible_emotions.main(["whisper"]) == 2
    assert "SAVEE (480 of 480)" in capsys.readouterr().err and not [*results.iterdir()]


@pytest.mark.parametrize(
    ("name", "protocol", "fold", "checkpoint"),
    [
        ("whisper", "left-out", "tess", "folds/whisper-left-out-tess"),
        ("whisper-light", "speaker-independent-8", "0", "whisper-light"),
        ("whisper-light", "speaker-independent-8", "3", "folds/whisper-light-3"),
        ("whisper-prosonet", "left-out", "tess", "left-out fusion tess"),
        ("whisper-prosonet", "speaker-independent-8", "3", "fusion of fold 3"),
    ],
)
def test_the_model_of_a_fold_was_trained_without_its_test_part(monkeypatch, name, protocol, fold, checkpoint):
    monkeypatch.setattr(possible_emotions, "load_model", lambda name, device: name)
    monkeypatch.setattr(possible_emotions, "left_out_fusion", lambda corpus: f"left-out fusion {corpus}")
    monkeypatch.setattr(possible_emotions, "fold_fusion", lambda fold: f"fusion of fold {fold}")
    assert possible_emotions.fold_model(name, protocol, fold) == checkpoint
