"""Which models exist: names and files of checkpoints, read without torch, so that a list of models is there at once."""

import json
import os
from pathlib import Path

from ser_core import paths

CONFIG_FILE, METRICS_FILE, CARD_FILE = "config.json", "metrics.json", "README.md"
NOVELTY_FILE, OFFSETS_FILE = "novelty.safetensors", "offsets.safetensors"
DEFAULT_MODEL = "whisper-prosonet"
FAST_MODEL = "whisper-light"  # about half the work: for live speech, long recordings and archives
HOW_TO_TRAIN = "Train one with: python -m scripts.train resonet --protocol speaker-independent --fold 0"


class CheckpointError(ValueError):
    """A checkpoint that does not exist or is incomplete; the message names the cause and the cure."""


class UnknownModel(CheckpointError):
    """A name that no checkpoint has; the message lists those that exist."""


def available_models(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the existing checkpoints, the default one first."""
    names = (path.parent.name for path in (folder or paths.CHECKPOINTS).glob(f"*/{CONFIG_FILE}"))
    return tuple(sorted(names, key=lambda name: (name != DEFAULT_MODEL, name != FAST_MODEL, name)))


def models_for_long_audio() -> tuple[str, ...]:
    """Names of the existing checkpoints, the fast one first: for live speech, long recordings and archives."""
    return tuple(sorted(available_models(), key=lambda name: name != FAST_MODEL))


def fast_model() -> str:
    """The name of the fast model; of the first one where it is not installed."""
    return next(iter(models_for_long_audio()), FAST_MODEL)


def resolve_model(name: str | None) -> str:
    """The name of an existing checkpoint: the given one, or the default. A path is not a name.

    Raises:
        UnknownModel: no such checkpoint, or none at all.
    """
    names = available_models()
    if name is None and names:
        return names[0]
    if name not in names:
        raise _unknown_model(DEFAULT_MODEL if name is None else name)
    return name


def _unknown_model(name: object) -> UnknownModel:
    listed = ", ".join(available_models()) or f"none. {HOW_TO_TRAIN}"
    return UnknownModel(f"Unknown model {str(name)[:80]!r}. There are: {listed}.")


def checkpoint_folder(name_or_folder: str | Path) -> Path:
    """The folder of a checkpoint, by name or path.

    Raises:
        UnknownModel: no such checkpoint.
    """
    if not isinstance(name_or_folder, str | Path) or not str(name_or_folder):
        raise _unknown_model(name_or_folder)
    inside = paths.CHECKPOINTS / name_or_folder
    folder = inside if os.path.isfile(inside / CONFIG_FILE) else Path(name_or_folder)
    if not os.path.isdir(folder):  # methods of Path raise for long names
        raise _unknown_model(name_or_folder)
    return folder


def checkpoint_name(folder: str | Path) -> str:
    """The name of a checkpoint by its folder: that of the run for runs/NAME/checkpoint, since all runs end so."""
    path = Path(os.path.abspath(folder))  # a link keeps its name
    return path.parent.name if path.name == "checkpoint" else path.name


def read_metrics(name_or_folder: str | Path) -> dict:
    """The metrics of a checkpoint, without loading it; empty if it was never evaluated.

    Raises:
        CheckpointError: unknown name, or a damaged file.
    """
    path = checkpoint_folder(name_or_folder) / METRICS_FILE
    return read_checkpoint_json(path) if path.is_file() else {}


def training_record(folder: Path) -> dict:
    """How a checkpoint was trained, the "training" entry of its config.json; empty without one.

    Raises:
        CheckpointError: config.json is missing or damaged.
    """
    return read_checkpoint_json(folder / CONFIG_FILE).get("training") or {}


def read_checkpoint_json(path: Path) -> dict:
    """The content of a JSON file of a checkpoint.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError
        return found
    except FileNotFoundError:
        raise CheckpointError(
            f"{checkpoint_name(path.parent)} has no {path.name}: the checkpoint is incomplete. "
            "Get or train the model again."
        ) from None
    except ValueError:
        raise CheckpointError(f"{path.parent.name}/{path.name} is damaged: get or train the model again.") from None
