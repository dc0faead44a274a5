"""The log of experiments: one line a training, what was changed and what it gave on development speakers."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ser_core import paths
from ser_core.data import SPEECH_CORPORA


@dataclass(frozen=True)
class Experiment:
    """One training. UAR in [0, 1], on the development speakers of the training folds: no test clip is looked at."""

    said: str  # what it was to show
    model: str
    protocol: str
    fold: str | None
    epochs: int
    seed: int
    changes: dict  # what differs from the model's own recipe and architecture then: "augment.warp" -> 0.2
    dev_uar: dict[str, float]  # by corpus
    seconds: float  # of training
    kept: bool  # better than every earlier one of the same kind
    device: str = "cpu"  # "cpu", or the name of the GPU

    @property
    def mean_uar(self) -> float:
        """Over the speech corpora."""
        return mean_uar(self.dev_uar)

    @property
    def kind(self) -> tuple:
        """Only experiments of one kind are compared with each other."""
        return self.model, self.protocol, self.fold, self.epochs


def mean_uar(dev_uar: dict[str, float]) -> float:
    """Mean over the speech corpora that have development clips."""
    found = [value for corpus, value in dev_uar.items() if corpus in SPEECH_CORPORA]
    return sum(found) / len(found)


def last_epoch_metrics(curve: Path) -> tuple[dict[str, float], float]:
    """Development UAR by corpus after the last epoch, and the seconds of all epochs, from a run's metrics.jsonl."""
    records = [json.loads(line) for line in curve.read_text().splitlines()]
    uars = {name.removeprefix("dev_uar_"): value for name, value in records[-1].items() if name.startswith("dev_uar_")}
    return uars, round(sum(record["seconds"] for record in records), 1)


def is_best_of_kind(dev_uar: dict[str, float], kind: tuple, earlier: Iterable[Experiment]) -> bool:
    """Whether the mean over corpora is above that of every earlier experiment of the same kind."""
    return all(mean_uar(dev_uar) > other.mean_uar for other in earlier if other.kind == kind)


def append_experiment(experiment: Experiment, log: Path | None = None) -> None:
    """Adds a line to the log."""
    with (log or paths.EXPERIMENT_LOG).open("a") as file:
        file.write(json.dumps(asdict(experiment)) + "\n")


def read_experiments(log: Path | None = None) -> Sequence[Experiment]:
    """All experiments, the first one first; none when there is no log."""
    log = log or paths.EXPERIMENT_LOG
    lines = log.read_text().splitlines() if log.is_file() else []
    return tuple(Experiment(**json.loads(line)) for line in lines)
