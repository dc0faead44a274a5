"""Log of experiments: one line per training, with what was changed and its results on development speakers."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ser_core import paths
from ser_core.data import is_speech

MODEL_PREFIX = "model."  # of an override of the architecture; the others are of the recipe
DEV_UAR = "dev_uar_"  # begins the name of the UAR of one corpus in a line of a learning curve


@dataclass(frozen=True)
class Experiment:
    """One training. UAR in [0, 1], on the development speakers of the training folds; test clips are not used."""

    purpose: str  # question of the experiment; "said" in the log
    model: str
    protocol: str
    fold: str | None
    epochs: int
    seed: int
    changes: dict  # overrides of the model's recipe and architecture at that time: "augment.warp" -> 0.2
    dev_uar: dict[str, float]  # by corpus
    seconds: float  # of training
    kept: bool = False  # better than every earlier one of the same kind
    device: str = "cpu"  # "cpu", or the name of the GPU

    @property
    def mean_uar(self) -> float:
        """Mean over the speech corpora."""
        return mean_uar(self.dev_uar)

    @property
    def kind(self) -> tuple:
        """Model, protocol, fold and epochs; only experiments of one kind are comparable."""
        return self.model, self.protocol, self.fold, self.epochs


def mean_uar(dev_uar: dict[str, float]) -> float:
    """Mean over the speech corpora that have development clips."""
    found = [value for corpus, value in dev_uar.items() if is_speech(corpus)]
    return sum(found) / len(found)


def dev_uars(record: dict) -> dict[str, float]:
    """Development UAR by corpus, from a line of a learning curve."""
    return {name.removeprefix(DEV_UAR): value for name, value in record.items() if name.startswith(DEV_UAR)}


def mean_dev_uar(record: dict) -> float | None:
    """mean_uar of a line of a learning curve; None without development clips of speech."""
    found = dev_uars(record)
    return mean_uar(found) if any(map(is_speech, found)) else None


def last_epoch_metrics(curve: Path) -> tuple[dict[str, float], float]:
    """Development UAR by corpus after the last epoch, and the seconds of all epochs, from a run's metrics.jsonl."""
    records = [json.loads(line) for line in curve.read_text().splitlines()]
    return dev_uars(records[-1]), round(sum(record["seconds"] for record in records), 1)


def is_best_of_kind(experiment: Experiment, earlier: Iterable[Experiment]) -> bool:
    """Whether the mean over corpora is above that of every earlier experiment of the same kind."""
    return all(experiment.mean_uar > other.mean_uar for other in earlier if other.kind == experiment.kind)


def log_experiment(experiment: Experiment) -> Experiment:
    """Judges an experiment against the earlier ones of its kind and appends it to the log."""
    judged = replace(experiment, kept=is_best_of_kind(experiment, read_experiments()))
    append_experiment(judged)
    return judged


def append_experiment(experiment: Experiment) -> None:
    """Adds a line to the log."""
    values = asdict(experiment)
    with paths.EXPERIMENT_LOG.open("a") as file:
        file.write(json.dumps({"said": values.pop("purpose")} | values) + "\n")


def read_experiments() -> Sequence[Experiment]:
    """All experiments in the order of the log; empty without a log."""
    lines = paths.EXPERIMENT_LOG.read_text().splitlines() if paths.EXPERIMENT_LOG.is_file() else []
    records = [json.loads(line) for line in lines]
    return tuple(Experiment(purpose=record.pop("said"), **record) for record in records)
