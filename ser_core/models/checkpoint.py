"""A checkpoint is a folder: model.safetensors, config.json, metrics.json and a model card (README.md).

Some have more: novelty.safetensors, the reference distances for out-of-distribution detection, and
offsets.safetensors, where the emotions lie around a speaker's mean.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors import SafetensorError

from ser_core import paths
from ser_core.labels import EMOTIONS
from ser_core.models.bare import NoInitialisation
from ser_core.models.base import SERModel, check_default_dtype
from ser_core.models.calibration import Calibration
from ser_core.models.errors import DeviceError, MissingEncoder, first_line
from ser_core.models.names import (
    CARD_FILE,
    CONFIG_FILE,
    HOW_TO_TRAIN,
    METRICS_FILE,
    NOVELTY_FILE,
    OFFSETS_FILE,
    CheckpointError,
    available_models,
    checkpoint_folder,
    checkpoint_name,
    read_checkpoint_json,
    read_metrics,
)
from ser_core.models.offsets import load_offsets, save_offsets
from ser_core.models.ood import NoveltyDetector
from ser_core.models.registry import MODEL_FAMILIES
from ser_core.models.zoo.fusion import Fusion, FusionConfig
from ser_core.models.zoo.layers import fold_batch_norms

WEIGHTS_HASH = "weights_sha256"  # in config.json: its weights are those of the same save
N_VERSION_DIGITS = 8  # hexadecimal digits of the hash that names a version

Content = TypeVar("Content")


def models_with_reference() -> tuple[str, ...]:
    """Names of the existing checkpoints that take reference clips of the speaker, the default one first."""
    return tuple(name for name in available_models() if _takes_reference(name))


def _takes_reference(name: str) -> bool:
    try:
        return MODEL_FAMILIES[read_checkpoint_json(paths.CHECKPOINTS / name / CONFIG_FILE)["family"]][0].takes_reference
    except (CheckpointError, KeyError, TypeError):
        return False  # damaged: load_model names the fault


def models_with_emotions() -> tuple[str, ...]:
    """Those of them that can use the emotions of the clips: with offsets of their own or of a member."""
    return tuple(name for name in models_with_reference() if _has_offsets(name))


def _has_offsets(name: str) -> bool:
    try:
        members = read_checkpoint_json(paths.CHECKPOINTS / name / CONFIG_FILE)["model"].get("members", ())
        return any((paths.CHECKPOINTS / part / OFFSETS_FILE).is_file() for part in (name, *members))
    except (CheckpointError, KeyError, AttributeError, TypeError):
        return False  # damaged: load_model names the fault


def load_model(name_or_folder: str | Path, device: str = "auto") -> SERModel:
    """Loads a model in eval mode; every weight must be in the file, and no other.

    Args:
        name_or_folder: one of available_models(), or a checkpoint folder.
        device: "auto" (CUDA if available), "cpu", "cuda", ...

    Raises:
        UnknownModel: no such checkpoint.
        CheckpointError: a missing or damaged file, an unknown family, foreign weights.
        DeviceError: no such device.
        ValueError: as check_default_dtype.
    """
    check_default_dtype()
    device = usable_device(device)
    folder = checkpoint_folder(name_or_folder)
    config = read_checkpoint_json(folder / CONFIG_FILE)
    model = _model_without_weights(config, folder.name)
    _load_weights(model, folder / model.weights_file)
    digest = weights_sha256(folder, model)
    if config.get(WEIGHTS_HASH, digest) != digest:
        raise CheckpointError(
            f"{folder.name}: the weights are not those of its {CONFIG_FILE}, they are damaged or of another save. "
            "Get or train it again."
        )
    model.name, model.version = checkpoint_name(folder), _version(model, digest)
    model.metrics = read_metrics(folder)
    if (folder / NOVELTY_FILE).is_file():  # else a fusion has that of a member
        model.novelty = _read_further(folder / NOVELTY_FILE, NoveltyDetector.load)
    if (folder / OFFSETS_FILE).is_file():
        model.emotion_offsets = _read_further(folder / OFFSETS_FILE, partial(load_offsets, model=model))
    model.to(device).eval()
    fold_batch_norms(model)
    return model


def usable_device(name: str) -> str:
    """The name of a device of torch that exists; "auto": CUDA if available, else "cpu".

    Raises:
        DeviceError: no such device.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (AssertionError, RuntimeError) as error:  # the first: torch was built without CUDA
        raise DeviceError(f"The device {name!r} cannot be used: {first_line(error)}. Choose another: cpu.") from None
    return name


