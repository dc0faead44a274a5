"""Training history, leak checks, and completeness of the recordings."""

import json

import pytest

from ser_core.data.protocols.splits import protocol_split
from ser_core.models.names import CheckpointError
from ser_core.training import splits
from ser_core.training.config import TrainingError
from ser_core.training.splits import (
    check_complete,
    check_teacher_split,
    leaked_clips,
    start_history,
    training_history,
)

FOLD_0 = {"protocol": "speaker-independent", "fold": "0"}
RAVDESS = {"protocol": "ravdess-random", "fold": None}


def test_the_history_of_start_weights_is_read_from_their_config(tmp_path):
    training = FOLD_0 | {"n_clips": 3, "start_trained_on": [RAVDESS]}
    (tmp_path / "config.json").write_text(json.dumps({"training": training}))
    (tmp_path / "model.safetensors").touch()
    assert start_history(str(tmp_path)) == [FOLD_0, RAVDESS]
    assert start_history(str(tmp_path / "model.safetensors")) == [FOLD_0, RAVDESS]
    assert start_history("facebook/wav2vec2-base") == start_history(None) == start_history() == []
    assert start_history(tmp_path, None, tmp_path / "model.safetensors") == [FOLD_0, RAVDESS]
    (tmp_path / "config.json").write_text('{"training": null}')
    assert start_history(tmp_path) == []
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="damaged"):
        start_history(tmp_path)


def test_a_teacher_may_have_recordings_of_its_own(tmp_path):
    own = FOLD_0 | {"folder_clips": "a b"}
    (tmp_path / "config.json").write_text(json.dumps({"training": own | {"teachers_trained_on": [own, RAVDESS]}}))
    assert start_history(tmp_path) == [own, own, RAVDESS]
    check_teacher_split(str(tmp_path), "speaker-independent", "0")
    with pytest.raises(TrainingError, match="speaker-independent-1"):
        check_teacher_split(str(tmp_path), "speaker-independent", "1")


def test_the_fold_of_a_teacher_is_not_that_of_its_start_weights(tmp_path):
    training = FOLD_0 | {"fold": "1", "start_trained_on": [FOLD_0]}
    (tmp_path / "config.json").write_text(json.dumps({"training": training}))
    with pytest.raises(TrainingError, match="speaker-independent-0"):
        check_teacher_split(str(tmp_path), "speaker-independent", "0")


@pytest.mark.parametrize("key", ["start", "teachers", "members"])
def test_what_a_model_builds_on_is_part_of_its_history(key):
    assert training_history(FOLD_0 | {f"{key}_trained_on": [RAVDESS]}) == [FOLD_0, RAVDESS]


def test_a_model_leaks_the_training_clips_of_its_start_weights():
    test = protocol_split("speaker-independent", "0").test
    assert not leaked_clips(training_history(FOLD_0), test)
    assert leaked_clips(training_history(FOLD_0 | {"start_trained_on": [FOLD_0 | {"fold": "1"}]}), test) == {*test}
    known = protocol_split("speaker-independent", "1").test  # a fifth of them in the development part of fold 0
    assert leaked_clips([FOLD_0], known) == {*known}


def test_missing_recordings_are_counted_and_complete_protocols_named(monkeypatch):
    with pytest.raises(TrainingError, match=r"SAVEE \(480 of 480\).*--partial.*: none"):
        check_complete("speaker-independent", {})
    monkeypatch.setattr(splits, "missing_clips", lambda protocol, store: "" if "ravdess" in protocol else "SAVEE")
    with pytest.raises(TrainingError, match="ravdess-random"):
        check_complete("speaker-independent", {})
