"""ResoNet: a residual CNN, a bidirectional GRU and multi-head self-attention over log-mel frames.

After the architecture of "ResoNet: A Synergistic Deep Learning Architecture for Robust Cross-Corpus Speech Emotion
Recognition". Differences: stages begin with a strided convolution instead of pooling, the bands are averaged before the
GRU instead of flattened and projected (the loss fell faster in the first hundred steps), the GRU and the attention have
residual connections, and every layer respects the true length of a padded clip.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser_core.audio import frame_mask
from ser_core.models.base import ModelConfig, SpectrogramModel, Weight
from ser_core.models.errors import first_line
from ser_core.models.zoo.layers import MaskedConv, column_mask, last_layer
from ser_core.models.zoo.reduced import use_float32


@dataclass(frozen=True)
class ResoNetConfig(ModelConfig):
    """Layer sizes; each stage halves the bands, and the frames too where `halve_time` is set.

    The sequence layers are as wide as the last stage; the GRU has half of that in each direction.
    """

    channels: tuple[int, ...] = (32, 64, 128, 256)
    halve_time: tuple[bool, ...] = (True, True, True, False)
    bands_in_one: int = 2  # stride over bands of the first stage
    n_heads: int = 4
    embedding_dim: int = 256
    dropout: float = 0.3  # before the last layer
    residual_blocks: bool = True  # these three are for ablations
    recurrent: bool = True
    attention: bool = True


class ResoNetStage(nn.Module):
    """A strided convolution, then one residual block: (B, n_in, n_mels, n_frames) -> half of both.

    bands_in_one: stride over bands; the height of the first kernel covers all of them.
    """

    def __init__(self, n_in: int, n_out: int, halve_time: bool, residual: bool, bands_in_one: int):
        super().__init__()
        self.time_step = 2 if halve_time else 1
        self.residual = residual
        self.enter = MaskedConv(n_in, n_out, (bands_in_one, self.time_step), height=2 * bands_in_one - 1)
        if residual:
            self.first = MaskedConv(n_out, n_out)
            self.second = MaskedConv(n_out, n_out)

    def forward(self, x: Tensor, n_frames: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """n_frames: true lengths, shape = (B,); None when no clip is padded."""
        mask = None
        if n_frames is not None:
            n_frames = (n_frames + self.time_step - 1) // self.time_step
            width = (x.shape[-1] + self.time_step - 1) // self.time_step
            mask = column_mask(x, n_frames, width)
        x = F.relu(self.enter(x, mask))
        if not self.residual:
            return x, n_frames
        return F.relu(x + self.second(F.relu(self.first(x, mask)), mask)), n_frames


class ResoNet(SpectrogramModel):
    """See the module's docstring.

    With a reference, logits are relative to those of the speaker's mean embedding, which shows how the network takes
    the voice and the room of this speaker; no training is needed for it, because the last layer is linear.
    """

    takes_reference = True
    config: ResoNetConfig

    def __init__(self, config: ResoNetConfig):
        super().__init__(config)
        sizes = (config.frontend.n_channels, *config.channels)
        self.stages = nn.ModuleList(
            ResoNetStage(n_in, n_out, halve_time, config.residual_blocks, 2 if index else config.bands_in_one)
            for index, (n_in, n_out, halve_time) in enumerate(
                zip(sizes[:-1], config.channels, config.halve_time, strict=True)
            )
        )
        if not config.residual_blocks:
            use_float32(self)  # roundings of plain convolutions add up: SAVEE lost two points
        width = config.channels[-1]
        if config.recurrent:
            self.gru = nn.GRU(width, width // 2, bidirectional=True, batch_first=True)
        if config.attention:
            self.norm = nn.LayerNorm(width)
            self.attention = nn.MultiheadAttention(width, config.n_heads, batch_first=True)
            nn.init.zeros_(self.attention.out_proj.weight)  # starts at zero; a random sum of frames slowed training
        self.embedding = nn.Sequential(
            nn.Linear(2 * width, config.embedding_dim), nn.BatchNorm1d(config.embedding_dim), nn.ReLU()
        )
        self.head = last_layer(config.embedding_dim, len(config.labels), config.dropout)

    @classmethod
    def from_pretrained_weights(cls, config: ResoNetConfig, start: str) -> "ResoNet":  # type: ignore[override]  # own config
        """A model with the weights of another one of the same config.

        Args:
            start: folder of a checkpoint of this program.

        Raises:
            ValueError: no such folder, or weights of another model.
        """
        model = cls(config)
        try:
            model.load_weights(Path(start) / cls.weights_file)
        except (OSError, RuntimeError, SafetensorError) as error:
            raise ValueError(f"{start} is no {cls.__name__} of this size: {first_line(error)}") from None
        return model

    def classify(self, embedding: Tensor, reference: Tensor | None = None, weight: Weight = 1.0) -> Tensor:
        """See SERModel."""
        logits = self.head(embedding)
        return logits if reference is None else logits - weight * self.head(reference)

    def encode_sequence(self, features: Tensor, n_frames: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The sequence before pooling: shape = (B, n_steps, channels[-1]), and each clip's true number of steps.

        Args:
            features: shape = (B, C, n_mels, n_frames).
            n_frames: true lengths, shape = (B,); None when none is padded: then the numbers of steps are None too.
        """
        x = features.contiguous(memory_format=torch.channels_last)
        for stage in self.stages:
            x, n_frames = stage(x, n_frames)
        x = x.float().mean(2).transpose(1, 2)  # convolutions may have returned bfloat16
        return (x + self._recurrent(x, n_frames) if self.config.recurrent else x), n_frames

    def _recurrent(self, x: Tensor, n_steps: Tensor | None) -> Tensor:
        """The GRU in both directions, shape = (B, n_steps, channels[-1]); zero behind the end of shorter clips."""
        if n_steps is None:
            return self.gru(x)[0]
        packed = pack_padded_sequence(x, n_steps.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])[0]

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """See SERModel; mean and maximum over the clip's own frames after attention."""
        x, n_steps = self.encode_sequence(features, n_frames)
        outside = None if n_steps is None else ~frame_mask(n_steps, x.shape[1])
        if self.config.attention:
            normed = self.norm(x)
            x = x + self.attention(normed, normed, normed, key_padding_mask=outside, need_weights=False)[0]
        return self.embedding(_mean_and_peak(x.float(), n_steps, outside))


def _mean_and_peak(x: Tensor, n_steps: Tensor | None, outside: Tensor | None) -> Tensor:
    """Over each clip's own steps: (B, n_steps, width) -> (B, 2 * width). outside: True in the padding."""
    if n_steps is None or outside is None:
        return torch.cat([x.mean(1), x.amax(1)], dim=1)
    mean = x.masked_fill(outside[..., None], 0.0).sum(1) / n_steps[:, None]
    return torch.cat([mean, x.masked_fill(outside[..., None], -torch.inf).amax(1)], dim=1)
