"""What a tuning has reached after an epoch, in one file: weights and the moments of the optimiser."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from ser_core import paths
from ser_core.training.config import TrainingError
from ser_core.training.state_tensors import Parts, collect_tensors, load_tensors


@dataclass(frozen=True, eq=False)
class TuningState:
    """See the module's docstring."""

    path: Path
    trained: nn.Module
    optimiser: torch.optim.AdamW
    identity: object  # settings and clips of the training; another one does not go on from the file

    def save(self, n_epochs: int) -> None:
        """Writes the state after so many epochs.

        Raises:
            TrainingError: the disk is full or not writable.
        """
        metadata = {"epochs": str(n_epochs), "identity": self._fingerprint()}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with paths.atomic_path(self.path) as temporary:
                save_file(collect_tensors(self._parts), temporary, metadata)
        except OSError as error:
            raise TrainingError(f"{self.path} cannot be written: {error}. Free some space, then --resume.") from error

    def restore(self) -> int:
        """Loads the state, if there is one; returns the number of epochs done.

        Raises:
            TrainingError: it is of another training.
        """
        if not self.path.is_file():
            return 0
        with safe_open(self.path, "pt") as file:
            metadata = file.metadata()
            if metadata["identity"] != self._fingerprint():
                raise TrainingError(
                    f"{self.path} is of other settings or recordings. Give the same ones, or choose another --run."
                )
            load_tensors(self._parts, file)
        return int(metadata["epochs"])

    @property
    def _parts(self) -> Parts:
        return {"weights": self.trained, "moments": self.optimiser}

    def _fingerprint(self) -> str:
        return hashlib.sha256(repr(self.identity).encode()).hexdigest()