def _version(model: SERModel, digest: str) -> str:
    """First digits of the hash of the weights; of a fusion, whose file holds factors alone, also of its members."""
    if isinstance(model, Fusion):
        digest = hashlib.sha256(" ".join((digest, *model.config.versions)).encode()).hexdigest()
    return digest[:N_VERSION_DIGITS]


def _model_without_weights(config: dict, name: str) -> SERModel:
    """The model of a config.json, with its calibration."""
    try:
        with NoInitialisation():
            model = _build_model(config)
        model.calibration = Calibration(**config["calibration"])
    except (MissingEncoder, CheckpointError) as error:
        raise CheckpointError(f"{name} cannot be loaded: {error}") from None
    except Exception as error:  # its type depends on the foreign config
        raise CheckpointError(f"{name}/{CONFIG_FILE} is not a model of this program ({error!s:.80}).") from None
    if model.config.labels != EMOTIONS:
        raise CheckpointError(
            f"{name} predicts other emotions: {', '.join(map(str, model.config.labels)):.120}. "
            f"This program's are {', '.join(EMOTIONS)}."
        )
    return model


def load_fusion(members: Sequence[str], factors: Sequence[float]) -> Fusion:
    """An uncalibrated fusion of checkpoints.

    Args:
        members: names of the checkpoints.
        factors: of their log probabilities.

    Raises:
        CheckpointError: a member cannot be loaded.
    """
    models = [load_model(name, "cpu") for name in members]
    versions = tuple(model.version for model in models)
    return Fusion(FusionConfig(members=tuple(members), versions=versions, factors=tuple(factors)), models).eval()


def _build_model(config: dict) -> SERModel:
    """The model of a config.json before its weights are read; a fusion with its members."""
    family = config["family"]
    if isinstance(family, str) and family not in MODEL_FAMILIES:
        raise CheckpointError(
            f"its family {family!r:.40} is unknown. Import the module that adds it to MODEL_FAMILIES, or get the model "
            "of this program again."
        )
    model_class, config_class = MODEL_FAMILIES[family]
    own = config_class.from_dict(config["model"])
    if not isinstance(own, FusionConfig):
        return model_class(own)
    return Fusion(own, [_load_member(*pair) for pair in zip(own.members, own.versions, strict=True)])


