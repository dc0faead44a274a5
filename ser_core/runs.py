"""Training runs as they lie on disk, finished or not: what was asked for, and how far it has come."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ser_core.recipes import flat

FOLDER = Path("runs")  # where scripts.train writes, in the working directory


@dataclass(frozen=True, eq=False)
class Run:
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
    def measures(self) -> tuple[str, ...]:
        """Names of the figures of an epoch."""
        return tuple(name for name, value in (self.curve[-1] if self.curve else {}).items() if _is_figure(name, value))

    def values(self, measure: str) -> list[float]:
        """One value for each finished epoch."""
        return [record[measure] for record in self.curve if measure in record]


def _is_figure(name: str, value) -> bool:
    return name != "epoch" and isinstance(value, int | float)


def list_runs(folder: Path | None = None) -> tuple[Run, ...]:
    """All runs, the one that changed last first; what is no run is passed over."""
    found = [_read(path.parent) for path in (folder or FOLDER).glob("*/config.json")]
    return tuple(sorted(filter(None, found), key=lambda run: (-run.updated_s, run.name)))


def _read(folder: Path) -> Run | None:
    path = folder / "metrics.jsonl"
    try:
        config = json.loads((folder / "config.json").read_text())
        config["train"]["epochs"]
        lines = path.read_text().splitlines() if path.is_file() else []
        updated_s = (path if lines else folder / "config.json").stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):  # being written, or something else
        return None
    return Run(folder.name, config, tuple(_records(lines)), updated_s)


def _records(lines: Sequence[str]):
    """The last line may be half written."""
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            return


def config_differences(one: Run, other: Run) -> dict[str, tuple]:
    """Name -> (value of the one, value of the other), of all that differs but the command."""
    ours, theirs = (flat({k: v for k, v in run.config.items() if k != "command"}) for run in (one, other))
    names = [*ours, *(name for name in theirs if name not in ours)]
    return {n: (ours.get(n), theirs.get(n)) for n in names if ours.get(n) != theirs.get(n)}
