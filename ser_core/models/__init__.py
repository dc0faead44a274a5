"""The models: a dict from family name to its class and config. A new model is one file and one line here."""

from ser_core.models.base import ModelConfig, SERModel
from ser_core.models.resonet import ResoNet, ResoNetConfig

FAMILIES: dict[str, tuple[type[SERModel], type[ModelConfig]]] = {
    "resonet": (ResoNet, ResoNetConfig),
}


def build_model(family: str, config: ModelConfig | None = None) -> SERModel:
    """A model with random weights.

    Raises:
        ValueError: unknown family; the message lists what exists.
    """
    if family not in FAMILIES:
        raise ValueError(f"Unknown model {family!r}. There are: {', '.join(FAMILIES)}.")
    model_class, config_class = FAMILIES[family]
    return model_class(config or config_class())


__all__ = ["FAMILIES", "ModelConfig", "SERModel", "build_model"]
