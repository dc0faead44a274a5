"""scripts.robustness."""

import json

from scripts import robustness
from ser_core.audio.degradations import add_white_noise, change_gain


def test_models_are_evaluated_under_the_same_degradations(run_evaluate, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(robustness, "RESULT", tmp_path / "robustness.json")
    monkeypatch.setattr(
        robustness, "degradation_conditions", lambda voices: {"louder": change_gain(6), "5 dB": add_white_noise(5)}
    )
    assert run_evaluate("small", "--write")[0] == run_evaluate("other", "--write")[0] == 0
    assert robustness.main(["small", "other", "--every", "2"]) == 0
    found = json.loads((tmp_path / "robustness.json").read_text())
    assert list(found) == ["small", "other"] and "other, 6 clips of speakers" in capsys.readouterr().out
    for model in found.values():
        assert model["command"] == "python -m scripts.robustness small other --every 2"
        assert list(model["conditions"]) == ["as it is", "louder", "5 dB"]
        assert model["conditions"]["louder"]["unchanged"] == 1 and model["conditions"]["as it is"]["lost"] == 0
