"""Training runs as they lie on disk, finished or not: what was asked for, and how far it has come."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core import paths
from ser_core.labels import EMOTIONS
from ser_core.training.recipes import flatten_config

DEV_CONFUSION_KEY = "dev_confusion"  # in a record: by corpus, a matrix instead of a number


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """One training."""

    name: str
    config: dict  # "train": the recipe, "model": the architecture, "start", "command"
    curve: tuple[dict, ...]  # one record for each finished epoch: loss, learning_rate, seconds, dev_uar_<corpus>, ...
    updated_s: float  # when the curve last grew, or else the run began; seconds since 1970

    @property
    def n_epochs(self) -> int:
        return self.config["train"]["epochs"]

    @property
    def is_finished(self) -> bool:
        return len(self.curve) >= self.n_epochs

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the figures of an epoch."""
        return tuple(
            name for name in (self.curve[-1] if self.curve else {}) if name not in ("epoch", DEV_CONFUSION_KEY)
        )

    def values(self, measure: str) -> list[float]:
        """One value for each finished epoch."""
        return [record[measure] for record in self.curve if measure in record]


def list_runs(folder: Path | None = None) -> tuple[TrainingRun, ...]:
    """All runs, the one that changed last first; what is no run is passed over."""
    found = [_read_run(path.parent) for path in (folder or paths.RUNS).glob("*/config.json")]
    return tuple(sorted(filter(None, found), key=lambda run: (-run.updated_s, run.name)))


def _read_run(folder: Path) -> TrainingRun | None:
    path = folder / "metrics.jsonl"
    try:
        config = json.loads((folder / "config.json").read_text())
        n_epochs, labels = config["train"]["epochs"], config["model"]["labels"]
        if not isinstance(n_epochs, int) or not set(labels) <= set(EMOTIONS):
            return None
        lines = path.read_text().splitlines() if path.is_file() else []
        updated_s = (path if lines else folder / "config.json").stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):  # being written, or something else
        return None
    return TrainingRun(folder.name, config, tuple(_read_epochs(lines, len(labels))), updated_s)


def _read_epochs(lines: Sequence[str], n_classes: int):
    """Up to the first line that is damaged; the last one may be half written."""
    for line in lines:
        try:
            record = json.loads(line)
            whole = _is_valid_record(record, n_classes)
        except (ValueError, AttributeError):  # no JSON, no dict, or a matrix with rows of several lengths
            return
        if not whole:
            return
        yield record


def _is_valid_record(record: dict, n_classes: int) -> bool:
    """Numbers, and confusion matrices of as many classes as the model has."""
    numbers = [value for name, value in record.items() if name != DEV_CONFUSION_KEY]
    shapes = {np.shape(matrix) for matrix in record.get(DEV_CONFUSION_KEY, {}).values()}
    return all(isinstance(value, int | float) for value in numbers) and shapes <= {(n_classes, n_classes)}


def config_differences(one: TrainingRun, other: TrainingRun) -> dict[str, tuple]:
    """Name -> (value of the one, value of the other), of all that differs but the command."""
    ours, theirs = (flatten_config({k: v for k, v in run.config.items() if k != "command"}) for run in (one, other))
    names = [*ours, *(name for name in theirs if name not in ours)]
    return {n: (ours.get(n), theirs.get(n)) for n in names if ours.get(n) != theirs.get(n)}
