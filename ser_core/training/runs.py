"""Training runs on disk, finished or not: their configuration and their learning curve."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core import paths
from ser_core.labels import EMOTIONS
from ser_core.metrics import confusion_matrix, uar
from ser_core.training.config import TrainingExample
from ser_core.training.experiments import DEV_UAR
from ser_core.training.recipes import flatten_config

CONFIG_FILE = "config.json"
CURVE_FILE = "metrics.jsonl"  # one line per epoch
DEV_CONFUSION_KEY = "dev_confusion"  # of an epoch's record: corpus -> confusion matrix, unlike the other figures


@dataclass(frozen=True, eq=False)
class RunRecord:
    """Training run read from disk."""

    name: str
    config: dict  # "train": the recipe, "model": the architecture, "start", "command"
    curve: tuple[dict, ...]  # one record per finished epoch: loss, learning_rate, seconds, dev_uar_<corpus>, ...
    updated_s: float  # time of the last epoch, or of the start before the first one; seconds since 1970

    @property
    def n_epochs(self) -> int:
        return self.config["train"]["epochs"]

    @property
    def is_finished(self) -> bool:
        return len(self.curve) >= self.n_epochs

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the scalar figures of an epoch."""
        last = self.curve[-1] if self.curve else {}
        return tuple(name for name in last if name not in ("epoch", DEV_CONFUSION_KEY))

    def values(self, metric: str) -> list[float]:
        """One value for each finished epoch that has the metric."""
        return [record[metric] for record in self.curve if metric in record]


def confusion_by_corpus(
    clips: Sequence[TrainingExample], y_pred: np.ndarray, labels: Sequence[str]
) -> dict[str, np.ndarray]:
    """Confusion matrix of each corpus among the clips, shape = (n_classes, n_classes).

    Args:
        y_pred: index of the predicted label of each clip, shape = (n_clips,).
    """
    y_true = np.array([labels.index(clip.emotion) for clip in clips])
    corpora = np.array([clip.corpus for clip in clips])
    return {
        str(corpus): confusion_matrix(y_true[corpora == corpus], y_pred[corpora == corpus], len(labels))
        for corpus in np.unique(corpora)
    }


def dev_figures(confusion: dict[str, np.ndarray]) -> dict:
    """What a line of a learning curve says of development clips: UAR and confusion matrix of each corpus."""
    record: dict = {DEV_UAR + corpus: float(uar(matrix)) for corpus, matrix in confusion.items()}
    return record | {DEV_CONFUSION_KEY: {corpus: matrix.tolist() for corpus, matrix in confusion.items()}}


def write_run(folder: Path, config: dict, curve: Sequence[dict]) -> None:
    """Writes a finished run.

    Args:
        config: as in RunRecord.
        curve: as in RunRecord.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((CONFIG_FILE, json.dumps(config, indent=1)), (CURVE_FILE, curve_text(curve))):
        paths.write_text(folder / name, text)


def curve_text(curve: Sequence[dict]) -> str:
    """A learning curve as its file holds it, one line an epoch."""
    return "".join(json.dumps(record) + "\n" for record in curve)


def read_curve(path: Path) -> tuple[dict, ...]:
    """The finished epochs of a checkpoint's learning curve; none where there is no file."""
    return tuple(_read_epochs(path.read_text().splitlines(), len(EMOTIONS))) if path.is_file() else ()


def list_runs() -> tuple[RunRecord, ...]:
    """All runs, the most recently updated first; folders that do not hold a run are skipped."""
    found = [_read_run(path.parent) for path in paths.RUNS.glob(f"*/{CONFIG_FILE}")]
    return tuple(sorted(filter(None, found), key=lambda run: (-run.updated_s, run.name)))


def _read_run(folder: Path) -> RunRecord | None:
    path = folder / CURVE_FILE
    try:
        config = json.loads((folder / CONFIG_FILE).read_text())
        n_epochs, labels = config["train"]["epochs"], config["model"]["labels"]
        if not isinstance(n_epochs, int) or not set(labels) <= set(EMOTIONS):
            return None
        lines = path.read_text().splitlines() if path.is_file() else []
        updated_s = (path if lines else folder / CONFIG_FILE).stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):  # being written, or not a run
        return None
    return RunRecord(folder.name, config, tuple(_read_epochs(lines, len(labels))), updated_s)


def _read_epochs(lines: Sequence[str], n_classes: int) -> Iterator[dict]:
    """Records up to the first damaged line; the last line may be half written."""
    for line in lines:
        try:
            record = json.loads(line)
            is_valid = _is_valid_record(record, n_classes)
        except (ValueError, AttributeError):  # not JSON, not a dict, or a matrix with rows of different lengths
            return
        if not is_valid:
            return
        yield record


def _is_valid_record(record: dict, n_classes: int) -> bool:
    """Whether all figures are numbers, and all confusion matrices have the model's number of classes."""
    numbers = [value for name, value in record.items() if name != DEV_CONFUSION_KEY]
    shapes = {np.shape(matrix) for matrix in record.get(DEV_CONFUSION_KEY, {}).values()}
    return all(type(value) in (int, float) for value in numbers) and shapes <= {(n_classes, n_classes)}


def config_differences(one: RunRecord, other: RunRecord) -> dict[str, tuple]:
    """Name -> (value of one, value of other) of every setting that differs, except the command."""
    ours, theirs = (flatten_config({k: v for k, v in run.config.items() if k != "command"}) for run in (one, other))
    names = [*ours, *(name for name in theirs if name not in ours)]
    return {n: (ours.get(n), theirs.get(n)) for n in names if ours.get(n) != theirs.get(n)}
