"""Auxiliary tasks: further targets of a network in training, so that its embedding keeps more of the voice.

A linear layer on the embedding predicts each auxiliary task (Caruana 1997, "Multitask learning"). These layers are
discarded after training; the exported model does not contain them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.audio import SAMPLE_RATE
from ser_core.data import AudioStore, read_listener_votes
from ser_core.models import EgemapsConfig, check_egemaps_installed
from ser_core.training.classifiers import cached_functionals
from ser_core.training.config import TrainConfig, TrainingError, TrainingExample

FUNCTIONALS_CLIP_STD = 3.0  # standard deviations: some functionals have long tails


@dataclass(frozen=True, eq=False)
class AuxiliaryTask:
    """Known values of some of the clips, to be predicted together with the emotion."""

    name: str
    values: Mapping[str, np.ndarray]
    """Clip id -> values, shape = (dim,); clips without values do not contribute to the loss."""
    distribution: bool = False
    """The values are probabilities (cross-entropy), not measures of unit variance (smooth L1)."""

    @property
    def dim(self) -> int:
        return len(next(iter(self.values.values())))


@dataclass
class AuxiliaryTargets:
    """Targets of one batch: values, shape = (B, dim), and the known share of each clip, in [0, 1], shape = (B,)."""

    values: Tensor
    known: Tensor

    def mixed(self, order: Tensor, share: Tensor) -> "AuxiliaryTargets":
        """Targets after mixup: `share` of each clip, the rest of its partner in `order`; each of shape (B,)."""
        own, other = share * self.known, (1 - share) * self.known[order]
        known = own + other
        values = own[:, None] * self.values + other[:, None] * self.values[order]
        return AuxiliaryTargets(values / known.clamp_min(1e-6)[:, None], known)


def auxiliary_targets(task: AuxiliaryTask, ids: Sequence[str], device: torch.device) -> AuxiliaryTargets:
    """Targets of some clips."""
    unknown = np.zeros(task.dim, np.float32)
    values = np.stack([task.values.get(clip, unknown) for clip in ids]).astype(np.float32)
    known = torch.tensor([float(clip in task.values) for clip in ids], device=device)
    return AuxiliaryTargets(torch.from_numpy(values).to(device), known)


def auxiliary_heads(tasks: Sequence[AuxiliaryTask], embedding_dim: int) -> nn.ModuleDict:
    """One linear layer for each task."""
    return nn.ModuleDict({task.name: nn.Linear(embedding_dim, task.dim) for task in tasks})


def auxiliary_loss(task: AuxiliaryTask, output: Tensor, targets: AuxiliaryTargets) -> Tensor:
    """Mean loss over the batch; a clip without values counts as zero.

    Args:
        output: of the task's layer, shape = (B, dim).
    """
    if task.distribution:
        each = F.cross_entropy(output.float(), targets.values, reduction="none")
    else:
        each = F.smooth_l1_loss(output.float(), targets.values, reduction="none").mean(1)
    return (each * targets.known).mean()


def build_auxiliary_tasks(
    config: TrainConfig,
    train: Sequence[TrainingExample],
    store: AudioStore,
    functionals_path: Path,
    corpora: Callable[[], Path],
    progress: Callable[[int], None] = lambda n_done: None,
) -> list[AuxiliaryTask]:
    """Auxiliary tasks of a recipe with their targets.

    Args:
        functionals_path: cache of the functionals, see cached_functionals.
        corpora: returns the corpora folder; called only if a task reads from it.
        progress: called with the number of clips whose functionals are available.

    Raises:
        CorpusError: a damaged file of votes.
        TrainingError: an unknown task, or one whose targets are not available.
    """
    builders = {
        "functionals": lambda: functionals_task(train, store, functionals_path, progress),
        "votes": lambda: votes_task(train, corpora()),
    }
    if unknown := config.side_tasks.keys() - builders.keys():
        raise TrainingError(f"Unknown auxiliary task {', '.join(sorted(unknown))}. There are: {', '.join(builders)}.")
    return [builders[name]() for name in config.side_tasks]


def votes_task(train: Sequence[TrainingExample], corpora: Path) -> AuxiliaryTask:
    """Share of the listeners' votes for each class, of CREMA-D's clips.

    Raises:
        TrainingError: the file of the votes is missing, or it has no votes for any of the clips.
    """
    votes = read_listener_votes(corpora)
    if votes is None:
        raise TrainingError("The auxiliary task of votes needs crema_d/voice_votes.csv in the corpora folder.")
    known = {clip.id: votes[clip.id] for clip in train if clip.id in votes}
    if not known:
        raise TrainingError(
            "The auxiliary task of votes has no target: crema_d/voice_votes.csv has votes for none of the training "
            "clips. Train without side_tasks.votes, or on a fold with clips of CREMA-D."
        )
    return AuxiliaryTask("votes", known, distribution=True)


def functionals_task(
    train: Sequence[TrainingExample],
    store: AudioStore,
    path: Path,
    progress: Callable[[int], None] = lambda n_done: None,
) -> AuxiliaryTask:
    """The 88 openSMILE functionals of each training clip: pitch, loudness, voice quality.

    Args:
        path, progress: see cached_functionals.

    Returns:
        Values of shape (88,) per clip, standardised over the training clips and clipped at FUNCTIONALS_CLIP_STD.

    Raises:
        TrainingError: opensmile is not installed.
    """
    try:
        check_egemaps_installed()
    except ImportError as error:
        raise TrainingError(f"The auxiliary task of functionals {error}") from None
    window = round(EgemapsConfig().window_s * SAMPLE_RATE)
    known = cached_functionals([clip.id for clip in train], window, store, path, progress)
    means = np.stack([known[clip.id].mean(0) for clip in train])
    standardised = (means - means.mean(0)) / np.maximum(means.std(0), 1e-6)
    clipped = standardised.clip(-FUNCTIONALS_CLIP_STD, FUNCTIONALS_CLIP_STD)
    return AuxiliaryTask("functionals", dict(zip((clip.id for clip in train), clipped, strict=True)))
