"""The record of an evaluation: written, computed again, and compared with new figures."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ser_core import paths
from ser_core.data import ListenerVotes
from ser_core.evaluation.cost import measure_cost
from ser_core.evaluation.environment import code_version
from ser_core.evaluation.results import (
    EvaluationResult,
    ResultError,
    load_result,
    protocol_sha256,
    result_path,
    save_result,
)
from ser_core.evaluation.scoring.metrics import Metrics, compute_metrics
from ser_core.evaluation.scoring.predictions import BOOTSTRAP_SEED, PredictionTable
from ser_core.evaluation.tasks.task import EvaluationTask
from ser_core.models import METRICS_FILE, weights_sha256
from ser_core.training import flatten_config


def build_result(task: EvaluationTask, predictions: PredictionTable, metrics: Metrics) -> EvaluationResult:
    """Result of a task with its provenance and the cost of the model."""
    training = task.config["training"]
    return EvaluationResult(
        model=task.name,
        family=task.config["family"],
        protocol=task.protocol,
        fold=task.fold,
        trained_on={key: training[key] for key in ("protocol", "fold")},
        leak=task.leak,
        provenance={
            "command": task.command,
            "training_seed": training.get("recipe", {}).get("seed"),
            "bootstrap_seed": BOOTSTRAP_SEED,
            "protocol_sha256": protocol_sha256(task.protocol),
            "weights_sha256": weights_sha256(task.folder, task.model),
            "code_version": code_version(),
        },
        metrics=metrics.to_dict(),
        cost=_measured_cost(task),
        predictions=predictions,
    )


def _measured_cost(task: EvaluationTask) -> dict:
    """Parameters, multiply-accumulates, size and latency; fractions to 2 places."""
    cost = asdict(measure_cost(task.model, task.folder))
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in cost.items()}


def own_metrics(result: EvaluationResult) -> dict:
    """Content of a checkpoint's metrics.json."""
    return {"protocol": result.protocol, "fold": result.fold} | result.metrics


def recompute_result(path: Path) -> bool:
    """Computes the metrics of a result file again from its predictions, and those of the checkpoint they belong to.

    The figures against the listeners' votes stay as they are.

    Returns:
        Whether a figure has changed.

    Raises:
        ResultError: damaged, out of date or not writable.
    """
    recorded = load_result(path)
    metrics = compute_metrics(recorded.predictions).to_dict() | {"votes": recorded.metrics["votes"]}
    result = replace(recorded, metrics=_as_json(metrics))
    _replace_own_metrics(recorded, result)
    if result.metrics == recorded.metrics:
        return False
    save_result(result, path.parent.parent)
    return True


def _replace_own_metrics(recorded: EvaluationResult, new: EvaluationResult) -> None:
    """Writes the metrics of a checkpoint again, if they are those of the recorded result.

    Raises:
        ResultError: they cannot be read or written.
    """
    path = paths.CHECKPOINTS / new.model / METRICS_FILE
    try:
        if path.is_file() and own_metrics(recorded) == json.loads(path.read_text()):
            paths.write_json(path, own_metrics(new))
    except (OSError, ValueError) as error:
        raise ResultError(f"{new.model}/{METRICS_FILE} cannot be read and written again: {error}.") from error


@dataclass(frozen=True)
class Reproduction:
    """Comparison of new metrics with a recorded file."""

    file: str  # "<split>/<model>.json" or "<checkpoint>/metrics.json"
    is_equal: bool
    changes: dict[str, tuple]  # dotted name -> (recorded or None, new or None)
    is_rounding: bool = False  # the predictions differ as little as between two processors


def compare_with_recorded(
    task: EvaluationTask, predictions: PredictionTable, metrics: Metrics, votes: ListenerVotes | None
) -> list[Reproduction]:
    """Compares metrics with the recorded ones, on the clips that were predicted; empty without a recorded result.

    Args:
        votes: None: the figures against the listeners' votes are not compared.
    """
    path = result_path(task.split, task.name)
    if not path.is_file():
        return []
    recorded = load_result(path)
    expected, known = recorded.metrics, recorded.predictions
    if len(known.utterances) != len(predictions.utterances):
        ids = {utterance.id for utterance in predictions.utterances}
        known = known.select(lambda u: u.id in ids)
        expected = _as_json(compute_metrics(known, votes).to_dict())
    if votes is None:
        expected = expected | {"votes": None}
    of_result = _reproduction(f"{path.parent.name}/{path.name}", expected, _as_json(metrics.to_dict()))
    found = [replace(of_result, is_rounding=predictions.differs_by_rounding(known))]
    if task.is_own_result:
        shown = paths.read_json(task.folder / METRICS_FILE)
        found.append(_reproduction(f"{task.folder.name}/{METRICS_FILE}", shown, own_metrics(recorded)))
    return found


def _reproduction(file: str, recorded: dict, new: dict) -> Reproduction:
    before, now = flatten_config(recorded), flatten_config(new)
    names = (name for name in now | before if now.get(name) != before.get(name))
    changes = {name: (before.get(name), now.get(name)) for name in names}
    return Reproduction(file, recorded == new, changes)


def _as_json(values: dict) -> dict:
    """The values as read back from JSON."""
    return json.loads(json.dumps(values))
