"""Late fusion: the weighted sum of the log probabilities of several models for the same window.

The members are checkpoints of their own; a fusion adds a factor for each. They err differently: on corpora left out of
training, a head on Whisper's frozen encoder and a small network over spectrograms are better together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ser_core.models.base import ModelConfig, SERModel, WaveformModel, Weight
from ser_core.models.ood import NoveltyDetector


@dataclass(frozen=True)
class FusionConfig(ModelConfig):
    """The members, by the names of their checkpoints, and the factors of their log probabilities."""

    window_s: float = 4.0
    members: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()  # of the members, as SERModel.version; a member of another version is refused
    factors: tuple[float, ...] = ()


class Fusion(WaveformModel):
    """See the module's docstring. Its embedding is those of the members, one after the other.

    Its out-of-distribution detector is that of the first member that has one, its emotion offsets are those of
    the members that have some.
    """

    takes_reference = True  # by the members that take one
    config: FusionConfig
    members: nn.ModuleList
    factors: Tensor

    def __init__(self, config: FusionConfig, members: Sequence[SERModel]):
        """
        Args:
            members: the models that the config names, in its order.

        Raises:
            ValueError: no member, or not one factor and version for each.
        """
        super().__init__(config)
        if not members or not len(config.members) == len(config.versions) == len(config.factors) == len(members):
            raise ValueError("A fusion needs members, and a version and a factor for each.")
        self.members = nn.ModuleList(members)
        self.register_buffer("factors", torch.tensor(config.factors))
        self.novelty, self.emotion_offsets = self._member_detector(), self._member_offsets()

    @property
    def sizes(self) -> list[int]:
        """Widths of the members' embeddings."""
        return [model.embedding_dim for model in self.models]

    @property
    def embedding_dim(self) -> int:
        return sum(self.sizes)

    @property
    def models(self) -> list[SERModel]:
        """The members, in the order of the config."""
        return list(self.members)  # type: ignore[arg-type]  # a ModuleList hides their type

    def _member_detector(self) -> NoveltyDetector | None:
        first = 0
        for model, size in zip(self.models, self.sizes, strict=True):
            if model.novelty:
                return model.novelty.for_part(first, self.embedding_dim)
            first += size
        return None

    def _member_offsets(self) -> np.ndarray | None:
        """Zeros for a member without offsets; None where no member has any."""
        known = [(model.emotion_offsets, size) for model, size in zip(self.models, self.sizes, strict=True)]
        if all(offsets is None for offsets, _ in known):
            return None
        n_classes = len(self.config.labels)
        return np.concatenate([np.zeros((n_classes, size), np.float32) if o is None else o for o, size in known], 1)

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> embeddings of the members, shape = (B, sum of sizes)."""
        return torch.cat([model.embed(features, n_frames) for model in self.models], 1)

    def head(self, embedding: Tensor) -> Tensor:  # of the members
        """(B, embedding_dim) -> logits, shape = (B, n_classes)."""
        return self.classify(embedding)

    def classify(self, embedding: Tensor, reference: Tensor | None = None, weight: Weight = 1.0) -> Tensor:
        """See SERModel; a reference is used by the members that take one."""
        own = embedding.split(self.sizes, 1)
        given = [None] * len(own) if reference is None else reference.split(self.sizes, -1)
        logits = (
            model.classify(part, known if model.takes_reference else None, weight)
            for model, part, known in zip(self.models, own, given, strict=True)
        )
        return torch.stack([f * x.log_softmax(1) for f, x in zip(self.factors, logits, strict=True)]).sum(0)

    def state_dict(self, *args, **kwargs) -> dict:  # type: ignore[override]  # the members keep their own weights
        """The factors alone."""
        return {"factors": self.factors}

    def load_state_dict(self, state_dict, strict: bool = True, assign: bool = False):
        """Inverse of state_dict."""
        if strict and state_dict.keys() != {"factors"}:
            raise RuntimeError(f"A fusion has factors only, this file holds {', '.join(sorted(state_dict))[:160]}.")
        self.factors.copy_(state_dict["factors"])
