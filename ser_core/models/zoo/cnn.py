"""The small networks of the published comparison: a plain CNN, and the same kind with an LSTM over its frames."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser_core.models.base import ModelConfig, SpectrogramModel, unpadded_lengths
from ser_core.models.zoo.layers import MaskedConv, column_mask, dense_layers, halve_lengths, last_layer, mean_over_clip
from ser_core.models.zoo.reduced import use_float32


@dataclass(frozen=True)
class CNNConfig(ModelConfig):
    """Convolutions of 3 x 3, each followed by batch norm, ReLU and a pooling of 2 x 2."""

    channels: tuple[int, ...] = (32, 64, 128)
    lstm_units: int = 0  # 0: no LSTM, the mean over the clip instead
    embedding_dim: int = 128
    dropout: float = 0.3


class CNN(SpectrogramModel):
    """See the module's docstring."""

    config: CNNConfig

    def __init__(self, config: CNNConfig):
        super().__init__(config)
        sizes = (config.frontend.n_channels, *config.channels)
        self.convolutions = nn.ModuleList(
            MaskedConv(n_in, n_out) for n_in, n_out in zip(sizes[:-1], config.channels, strict=True)
        )
        use_float32(self)  # without residual paths roundings add up, and these layers are small
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        if config.lstm_units:
            self.lstm = nn.LSTM(config.channels[-1], config.lstm_units, batch_first=True)
        self.embedding = dense_layers((config.lstm_units or config.channels[-1], config.embedding_dim), config.dropout)
        self.head = last_layer(config.embedding_dim, len(config.labels), config.dropout)

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """See SERModel; the LSTM's state after each clip's own last frame, or the mean over its frames."""
        n_frames = unpadded_lengths(features) if n_frames is None else n_frames
        x = features.contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions:
            x = self.pool(F.relu(convolution(x, column_mask(x, n_frames))))
            n_frames = halve_lengths(n_frames)
        if not self.config.lstm_units:
            return self.embedding(mean_over_clip(x, n_frames))
        steps = x.mean(2).transpose(1, 2)
        packed = pack_padded_sequence(steps, n_frames.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        last = (n_frames - 1)[:, None, None].expand(-1, 1, states.shape[2])
        return self.embedding(states.gather(1, last)[:, 0])
