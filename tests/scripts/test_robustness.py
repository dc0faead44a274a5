"""scripts.robustness."""

import json

from scripts import robustness
from ser_core.audio.degradations import add_white_noise, change_gain
from ser_core.evaluation import robustness as library


def test_models_are_evaluated_under_the_same_degradations(run_evaluate, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(robustness, "RESULT", tmp_path / "robustness.json")
    conditions = {"louder": change_gain(6), "5 dB": add_white_noise(5)}
    monkeypatch.setattr(library, "degradation_conditions", lambda voices: conditions)
    assert run_evaluate("small", "--write")[0] == run_evaluate("other", "--write")[0] == 0
    assert robustness.main(["small", "other", "--every", "2"]) == 0
    found = json.loads((tmp_path / "robustness.json").read_text())
    assert list(found) == ["small", "other"] and "other, 6 clips of unseen" in capsys.readouterr().out
    for model in found.values():
        assert model["command"] == "python -m scripts.robustness small other --every 2"
        assert list(model["conditions"]) == ["as it is", "louder", "5 dB"]
        assert model["conditions"]["louder"]["unchanged"] == 1 and model["conditions"]["as it is"]["lost"] == 0
