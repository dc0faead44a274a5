"""Evaluation tasks: a checkpoint, its test part without leaks, and the comparison with recorded results."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ser_core import paths
from ser_core.data import (
    CORPUS_NAMES,
    PROTOCOLS,
    ListenerVotes,
    ProtocolError,
    Utterance,
    corpora_root,
    is_speech,
    protocol_folds,
    protocol_split,
    read_corpora,
    split_name,
    unseen_speaker_fold,
)
from ser_core.evaluation.comparison import LEAK_SUFFIX
from ser_core.evaluation.cost import measure_cost
from ser_core.evaluation.environment import code_version
from ser_core.evaluation.evaluator import BOOTSTRAP_SEED, Metrics, PredictionTable, compute_metrics
from ser_core.evaluation.results import (
    EvaluationResult,
    ResultError,
    load_result,
    protocol_sha256,
    result_path,
    save_result,
)
from ser_core.models import CONFIG_FILE, METRICS_FILE, SERModel, checkpoint_folder, load_model, weights_sha256
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
    checkpoint: str,
    protocol: str | None = None,
    fold: str | None = None,
    name: str | None = None,
    allow_leak: bool = False,
    command: str = "",
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
    trained_on = config.get("training", {})
    if not {"protocol", "fold"} <= trained_on.keys():
        raise ProtocolError(f"{model.name} has no record of its training clips: it cannot be evaluated on others.")
    fold = fold or (None if protocol else trained_on["fold"])
    protocol = protocol or trained_on["protocol"]
    leak = has_leak(model.name, trained_on, protocol, fold, allow_leak)
    return EvaluationTask(name or folder.name, folder, model, config, protocol, fold, leak, command)


def has_leak(name: str, trained_on: dict, protocol: str, fold: str | None, allowed: bool) -> bool:
    """Whether the model was trained, or its start weights were, with test clips of a protocol.

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
        raise ResultError(f"The result of a leak must not replace a valid one: --name {task.folder.name}{LEAK_SUFFIX}")
    if not is_named and task.folder.parent != paths.CHECKPOINTS:
        raise ResultError(f"{task.folder.name} is not below checkpoints/. Name its result: --name NAME.")


def read_test_part(protocol: str, fold: str | None, complete: bool) -> tuple[list[Utterance], str]:
    """Test part of a protocol, as far as its recordings are in the corpora folder.

    Args:
        complete: all recordings are required.

    Returns:
        The utterances, and a note on the missing recordings; "" if there are none.

    Raises:
        ProtocolError: all recordings are missing, or some are and `complete` is required.
    """
    available = read_corpora(corpora_root()).utterances
    wanted = set(protocol_split(protocol, fold).test)
    found = [utterance for utterance in available if utterance.id in wanted]
    missing = wanted - {utterance.id for utterance in found}
    if not missing:
        return found, ""
    note = f"Missing test recordings of {split_name(protocol, fold)}: {_count_missing(missing, wanted)}."
    if complete or not found:
        raise ProtocolError(f"{note} {_complete_parts({u.id for u in available}, len(found))}")
    return found, note


def _count_missing(missing: set[str], wanted: set[str]) -> str:
    """Missing clips by corpus, e.g. "SAVEE 5 of 120, TESS 1400 of 1400"."""
    n_missing, n_wanted = (Counter(i.split("/")[0] for i in ids) for ids in (missing, wanted))
    return ", ".join(f"{CORPUS_NAMES[c]} {n_missing[c]} of {n_wanted[c]}" for c in CORPUS_NAMES if n_missing[c])


def _complete_parts(available: set[str], n_found: int) -> str:
    parts = [(protocol, fold) for protocol in PROTOCOLS for fold in protocol_folds(protocol) or (None,)]
    complete = [split_name(*part) for part in parts if available.issuperset(protocol_split(*part).test)]
    partial = f" Without --write, the {n_found} available ones can be evaluated." if n_found else ""
    return f"Complete test parts: {', '.join(complete) or 'none'}.{partial}"


def read_unseen_speech(models: Sequence[SERModel], every: int = 1) -> list[Utterance]:
    """Speech of the test part that several models share, every n-th clip.

    Raises:
        ProtocolError: speakers of the training part, missing recordings, or models with different test parts.
    """
    parts = {unseen_speaker_fold(model.name, model.metrics) for model in models}
    if len(parts) > 1:
        raise ProtocolError("These models have different test speakers: evaluate them one by one.")
    found, _ = read_test_part(*parts.pop(), complete=True)
    return [utterance for utterance in found if is_speech(utterance.corpus)][::every]


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


def recompute_result(path: Path, votes: ListenerVotes | None = None) -> bool:
    """Computes the metrics of a result file again from its predictions, and those of the checkpoint they belong to.

    Args:
        path: of a result file.
        votes: None: the figures against the listeners' votes stay as they are.

    Returns:
        Whether a figure has changed.

    Raises:
        ResultError: damaged, out of date or not writable.
    """
    recorded = load_result(path)
    metrics = compute_metrics(recorded.predictions, votes).to_dict()
    if votes is None:
        metrics["votes"] = recorded.metrics["votes"]
    result = replace(recorded, metrics=_as_json(metrics))
    own_path = paths.CHECKPOINTS / result.model / METRICS_FILE
    if own_path.is_file() and own_metrics(recorded) == json.loads(own_path.read_text()):
        with paths.atomic_path(own_path) as temporary:
            temporary.write_text(json.dumps(own_metrics(result), indent=1) + "\n")
    if result.metrics == recorded.metrics:
        return False
    save_result(result, path.parent.parent)
    return True


@dataclass(frozen=True)
class Reproduction:
    """Comparison of new metrics with a recorded file."""

    file: str  # "<split>/<model>.json" or "<checkpoint>/metrics.json"
    is_equal: bool
    changes: dict[str, tuple]  # dotted name -> (recorded or None, new)


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
    expected = recorded.metrics
    if len(recorded.predictions.utterances) != len(predictions.utterances):
        ids = {utterance.id for utterance in predictions.utterances}
        expected = _as_json(compute_metrics(recorded.predictions.select(lambda u: u.id in ids), votes).to_dict())
    if votes is None:
        expected = expected | {"votes": None}
    found = [_reproduction(f"{path.parent.name}/{path.name}", expected, _as_json(metrics.to_dict()))]
    if task.is_own_result:
        own_path = task.folder / METRICS_FILE
        shown = json.loads(own_path.read_text()) if own_path.is_file() else {}
        found.append(_reproduction(f"{task.folder.name}/{METRICS_FILE}", shown, own_metrics(recorded)))
    return found


def _reproduction(file: str, recorded: dict, new: dict) -> Reproduction:
    before, now = dict(_leaves(recorded)), dict(_leaves(new))
    changes = {name: (before.get(name), value) for name, value in now.items() if value != before.get(name)}
    return Reproduction(file, recorded == new, changes)


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Dotted names and values of a nested dict: ("pooled.uar", 0.5)."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}".lstrip("."))
    else:
        yield name, value


def _as_json(values: dict) -> dict:
    """The values as read back from JSON."""
    return json.loads(json.dumps(values))
