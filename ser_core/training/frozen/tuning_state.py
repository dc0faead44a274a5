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
        tensors = {f"weights.{name}": value for name, value in self.trained.state_dict().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"moments.{index}.{name}": value for name, value in moments.items()}
        metadata = {"epochs": str(n_epochs), "identity": self._fingerprint()}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with paths.atomic_path(self.path) as temporary:
                save_file({name: value.contiguous().clone() for name, value in tensors.items()}, temporary, metadata)
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
                    f"{self.path} is of other settings or recordings. Give the same ones, or train without --resume."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        weights = {name.removeprefix("weights."): v for name, v in tensors.items() if name.startswith("weights.")}
        self.trained.load_state_dict(weights)
        self._restore_moments(tensors)
        return int(metadata["epochs"])

    def _restore_moments(self, tensors: dict[str, torch.Tensor]) -> None:
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("moments."):
                _, index, name = key.split(".")
                moments.setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": moments})

    def _fingerprint(self) -> str:
        return hashlib.sha256(repr(self.identity).encode()).hexdigest()
