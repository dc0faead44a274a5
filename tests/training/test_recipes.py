"""Recipes of the models, and overrides of single settings by name."""

import json
from dataclasses import asdict, replace

import pytest

from ser_core import paths
from ser_core.models.registry import MODELS
from ser_core.models.zoo.resonet import ResoNetConfig
from ser_core.training.config import TrainingError
from ser_core.training.recipes import (
    COMMON_RECIPE,
    RECIPES_BY_MODEL,
    changed_settings,
    checkpoint_recipe,
    config_overrides,
    flatten_config,
    model_architecture,
    override_config,
    recipe_for_model,
    training_recipe,
)


def test_all_models_share_a_recipe_but_those_of_another_kind():
    assert {name for name in MODELS if recipe_for_model(name) != COMMON_RECIPE} == RECIPES_BY_MODEL.keys()
    assert recipe_for_model("vgg16") == recipe_for_model("vgg19") == recipe_for_model("resnet101")


def test_a_value_is_changed_wherever_it_lies():
    assert override_config(COMMON_RECIPE, "epochs", 3) == replace(COMMON_RECIPE, epochs=3)
    assert override_config(COMMON_RECIPE, "augment.warp", 0.02) == replace(
        COMMON_RECIPE, augment=replace(COMMON_RECIPE.augment, warp=0.02)
    )
    assert override_config(COMMON_RECIPE, "draws.savee", 5) == replace(
        COMMON_RECIPE, draws=COMMON_RECIPE.draws | {"savee": 5.0}
    )
    assert override_config(COMMON_RECIPE, "learning_rate", 1).learning_rate == 1.0
    config = override_config(ResoNetConfig(), "channels", [8, 8, 8, 8])
    assert config.channels == (8, 8, 8, 8)
    assert override_config(config, "frontend.n_mels", 80).frontend.n_mels == 80


def test_what_cannot_be_changed_is_refused(subtests):
    for name, value, message in [
        ("epoch", 3, "Unknown setting 'epoch'. There are: epochs, batch_size"),
        ("augment.wrap", 0.1, "'wrap'.* speed"),
        ("epochs", "many", "epochs.* 18.*'many'"),
        ("epochs", 1.5, "epochs.* 1.5"),
        ("bf16", 1, "bf16.* 1"),
        ("learning_rate", True, "learning_rate.*True"),
        ("draws.savee", "often", "often"),
        ("draws", 3, "draws.* 3"),
        ("augment", {}, "augment.*{}"),
        ("epochs.first", 3, "epochs.* 18.*'first'"),
    ]:
        with subtests.test(name=name, message=message), pytest.raises(TrainingError, match=message):
            override_config(replace(COMMON_RECIPE, epochs=18), name, value)


def test_differences_lead_from_one_config_to_another():
    other = COMMON_RECIPE
    changes = {"epochs": 2, "augment.warp": 0.02, "draws.savee": 5.0, "draws.crema_d": 0.5}
    for name, value in changes.items():
        other = override_config(other, name, value)
    assert config_overrides(other, COMMON_RECIPE) == changes and config_overrides(COMMON_RECIPE, COMMON_RECIPE) == {}


def test_the_recipe_of_a_checkpoint(tmp_path):
    made = replace(COMMON_RECIPE, epochs=2, draws={"tess": 0.1})
    (tmp_path / "config.json").write_text(json.dumps({"training": {"recipe": asdict(made)}}))
    assert checkpoint_recipe(tmp_path) == made


@pytest.mark.parametrize("content", [None, "{", "{}", '{"training": {"recipe": {"seed": 0}}}'])
def test_what_holds_no_recipe_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(TrainingError, match="--recipe"):
        checkpoint_recipe(tmp_path)


@pytest.mark.shipped
def test_the_recipe_of_every_shipped_network_can_be_read(subtests):
    for path in sorted(paths.CHECKPOINTS.glob("*/config.json")):
        with subtests.test(path=path):
            config = json.loads(path.read_text())
            if config["family"] in ("egemaps", "whisper", "fusion"):
                with pytest.raises(TrainingError, match="--recipe"):
                    checkpoint_recipe(path.parent)
            else:
                found, kept = (
                    flatten_config(asdict(checkpoint_recipe(path.parent))),
                    flatten_config(config["training"]["recipe"]),
                )
                assert {name: found[name] for name in kept} == kept  # settings added since are off by default


def test_overrides_are_of_the_recipe_or_of_the_architecture():
    changes = {"epochs": 5, "augment.warp": 0.03, "model.dropout": 0.5, "draws.savee": 2.0}
    recipe, architecture = training_recipe("resonet", changes), model_architecture("resonet", changes)
    assert (recipe.epochs, recipe.augment.warp, recipe.draws["savee"], architecture.dropout) == (5, 0.03, 2.0, 0.5)
    counted = {name: value for name, value in changes.items() if name != "epochs"}
    assert changed_settings("resonet", recipe, architecture) == counted
    assert training_recipe("resonet", {}) == COMMON_RECIPE and model_architecture("resonet", {}) == MODELS["resonet"][1]
    for made in (training_recipe, model_architecture):
        with pytest.raises(TrainingError, match="Unknown setting 'width'"):
            made("resonet", {"width": 3, "model.width": 3})


def test_mfccs_replace_the_bands():
    frontend = model_architecture("resonet", {}, mfcc=True).frontend
    assert (frontend.n_mfcc, frontend.deltas) == (13, 2)
