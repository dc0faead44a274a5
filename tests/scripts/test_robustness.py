"""scripts.robustness."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from scripts import robustness
from ser_core.audio.degradations import add_white_noise, change_gain
from ser_core.data import CorpusError
from ser_core.evaluation import RobustnessScores, robustness as library


@pytest.mark.slow
def test_models_are_evaluated_under_the_same_degradations(run_evaluate, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(robustness, "RESULT", tmp_path / "robustness.json")
    conditions = {"louder": change_gain(6), "5 dB": add_white_noise(5)}
    monkeypatch.setattr(library, "degradation_conditions", lambda noises: conditions)
    monkeypatch.setattr(robustness, "read_test_noises", lambda root: [])
    assert run_evaluate("small", "--write")[0] == run_evaluate("other", "--write")[0] == 0
    assert robustness.main(["small", "other", "--every", "2"]) == 0
    found = json.loads((tmp_path / "robustness.json").read_text())
    assert list(found) == ["small", "other"] and "other, 6 clips of unseen" in capsys.readouterr().out
    for model in found.values():
        assert model["command"] == "python -m scripts.robustness small other --every 2"
        assert list(model["conditions"]) == ["as it is", "louder", "5 dB"]
        assert model["conditions"]["louder"]["unchanged"] == 1 and model["conditions"]["as it is"]["lost"] == 0


def test_scores_stand_under_their_names_and_beside_those_of_the_same_conditions(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(robustness, "RESULT", tmp_path / "robustness.json")
    found = {
        "as it is": RobustnessScores(7, 0.61, {}, 0.0, 1.0, 0.92),
        "5 dB": RobustnessScores(7, 0.43, {}, 0.18, 0.54, 0.85),
    }
    one, other = (SimpleNamespace(name=name, metrics={"protocol": "p", "fold": "0"}) for name in ("one", "other"))
    robustness.print_scores(one, found)
    assert re.search(r"UAR % +lost +same prediction % +answered %", text := capsys.readouterr().out)
    assert re.search(r"5 dB +43\.0 +18\.0 +54\.0 +85\.0", text) and "one, 7 clips" in text
    robustness.write(one, found, "command")
    robustness.write(other, found, "command")
    assert list(json.loads(robustness.RESULT.read_text())) == ["one", "other"]
    robustness.write(other, {"as it is": found["as it is"]}, "command")
    assert list(json.loads(robustness.RESULT.read_text())) == ["other"]


def test_noise_is_of_the_last_fold_and_not_human(tmp_path):
    with pytest.raises(CorpusError):
        robustness.read_test_noises(tmp_path)
    for level, name in enumerate(("201_rain/5-1-A", "201_rain/1-2-A", "305_coughing/5-3-A", "501_engine/5-4-A"), 1):
        file = tmp_path / "esc50" / f"{name}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, np.full(1600, level / 10), 16_000)
    levels = [round(float(noise[800]), 1) for noise in robustness.read_test_noises(tmp_path)]
    assert levels == [0.1, 0.4]
