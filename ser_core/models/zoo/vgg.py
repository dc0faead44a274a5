"""VGG16 and VGG19 (Simonyan & Zisserman 2015) on a mel image, with the dense layers of the published comparison.

With batch norm, without which a plain network of this depth does not learn from a few thousand clips. The names of the
convolutions are those of the usual ImageNet files ("features.0.weight", ...): the file of a `vgg16_bn` or `vgg19_bn`
gives start weights.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ser_core.audio import FrontendConfig
from ser_core.models.base import ModelConfig, SpectrogramModel, unpadded_lengths
from ser_core.models.zoo.layers import (
    column_mask,
    dense_layers,
    halve_lengths,
    last_layer,
    load_backbone,
    mean_over_clip,
)

IMAGE_NETWORK_FRONTEND = FrontendConfig(n_fft=1024, win_length=1024, hop_length=768, n_mels=64)
"""Three seconds as an image of 64 bands and 63 frames."""


@dataclass(frozen=True)
class ImageNetworkConfig(ModelConfig):
    """What networks for images share: their input, and the dense layers after the convolutions."""

    window_s: float = 3.0
    frontend: FrontendConfig = field(default_factory=lambda: IMAGE_NETWORK_FRONTEND)
    dense: tuple[int, ...] = (512, 512, 256)
    dropout: float = 0.2

    @property
    def embedding_dim(self) -> int:
        return self.dense[-1]


@dataclass(frozen=True)
class VGGConfig(ImageNetworkConfig):
    """Blocks of convolutions of 3 x 3, each block followed by a pooling of 2 x 2."""

    n_convolutions: tuple[int, ...] = (2, 2, 3, 3, 3)
    channels: tuple[int, ...] = (64, 128, 256, 512, 512)


class ImageNetwork(SpectrogramModel):
    """A network for images with dense layers `embedding` and `head`, which start weights never give."""

    @classmethod
    def from_pretrained_weights(cls, config: ModelConfig, start: str) -> "ImageNetwork":
        """See SERModel; `start` is a safetensors file with ImageNet weights, or of a model trained here."""
        model = cls(config)
        load_backbone(model, start, excluded_prefixes=("embedding.", "head."))
        return model


class VGG(ImageNetwork):
    """See the module's docstring."""

    config: VGGConfig

    def __init__(self, config: VGGConfig):
        super().__init__(config)
        self.features = nn.ModuleList(_convolution_layers(config))
        self.embedding = dense_layers((config.channels[-1], *config.dense), config.dropout)
        self.head = last_layer(config.embedding_dim, len(config.labels), config.dropout)

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """See SERModel; the mean over the clip's own cells, then the dense layers."""
        n_frames = unpadded_lengths(features) if n_frames is None else n_frames
        x = to_three_channels(features)
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                n_frames = halve_lengths(n_frames)
            elif isinstance(layer, nn.BatchNorm2d):
                x = x * column_mask(x, n_frames)
        return self.embedding(mean_over_clip(x, n_frames))


def to_three_channels(features: Tensor) -> Tensor:
    """One channel repeated three times, the input of image networks: shape = (B, 3, n_bands, n_frames)."""
    if features.shape[1] == 1:
        features = features.expand(-1, 3, -1, -1)
    return features.contiguous(memory_format=torch.channels_last)


def _convolution_layers(config: VGGConfig) -> list[nn.Module]:
    layers: list[nn.Module] = []
    n_in = 3
    for n_convolutions, n_out in zip(config.n_convolutions, config.channels, strict=True):
        for _ in range(n_convolutions):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()]
            n_in = n_out
        layers.append(nn.MaxPool2d(2, ceil_mode=True))  # an odd last column of a clip is pooled alone
    return layers
