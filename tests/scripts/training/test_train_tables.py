"""scripts.train_tables: which rows are trained."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from scripts import (
    train,
    train_tables,
)
from ser_core import paths
from ser_core.training.recipes import (
    checkpoint_recipe,
    recipe_for_model,
)
from ser_core.training.trainer import TrainConfig


@pytest.fixture
def trained(workplace, monkeypatch):
    """A function that runs train_tables: its exit code, and the models that were trained; `codes` by model."""

    def run(*arguments: str, **codes: int) -> tuple[int, list[str]]:
        asked = []
        fake = lambda given: asked.append(given[0]) or codes.get(given[0].replace("-", "_"), 0)  # noqa: E731
        monkeypatch.setattr(train, "main", fake)
        return train_tables.main(list(arguments)), asked

    return run


def test_a_row_that_cannot_be_trained_does_not_stop_the_others(trained):
    code, asked = trained(svm_egemaps=2)
    assert code == 2 and asked == [row.model for row in train_tables.ROWS]


def test_ctrl_c_stops_all_rows(trained):
    assert trained(simple_cnn=130) == (130, [row.model for row in train_tables.ROWS[:7]])


def finished(workplace: Path, run: str, made: TrainConfig) -> None:
    """A checkpoint of a run that was trained by a recipe."""
    folder = workplace / "runs" / run / "checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"training": {"recipe": asdict(made)}}))


def test_rows_that_are_done_are_not_trained_again(trained, workplace, capsys):
    finished(workplace, "vgg16-ravdess-random", recipe_for_model("vgg16"))
    assert trained("vgg16", "vgg19") == (0, ["vgg19"])
    assert trained("vgg16", "vgg19", "--list") == (0, [])
    assert "done: python -m scripts.train vgg16 --protocol ravdess-random" in capsys.readouterr().out


def test_a_row_that_was_trained_by_another_recipe_is_not_done(trained, workplace):
    finished(workplace, "vgg16-ravdess-random", replace(recipe_for_model("vgg16"), epochs=2))
    assert trained("vgg16") == (0, ["vgg16"])


def test_a_row_whose_recipe_cannot_be_read_is_not_done(trained, workplace):
    finished(workplace, "vgg16-ravdess-random", recipe_for_model("vgg16"))
    (workplace / "runs" / "vgg16-ravdess-random" / "checkpoint" / "config.json").write_text("{}")
    assert trained("vgg16") == (0, ["vgg16"])


def test_an_unknown_row_lists_what_exists(trained, capsys):
    assert trained("large") == (2, []) and "resonet, " in capsys.readouterr().err


def test_one_recipe_for_all_networks_of_a_table():
    """The committed checkpoints say how they were made."""
    recipes: dict[str, dict[str, TrainConfig]] = {}
    for path in sorted(paths.CHECKPOINTS.glob("*/config.json")):
        config = json.loads(path.read_text())
        of_another_kind = config["family"] in ("egemaps", "wav2vec2", "whisper", "fusion")
        if not of_another_kind and path.parent.name != "prosonet":  # it has its own
            recipes.setdefault(config["training"]["protocol"], {})[path.parent.name] = checkpoint_recipe(path.parent)
    assert recipes
    for found in recipes.values():
        (first, *rest) = found.values()
        assert all(recipe == first for recipe in rest), list(found)
