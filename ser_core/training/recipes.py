"""Training recipes: one for all networks that start from random weights, and the exceptions."""

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from ser_core.models import MODEL_FAMILIES, MODELS, ModelConfig, SERModel, build_model, training_record
from ser_core.training.augment.draw import AugmentConfig
from ser_core.training.config import TrainConfig, TrainingError
from ser_core.training.experiments import MODEL_PREFIX
from ser_core.training.frozen.head import HeadConfig

COMMON_RECIPE = TrainConfig(
    epochs=18,
    learning_rate=1.5e-3,
    attention_rate=0.1,  # at 1.0 ResoNet was 6 points worse than without attention, on development speakers
    mixup_alpha=0.1,
    draws={"ravdess": 1.5, "savee": 3.0, "tess": 0.6},  # TESS is easy, many clips of two voices; SAVEE is small
    augment=AugmentConfig(speed=0.1, noise_chance=0.15, tilt=0.2, n_masks=1),
)
PROSONET_RECIPE = replace(
    COMMON_RECIPE,
    epochs=32,
    batch_size=128,
    learning_rate=4e-3,
    orthogonal=True,  # 9 points on CREMA-D after six epochs, see assets/experiments.jsonl
    mixup_alpha=0.2,
    crop_s=2.5,
    augment=AugmentConfig(
        speed=0.1,
        noise_chance=0.2,
        min_snr_db=5.0,
        babble_chance=0.15,
        room_chance=0.15,
        band_chance=0.2,
        level_out_chance=0.15,
        gate_chance=0.15,
        tilt=0.2,
        n_masks=1,
        max_mask_mels=16,
    ),
)
IMAGE_NETWORK_RECIPE = TrainConfig(  # only two thousand clips, of known speakers: small batches, little augmentation
    epochs=48,
    batch_size=16,
    learning_rate=1e-4,  # VGG16's loss after six epochs: 1.39, and 1.63 at three times this rate
    label_smoothing=0.05,
    mixup_alpha=0.1,
    crop_s=2.4,
    augment=AugmentConfig(speed=0.05, noise_chance=0.1, warp=0.03, tilt=0.1, n_masks=0),
)
FINE_TUNING_RECIPE = TrainConfig(  # a higher rate would destroy the published weights
    epochs=15, batch_size=16, learning_rate=3e-5, weight_decay=0.01, warmup_share=0.1, clip_norm=1.0
)
RECIPES_BY_MODEL = {
    "prosonet": PROSONET_RECIPE,
    **dict.fromkeys(("vgg16", "vgg19", "resnet101"), IMAGE_NETWORK_RECIPE),
    **dict.fromkeys(("wav2vec2", "wav2vec2-dense"), FINE_TUNING_RECIPE),
}
"""Model -> its recipe; the others have COMMON_RECIPE."""


def head_recipe(overrides: Mapping[str, Any]) -> HeadConfig:
    """Recipe of a head on a frozen encoder, with overrides; see training_recipe.

    Raises:
        TrainingError: an unknown setting, or a value of another type.
    """
    return _override_recipe(HeadConfig(), overrides)


def recipe_for_model(model: str) -> TrainConfig:
    """Default recipe of a model."""
    return RECIPES_BY_MODEL.get(model, COMMON_RECIPE)


def training_recipe(model: str, overrides: Mapping[str, Any], checkpoint: Path | None = None) -> TrainConfig:
    """Recipe of a model or of a checkpoint, with overrides.

    Args:
        model: a key of MODELS.
        overrides: see override_config; those of the architecture (MODEL_PREFIX) are left to model_architecture.
        checkpoint: see checkpoint_recipe; by default the recipe is that of the model.

    Raises:
        TrainingError: a checkpoint without a recipe, an unknown setting, or a value of another type.
    """
    return _override_recipe(checkpoint_recipe(checkpoint) if checkpoint else recipe_for_model(model), overrides)


def _override_recipe(config: Any, overrides: Mapping[str, Any]) -> Any:
    for name, value in overrides.items():
        if not name.startswith(MODEL_PREFIX):
            config = override_config(config, name, value)
    return config


