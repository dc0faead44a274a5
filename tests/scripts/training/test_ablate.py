"""The ablations: each changes something that exists, and what is done is not done again."""

from scripts import ablate, train
from scripts.common import flags
from ser_core import paths
from ser_core.models.registry import MODELS
from ser_core.training import experiments, recipes

RECIPE, CONFIG = recipes.recipe_for_model("prosonet"), MODELS["prosonet"][1]


def test_each_leaves_out_what_is_there(subtests):
    for said in ablate.ABLATIONS:
        with subtests.test(said=said):
            for text in ablate.ABLATIONS[said]:
                name, value = flags.parse_override(text)
                before = CONFIG if name.startswith(flags.MODEL_PREFIX) else RECIPE
                assert recipes.override_config(before, name.removeprefix(flags.MODEL_PREFIX), value) != before


def test_each_is_trained_once_and_logged(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(paths, "EXPERIMENT_LOG", tmp_path / "log.jsonl")
    experiments.append_experiment(
        experiments.Experiment(
            "without attention", "prosonet", "p", "0", ablate.EPOCHS, 0, {}, {"crema_d": 0.5}, 1.0, True
        )
    )
    calls = []
    monkeypatch.setattr(train, "main", lambda arguments: calls.append(arguments) or 0)
    assert ablate.main(["--list"]) == 0 and not calls
    assert capsys.readouterr().out.count("to do: ") == len(ablate.ABLATIONS) - 1
    assert ablate.main([]) == 0
    runs = {call[call.index("--run") + 1] for call in calls}
    assert len(calls) == len(runs) == len(ablate.ABLATIONS) - 1
    first = ["prosonet", "--fold", "0", "--epochs", str(ablate.EPOCHS)]
    assert all(call[:5] == first and call[-2] == "--log" for call in calls)


def test_a_failure_is_told_and_the_next_one_follows(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "EXPERIMENT_LOG", tmp_path / "log.jsonl")
    codes = iter([2] + [0] * (len(ablate.ABLATIONS) - 1))
    monkeypatch.setattr(train, "main", lambda arguments: next(codes))
    assert ablate.main([]) == 2 and next(codes, None) is None
    monkeypatch.setattr(train, "main", lambda arguments: 130)
    assert ablate.main([]) == 130
