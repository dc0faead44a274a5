"""Commands on unseen speakers: non-speech sounds, and enrolment with ten other clips of a speaker."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest

from scripts import missed_speech, ood, speaker_adaptation
from ser_core import paths
from ser_core.audio.vad import speech_segments
from ser_core.data.audio_store.reading import AudioStore
from ser_core.data.corpora import read_corpora
from ser_core.evaluation.non_speech import NON_SPEECH_SOUNDS
from ser_core.inference.forward import run_windows
from ser_core.models.checkpoint import save_model
from ser_core.models.names import METRICS_FILE
from ser_core.models.ood import fit_novelty_detector
from tests.make_corpus import decoded, write_crema_d, write_wav

SPEAKERS = ("1001", "1002")  # in the test part of speaker-independent fold 0


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    """Cache folder with 24 clips of two test speakers."""
    corpora, cache = (tmp_path_factory.mktemp(name) for name in ("corpora", "cache"))
    decoded(write_crema_d(corpora, SPEAKERS), cache)
    return corpora, cache


@pytest.fixture
def ready(tmp_path, monkeypatch, unseen, checkpoints, new_model):
    """`small` has an OOD detector and was evaluated on the two speakers; `other` has none."""
    corpora, cache = unseen
    folder = tmp_path / "protocols"
    folder.mkdir()
    head, *rows = (paths.PROTOCOLS / "speaker-independent.csv").read_text().splitlines()
    ids = {u.id for u in read_corpora(corpora).utterances}
    (folder / "speaker-independent.csv").write_text(
        "\n".join([head, *(r for r in rows if r.split(",")[0] in ids)]) + "\n"
    )
    monkeypatch.setattr(paths, "PROTOCOLS", folder)
    monkeypatch.setenv("SER_CACHE", str(cache))
    for script in (ood, speaker_adaptation):
        monkeypatch.setattr(script, "RESULT", tmp_path / f"{script.__name__}.json")
    monkeypatch.setattr(ood, "N_SOUNDS", 3)
    model, store = new_model(seed=0), AudioStore(cache)
    windows = [store.trimmed(i)[:n] for i in sorted(ids) for n in (3000, 5000, None)]
    embeddings = run_windows(model, windows).embeddings
    training = {"protocol": "speaker-independent", "fold": "0"}
    save_model(
        model,
        checkpoints / "small",
        "resonet",
        model.calibration,
        training,
        fit_novelty_detector(*np.split(embeddings, 2)),
    )
    for name in ("small", "other"):
        (checkpoints / name / METRICS_FILE).write_text(json.dumps(training))
    return tmp_path


def test_each_kind_of_non_speech_is_counted(ready, capsys):
    assert ood.main(["small"]) == 0
    found = json.loads((ready / "scripts.ood.json").read_text())["small"]
    assert found["n_speech"] == 24 and found["command"] == "python -m scripts.ood small"
    assert set(found["kinds"]) == set(NON_SPEECH_SOUNDS)
    for values in found["kinds"].values():
        assert 0 <= values["auroc"] <= 1 and sum(values["answers"].values()) == 3
        assert set(values["answers"]) <= {"no speech", "unknown", "uncertain", "an emotion"}
    assert found["kinds"]["silence"]["answers"] == {"no speech": 3}
    assert found["auroc"] <= found["auroc_with_vad"] <= 1


def test_recorded_sounds_are_added_to_the_entry(ready, tmp_path, monkeypatch, speech, capsys):
    for name in ("101_dog/5-1-A.wav", "102_rooster/5-2-A.wav", "102_rooster/1-3-A.wav"):
        (tmp_path / "esc50" / name).parent.mkdir(parents=True, exist_ok=True)
        write_wav(tmp_path / "esc50" / name, speech if "rooster" in name else np.zeros(16_000))
    monkeypatch.setenv("SER_CORPORA", str(tmp_path / "esc50"))
    (damaged := tmp_path / "esc50/103_pig/5-4-A.wav").parent.mkdir()
    damaged.write_text("no sound")
    assert ood.main(["small", "--recorded"]) == 2
    assert f"{damaged}: This file contains text" in capsys.readouterr().err
    damaged.unlink()
    (ready / "scripts.ood.json").write_text(json.dumps({"small": {"auroc": 0.5}}))
    assert ood.main(["small", "--recorded", "--every", "6"]) == 0
    entry = json.loads((ready / "scripts.ood.json").read_text())["small"]
    found = entry["recorded"]
    assert entry["auroc"] == 0.5 and (found["n_speech"], found["n_sounds"]) == (4, 2)
    assert found["classes"]["dog"] == {"no speech": 1} and "no speech" not in found["classes"]["rooster"]
    assert found["command"] == "python -m scripts.ood small --recorded --every 6"


def test_missed_clips_and_sounds_with_speech_are_counted(unseen, tmp_path, monkeypatch, speech, capsys):
    corpora, cache = tmp_path / "corpora", unseen[1]
    shutil.copytree(unseen[0], corpora)
    for name in ("101_dog/5-1-A.wav", "102_rooster/5-2-A.wav", "102_rooster/1-3-A.wav"):
        (corpora / name).parent.mkdir(exist_ok=True)
        write_wav(corpora / name, speech if "5-2" in name else np.zeros(16_000))
    monkeypatch.setenv("SER_CORPORA", str(corpora))
    monkeypatch.setenv("SER_CACHE", str(cache))
    monkeypatch.setattr(missed_speech, "RESULT", tmp_path / "missed.json")
    assert missed_speech.main([]) == 0
    found, store = json.loads((tmp_path / "missed.json").read_text()), AudioStore(cache)
    clips = read_corpora(unseen[0]).utterances
    missed = Counter(u.emotion for u in clips if not speech_segments(store.waveform(u.id)))
    assert found["corpora"] == {"crema_d": {"clips": len(clips), "missed": dict(missed)}}
    assert found["esc50"]["train"] == {"sounds": 1, "detected": {}}
    assert found["esc50"]["test"] == {"sounds": 2, "detected": {"rooster": 1}}


def test_enrolment_writes_both_figures(ready, capsys):
    assert speaker_adaptation.main(["small"]) == 0
    found = json.loads((ready / "scripts.speaker_adaptation.json").read_text())["small"]
    assert set(found["uar"]) == set(found["uar_enrolled"]) == {"crema_d", "mean"}
    assert found["n_enrolled"] == 10 and found["uar"]["mean"] == found["uar"]["crema_d"]


def test_a_folder_is_recorded_by_the_name_of_its_model(ready, checkpoints, capsys):
    """Pages and model cards look for names; what is finished before a fault is kept."""
    (checkpoints / "other" / METRICS_FILE).unlink(missing_ok=True)
    for script in (ood, speaker_adaptation):
        assert script.main([str(checkpoints / "small"), "other"]) == 2
        found = json.loads((ready / f"{script.__name__}.json").read_text())
        assert list(found) == ["small"] and found["small"]["command"] == f"python -m {script.__name__} small"


def test_every_nth_clip_is_of_recorded_sounds(capsys):
    with pytest.raises(SystemExit):
        ood.main(["small", "--every", "4"])
    assert "--every needs --recorded" in capsys.readouterr().err


def test_models_that_cannot_are_errors(ready, capsys, no_references):
    assert ood.main(["other"]) == 2
    assert "train it again" in capsys.readouterr().err
    assert speaker_adaptation.main(["small"]) == 2
    assert "takes no reference" in capsys.readouterr().err


@pytest.mark.parametrize("script", [ood, speaker_adaptation])
def test_missing_inputs_are_errors(ready, capsys, monkeypatch, checkpoints, script):
    monkeypatch.setenv("SER_CACHE", str(ready / "nothing"))
    assert script.main(["small"]) == 2
    assert "scripts.prepare_corpora" in capsys.readouterr().err
    (checkpoints / "small" / METRICS_FILE).write_text(json.dumps({"protocol": "ravdess-random", "fold": None}))
    assert script.main(["small"]) == 2
    assert "unseen speakers" in capsys.readouterr().err