def model_architecture(model: str, overrides: Mapping[str, Any], mfcc: bool = False) -> ModelConfig:
    """Architecture of a model, with overrides.

    Args:
        model: a key of MODELS.
        overrides: see override_config; those without MODEL_PREFIX are left to training_recipe.
        mfcc: 13 MFCCs with two deltas in place of the log-mel bands.

    Raises:
        TrainingError: an unknown setting, or a value of another type.
    """
    config = MODELS[model][1]
    if mfcc:
        config = replace(config, frontend=replace(config.frontend, n_mfcc=13, deltas=2))
    for name, value in overrides.items():
        if name.startswith(MODEL_PREFIX):
            config = override_config(config, name.removeprefix(MODEL_PREFIX), value)
    return config


def changed_settings(model: str, recipe: TrainConfig, architecture: ModelConfig) -> dict[str, Any]:
    """Overrides that turn a model's own recipe and architecture into these; epochs and seed are not counted."""
    base = replace(recipe_for_model(model), epochs=recipe.epochs, seed=recipe.seed)
    of_model = config_overrides(architecture, MODELS[model][1])
    return config_overrides(recipe, base) | {MODEL_PREFIX + name: value for name, value in of_model.items()}


def initial_model(name: str, config: ModelConfig, start: str | None) -> SERModel:
    """Model before training, with random weights or with start weights.

    Args:
        name: a key of MODELS.
        start: folder, file, or name on the Hugging Face hub; None for random weights.

    Raises:
        TrainingError: start weights that are required, not supported, or of another shape.
    """
    try:
        if start is None:
            return build_model(name, config)
        return MODEL_FAMILIES[MODELS[name][0]][0].from_pretrained_weights(config, start)
    except ValueError as error:
        raise TrainingError(str(error)) from None


def checkpoint_recipe(checkpoint: Path) -> TrainConfig:
    """Recipe of a trained checkpoint.

    Args:
        checkpoint: its folder.

    Raises:
        TrainingError: not a checkpoint, or not of a network that was trained with this library.
    """
    try:
        return TrainConfig.from_dict(training_record(checkpoint)["recipe"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{checkpoint} does not contain the recipe of a network ({type(error).__name__}: {error!s:.80}). "
            "Give the folder of a checkpoint that was trained with this library, or omit --recipe."
        ) from None


def override_config(config: Any, name: str, value: Any) -> Any:
    """A frozen config with one value replaced.

    Args:
        name: field, with dots for nested configs and dicts: "epochs", "augment.warp", "draws.savee".
        value: as parsed from JSON, a list for a tuple.

    Raises:
        TrainingError: an unknown field (the message lists the known ones), or a value of another type.
    """
    own, _, rest = name.partition(".")
    if isinstance(config, dict):
        return config | {own: _coerce_type(own, value, 1.0)}
    known = {field.name: getattr(config, field.name) for field in fields(config)}
    if own not in known:
        raise TrainingError(f"Unknown setting {own!r}. There are: {', '.join(known)}.")
    if rest and not (isinstance(known[own], dict) or is_dataclass(known[own])):
        raise TrainingError(f"{own} is {known[own]!r}: it has no setting {rest!r}.")
    return replace(
        config, **{own: override_config(known[own], rest, value) if rest else _coerce_type(own, value, known[own])}
    )


def _coerce_type(name: str, value: Any, before: Any) -> Any:
    """Value in the type of the one before it."""
    value = tuple(value) if isinstance(value, list) else value
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if type(value) is not type(before) and not (is_integer and isinstance(before, float)) and before is not None:
        raise TrainingError(f"{name} is {before!r}: {value!r} is of another type.")
    return float(value) if isinstance(before, float) else value


def config_overrides(config: Any, base: Any) -> dict[str, Any]:
    """Overrides that turn the base into the config, see override_config."""
    ours, theirs = (flatten_config(asdict(one)) for one in (config, base))
    return {name: value for name, value in ours.items() if name not in theirs or theirs[name] != value}


def flatten_config(values: dict, prefix: str = "") -> dict[str, Any]:
    """Nested dict with dotted names: {"a": {"b": 1}} as {"a.b": 1}."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flatten_config(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found
