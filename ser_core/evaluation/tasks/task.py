"""The task of evaluating a checkpoint: which test part, whether it leaks, under which name it is recorded."""

import json
from dataclasses import dataclass
from pathlib import Path

from ser_core import paths
from ser_core.data import ProtocolError, protocol_split, split_name
from ser_core.evaluation.comparison.leakage import LEAK_SUFFIX
from ser_core.evaluation.results import ResultError
from ser_core.models import CONFIG_FILE, SERModel, checkpoint_folder, load_model, training_record
from ser_core.training import leaked_clips, training_history


@dataclass(frozen=True, eq=False)
class EvaluationTask:
    """One model and the test part on which it is evaluated."""

    name: str  # of the result file
    folder: Path
    model: SERModel
    config: dict  # content of config.json
    protocol: str
    fold: str | None
    leak: bool  # test clips were in the training part
    command: str = ""  # reproduces the result

    @property
    def split(self) -> str:
        return split_name(self.protocol, self.fold)

    @property
    def is_own_result(self) -> bool:
        """Whether the metrics belong to metrics.json and the model card of a shipped checkpoint."""
        trained_on, is_shipped = self.config["training"], self.folder.parent == paths.CHECKPOINTS
        same_part = (self.protocol, self.fold) == (trained_on["protocol"], trained_on["fold"])
        return is_shipped and same_part and not self.leak and self.name == self.folder.name


def evaluation_task(
    checkpoint: str, protocol: str | None, fold: str | None, name: str | None, allow_leak: bool
) -> EvaluationTask:
    """Task of evaluating a checkpoint.

    Args:
        checkpoint: name or folder.
        protocol, fold: of the test part; None: those of its training.
        name: of the result; None: the name of the checkpoint.

    Raises:
        CheckpointError: unknown or damaged.
        ProtocolError: an unknown fold, no record of the training, or a leak that is not allowed.
    """
    folder = checkpoint_folder(checkpoint)
    model, config = load_model(folder), json.loads((folder / CONFIG_FILE).read_text())
    trained_on = training_record(folder)
    if not {"protocol", "fold"} <= trained_on.keys():
        raise ProtocolError(f"{model.name} has no record of its training clips: it cannot be evaluated on others.")
    fold = fold or (None if protocol else trained_on["fold"])
    protocol = protocol or trained_on["protocol"]
    leak = has_leak(model.name, trained_on, protocol, fold, allow_leak)
    return EvaluationTask(name or model.name, folder, model, config, protocol, fold, leak)


def has_leak(name: str, trained_on: dict, protocol: str, fold: str | None, allowed: bool) -> bool:
    """Whether the model, or one it builds on, was trained with test clips of a protocol.

    Raises:
        ProtocolError: an unknown fold, or a leak that is not allowed.
    """
    test = set(protocol_split(protocol, fold).test)
    leaked = leaked_clips(training_history(trained_on), test)
    if leaked and not allowed:
        raise ProtocolError(
            f"{len(leaked)} of the {len(test)} test clips were in the training or development part of {name} "
            f"({split_name(trained_on['protocol'], trained_on['fold'])}): the result would be a leak. "
            "To measure a leak on purpose: --leak"
        )
    return bool(leaked)


def check_recordable(task: EvaluationTask, is_named: bool) -> None:
    """Checks that a result may be recorded under the name of the task.

    Args:
        is_named: the name was given, not derived from the folder.

    Raises:
        ResultError: a leak under the name of a valid result, or a checkpoint elsewhere without a name.
    """
    if task.leak and not task.name.endswith(LEAK_SUFFIX):
        raise ResultError(f"The result of a leak must not replace a valid one: --name {task.name}{LEAK_SUFFIX}")
    if not is_named and task.folder.parent != paths.CHECKPOINTS:
        raise ResultError(f"{task.name} is not below checkpoints/. Name its result: --name NAME.")