def _load_member(name: str, version: str) -> SERModel:
    """A member of a fusion, of the version that the fusion was calibrated with."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise CheckpointError(f"The member {name!r:.80} of a fusion must be the name of a checkpoint.")
    model = load_model(name, "cpu")
    if model.version != version:
        raise CheckpointError(
            f"{name} is of version {model.version}, its fusion needs {version}. Make the fusion again: "
            "python -m scripts.fuse"
        )
    return model


def weights_files(model: SERModel, folder: Path) -> set[Path]:
    """The files that a prediction needs: the weights of a checkpoint, its shared encoder, members of a fusion."""
    files = {folder / model.weights_file}
    if encoder := getattr(model.config, "encoder", ""):
        files.add(paths.ENCODERS / encoder / "model.safetensors")
    if isinstance(model, Fusion):
        for name, member in zip(model.config.members, model.models, strict=True):
            files |= weights_files(member, checkpoint_folder(name))
    return files


def weights_sha256(folder: Path, model: SERModel) -> str:
    """Hash of the weights file of a checkpoint."""
    return paths.file_sha256(folder / model.weights_file)


def save_model(
    model: SERModel,
    folder: Path,
    family: str,
    calibration: Calibration,
    training: dict,
    novelty: NoveltyDetector | None = None,
    offsets: np.ndarray | None = None,
) -> None:
    """Writes weights and config; an existing checkpoint is replaced only after all files are written.

    Args:
        training: recipe, protocol and fold of the weights; JSON-serialisable.
        novelty: the detector fitted on the training clips, if any.
        offsets: of the emotions in the training clips, if any, shape = (n_classes, embedding_dim).

    Raises:
        CheckpointError: a family that does not have this model, a limited or enrolled copy, weights that are not
            finite in half precision, or a full disk.
    """
    if model.is_derived:
        raise CheckpointError(
            f"{folder.name} cannot be saved: {model.name} is a copy for some emotions or for one voice, which a "
            "checkpoint does not hold. Save the model of load_model, and limit or enrol it when it is loaded again."
        )
    if family not in MODEL_FAMILIES or not isinstance(model, MODEL_FAMILIES[family][0]):
        raise CheckpointError(
            f"{folder.name} cannot be saved: {type(model).__name__} is not the model of a family {family!r}, and would "
            "not be loaded again. Give its name in MODEL_FAMILIES."
        )
    own = {"family": family, "model": model.config.to_dict(), "calibration": asdict(calibration), "training": training}
    files = model.transformers_files()
    files[CONFIG_FILE] = files.get(CONFIG_FILE, {}) | own
    binary: dict[str, Callable[[Path], object]] = {model.weights_file: model.save_weights}
    if novelty:
        binary[NOVELTY_FILE] = novelty.save
    if offsets is not None:
        binary[OFFSETS_FILE] = partial(save_offsets, offsets)
    texts = {name: partial(_write_json, content) for name, content in files.items() if name != CONFIG_FILE}

    def write_config(temporary: Path) -> None:
        """Written after the weights, whose hash it holds."""
        digest = paths.file_sha256(temporary.with_name(f"{model.weights_file}.tmp"))  # as paths.atomic_path names it
        _write_json(files[CONFIG_FILE] | {WEIGHTS_HASH: digest}, temporary)

    _write_atomically(folder, binary | texts | {CONFIG_FILE: write_config})


def _write_json(content: dict, temporary: Path) -> None:
    temporary.write_text(json.dumps(content, indent=1) + "\n")


def save_metrics_and_card(folder: Path, metrics: dict, card: str) -> None:
    """Writes metrics.json and the model card, as safely as save_model.

    Raises:
        CheckpointError: a full disk.
    """
    _write_atomically(
        folder, {METRICS_FILE: partial(_write_json, metrics), CARD_FILE: lambda temporary: temporary.write_text(card)}
    )


def _write_atomically(folder: Path, files: dict[str, Callable[[Path], object]]) -> None:
    """Writes all files of a checkpoint or none: name -> function that writes it to a path."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:  # on exit, when all are written, each is renamed
            for name, write in files.items():
                write(stack.enter_context(paths.atomic_path(folder / name)))
    except (ValueError, OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder.name} cannot be saved: {error}. The previous files are untouched.") from error


def _read_further(path: Path, read: Callable[[Path], Content]) -> Content:
    """The content of a file beside the weights."""
    try:
        return read(path)
    except ValueError as error:
        raise CheckpointError(f"{path.parent.name}/{error}: get or train the model again.") from None


def _load_weights(model: SERModel, path: Path) -> None:
    if not path.is_file():
        raise CheckpointError(f"{path.parent.name} has no {path.name}. {HOW_TO_TRAIN}")
    try:
        model.load_weights(path)
    except ImportError as error:
        raise CheckpointError(f"{path.parent.name} {error}") from None
    except (SafetensorError, OSError):
        raise CheckpointError(f"{path.parent.name}/{path.name} is damaged or cut off: get or train it again.") from None
    except (RuntimeError, ValueError, AttributeError, TypeError) as error:  # the last two from damaged skops files
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path.parent.name}/{path.name} holds the weights of another model: {reason}") from None
