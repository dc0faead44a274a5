"""State of a training run and its folder: config, learning curve, and everything needed to resume."""

import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ser_core import paths
from ser_core.models import SERModel
from ser_core.training.auxiliary import auxiliary_heads
from ser_core.training.batches import TrainingData
from ser_core.training.config import TrainConfig, TrainingError, TrainingExample
from ser_core.training.optimiser import make_optimiser
from ser_core.training.runs import CONFIG_FILE, CURVE_FILE
from ser_core.training.state_tensors import Parts, collect_tensors, load_tensors

STATE_FILE = "state.safetensors"


@dataclass
class TrainingState:
    """Weights, their running average and the optimiser's moments after a number of steps."""

    model: SERModel
    average: SERModel
    optimiser: torch.optim.AdamW
    clips: str = ""  # fingerprint of the training clips
    epoch: int = 0
    step: int = 0
    auxiliary_heads: nn.ModuleDict = field(default_factory=nn.ModuleDict)  # one layer per task, on the embedding


def new_state(model: SERModel, config: TrainConfig, data: TrainingData) -> TrainingState:
    """State before the first step."""
    embedding_dim = model.config.embedding_dim  # type: ignore[attr-defined]  # of every network
    heads = auxiliary_heads(data.auxiliary_tasks, embedding_dim).to(model.device)
    optimiser = make_optimiser(model, config, heads)
    average = copy.deepcopy(model).eval()
    return TrainingState(model, average, optimiser, _fingerprint(data.train), auxiliary_heads=heads)


@dataclass(frozen=True)
class TrainingRun:
    """Folder of one training, and the provenance that is recorded in it.

    The folder gets config.json, metrics.jsonl (one line per epoch), state.safetensors, and TensorBoard's event file
    where that package is installed.
    """

    folder: Path
    resume: bool = False  # continue from the state of the folder, if there is one
    start: str = ""  # name of the start weights; a run is resumed with the same ones only
    command: str = ""  # reproduces the run

    def check_new(self) -> None:
        """Checks that nothing would be overwritten.

        Raises:
            TrainingError: the folder holds a run that is not to be resumed.
        """
        kept = (CONFIG_FILE, "checkpoint", "tuning")  # scikit-learn and tuned heads have no config.json
        if not self.resume and any((self.folder / name).exists() for name in kept):
            raise TrainingError(
                f"{self.folder.name} exists already. Continue it with --resume, or choose another --run."
            )

    def check_config(self, content: dict) -> None:
        """Checks that a run that is resumed is of the same settings.

        Args:
            content: of config.json; the command does not count.

        Raises:
            TrainingError: config.json holds others.
        """
        path = self.folder / CONFIG_FILE
        content = json.loads(json.dumps(content))  # lists for tuples, as in the file
        if path.is_file() and {k: v for k, v in json.loads(path.read_text()).items() if k != "command"} != content:
            raise TrainingError(
                f"{self.folder.name} was started with another config or other start weights. "
                "Give the same ones, or start a new run."
            )

    def prepare(self, model: SERModel, config: TrainConfig) -> None:
        """Writes config.json.

        Raises:
            TrainingError: the folder holds a run that is not to be resumed, or one with another config; or the disk is
                full.
        """
        content = {"train": asdict(config), "model": model.config.to_dict(), "start": self.start}
        self.check_new()
        self.check_config(content)
        self._write(self.folder / CONFIG_FILE, json.dumps(content | {"command": self.command}, indent=1))

    @contextmanager
    def only_writer(self) -> Iterator[None]:
        """Holds the folder: two processes would mix their epochs.

        Raises:
            TrainingError: another process trains there, or the folder cannot be made.
        """
        busy = TrainingError(f"Another process trains in {self.folder.name}. Wait for its end.")
        with ExitStack() as stack:
            try:
                stack.enter_context(paths.only_writer(self.folder, busy))
            except OSError as error:
                raise self._unwritable(error) from error
            yield

    def restore(self, state: TrainingState) -> None:
        """Loads the last saved state, if the run is to be resumed and has one.

        Raises:
            TrainingError: the state belongs to other training clips, or the disk is full.
        """
        if not self.resume:
            return
        if (self.folder / STATE_FILE).is_file():
            _load_state(state, self.folder)
        self._truncate_curve(state.epoch)

    def save_epoch(self, state: TrainingState, record: dict) -> None:
        """Appends the record to the curve and saves the state.

        The curve comes first: on resume a surplus line is dropped, a missing one would be lost.

        Raises:
            TrainingError: the disk is full or not writable; the last saved epoch is intact.
        """
        try:
            with (self.folder / CURVE_FILE).open("a") as file:
                file.write(json.dumps(record) + "\n")
            write_tensorboard_epoch(self.folder, record)
            _save_state(state, self.folder)
        except (OSError, SafetensorError) as error:
            raise TrainingError(
                f"Epoch {state.epoch} of {self.folder.name} cannot be saved: {error}. The epochs before it are intact: "
                "free some space and continue with --resume."
            ) from error

    def _truncate_curve(self, n_epochs: int) -> None:
        """Drops later lines: an interruption between curve and state must not leave an epoch twice."""
        path = self.folder / CURVE_FILE
        lines = path.read_text().splitlines() if path.is_file() else []
        if lines[n_epochs:]:
            self._write(path, "".join(f"{line}\n" for line in lines[:n_epochs]))

    def _write(self, path: Path, text: str) -> None:
        """Replaces a file as a whole."""
        try:
            paths.write_text(path, text)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> TrainingError:
        return TrainingError(
            f"{self.folder.name} cannot be written: {error.strerror or error}. Its saved epochs are intact: "
            "free some space and continue with --resume."
        )


def write_tensorboard_epoch(folder: Path, record: dict) -> None:
    """Adds one epoch to the curves of `tensorboard --logdir runs`; does nothing where TensorBoard is not installed.

    Args:
        folder: of the run.
        record: one line of metrics.jsonl: "epoch" and its figures; values that are not numbers are skipped.
    """
    if find_spec("tensorboard") is None:
        return
    from torch.utils.tensorboard import SummaryWriter  # optional, and slow to import

    epoch = record["epoch"]
    # An epoch that was interrupted and trained again replaces its earlier curve.
    with SummaryWriter(folder, purge_step=epoch) as writer:
        for name, value in record.items():
            if isinstance(value, int | float) and name != "epoch":
                writer.add_scalar(name, value, epoch)


def _fingerprint(clips: Sequence[TrainingExample]) -> str:
    return hashlib.sha256(repr([(clip.id, clip.emotion) for clip in clips]).encode()).hexdigest()


def _parts(state: TrainingState) -> Parts:
    return {
        "model": state.model,
        "average": state.average,
        "sides": state.auxiliary_heads,
        "optimiser": state.optimiser,
    }


def _save_state(state: TrainingState, folder: Path) -> None:
    metadata = {"epoch": str(state.epoch), "step": str(state.step), "clips": state.clips}
    with paths.atomic_path(folder / STATE_FILE) as path:
        save_file(collect_tensors(_parts(state)), path, metadata)


def _load_state(state: TrainingState, folder: Path) -> None:
    with safe_open(folder / STATE_FILE, "pt", device=str(state.model.device)) as file:
        metadata = file.metadata()
        if metadata.get("clips", state.clips) != state.clips:
            raise TrainingError(
                f"{folder.name} was started with other recordings (another protocol, fold or cache). "
                "Give the same ones, or start a new run."
            )
        state.epoch, state.step = int(metadata["epoch"]), int(metadata["step"])
        load_tensors(_parts(state), file)
