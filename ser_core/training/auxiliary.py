"""What a network is asked besides the emotion while it learns, so that its embedding holds more of the voice.

A linear layer on the embedding answers each side task (Caruana 1997, "Multitask learning"). These layers are thrown
away after training: the model that ships knows nothing of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class AuxiliaryTask:
    """Numbers that are known of some clips."""

    name: str
    values: Mapping[str, np.ndarray]
    """Clip id -> what is known of it, shape = (dim,); clips that are not in it are not asked."""
    distribution: bool = False
    """The values are probabilities (cross-entropy), not measures of unit variance (smooth L1)."""

    @property
    def dim(self) -> int:
        return len(next(iter(self.values.values())))


@dataclass
class AuxiliaryTargets:
    """Of one batch: values, shape = (B, dim), and how far each clip's are known, in [0, 1], shape = (B,)."""

    values: Tensor
    known: Tensor

    def mixed(self, order: Tensor, share: Tensor) -> "AuxiliaryTargets":
        """As mix_up does with clips: `share` of each clip, the rest of the one that `order` puts beside it."""
        own, other = share * self.known, (1 - share) * self.known[order]
        known = own + other
        values = own[:, None] * self.values + other[:, None] * self.values[order]
        return AuxiliaryTargets(values / known.clamp_min(1e-6)[:, None], known)


def auxiliary_targets(task: AuxiliaryTask, ids: Sequence[str], device: torch.device) -> AuxiliaryTargets:
    """What is known of these clips."""
    nothing = np.zeros(task.dim, np.float32)
    values = np.stack([task.values.get(clip, nothing) for clip in ids]).astype(np.float32)
    known = torch.tensor([float(clip in task.values) for clip in ids], device=device)
    return AuxiliaryTargets(torch.from_numpy(values).to(device), known)


def auxiliary_heads(tasks: Sequence[AuxiliaryTask], embedding_dim: int) -> nn.ModuleDict:
    """One linear layer for each task."""
    return nn.ModuleDict({task.name: nn.Linear(embedding_dim, task.dim) for task in tasks})


def auxiliary_loss(task: AuxiliaryTask, output: Tensor, targets: AuxiliaryTargets) -> Tensor:
    """Mean over the batch, where a clip of which nothing is known counts as solved.

    Args:
        output: of the task's layer, shape = (B, dim).
    """
    if task.distribution:
        each = F.cross_entropy(output.float(), targets.values, reduction="none")
    else:
        each = F.smooth_l1_loss(output.float(), targets.values, reduction="none").mean(1)
    return (each * targets.known).mean()
