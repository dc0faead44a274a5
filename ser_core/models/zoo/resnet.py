"""ResNet101 in its second form, with pre-activation (He et al. 2016), on a mel image.

The names of the weights are those of the `resnetv2_101` ImageNet files of the timm library, which give start weights.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.models.base import unpadded_lengths
from ser_core.models.zoo.layers import column_mask, dense_layers, halve_lengths, last_layer, mean_over_clip
from ser_core.models.zoo.vgg import ImageNetwork, ImageNetworkConfig, to_three_channels


@dataclass(frozen=True)
class ResNetConfig(ImageNetworkConfig):
    """Stages of bottleneck blocks; each stage after the first halves bands and frames."""

    n_blocks: tuple[int, ...] = (3, 4, 23, 3)
    channels: tuple[int, ...] = (256, 512, 1024, 2048)
    stem_channels: int = 64


class ProjectionShortcut(nn.Module):
    """The shortcut of a block that changes the shape."""

    def __init__(self, n_in: int, n_out: int, stride: int):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class BottleneckBlock(nn.Module):
    """Norm, ReLU, convolution, three times (1 x 1, 3 x 3, 1 x 1), with an identity shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int):
        super().__init__()
        width = n_out // 4
        self.stride = stride
        self.norm1, self.conv1 = nn.BatchNorm2d(n_in), nn.Conv2d(n_in, width, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(width), nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.norm3, self.conv3 = nn.BatchNorm2d(width), nn.Conv2d(width, n_out, 1, bias=False)
        nn.init.zeros_(self.conv3.weight)  # blocks start as identity: deep networks learn faster
        if stride > 1 or n_in != n_out:
            self.downsample = ProjectionShortcut(n_in, n_out, stride)

    def forward(self, x: Tensor, n_frames: Tensor) -> tuple[Tensor, Tensor]:
        active = _norm_relu(self.norm1, x, n_frames)
        if hasattr(self, "downsample"):
            x = self.downsample(active)
        active = _norm_relu(self.norm2, self.conv1(active), n_frames)
        n_frames = halve_lengths(n_frames) if self.stride == 2 else n_frames
        active = _norm_relu(self.norm3, self.conv2(active), n_frames)
        return x + self.conv3(active), n_frames


def _norm_relu(norm: nn.BatchNorm2d, x: Tensor, n_frames: Tensor) -> Tensor:
    """Norm and ReLU, with the padding set to zero before the next convolution."""
    return F.relu(norm(x)) * column_mask(x, n_frames)


class ResNetStage(nn.Module):
    """Some blocks, the first of which may halve bands and frames."""

    def __init__(self, n_in: int, n_out: int, n_blocks: int, stride: int):
        super().__init__()
        self.blocks = nn.ModuleList(
            BottleneckBlock(n_out if i else n_in, n_out, 1 if i else stride) for i in range(n_blocks)
        )

    def forward(self, x: Tensor, n_frames: Tensor) -> tuple[Tensor, Tensor]:
        for block in self.blocks:
            x, n_frames = block(x, n_frames)
        return x, n_frames


class ResNet(ImageNetwork):
    """See the module's docstring."""

    config: ResNetConfig

    def __init__(self, config: ResNetConfig):
        super().__init__(config)
        sizes = (config.stem_channels, *config.channels)
        self.stem = nn.ModuleDict({"conv": nn.Conv2d(3, config.stem_channels, 7, 2, padding=3, bias=False)})
        self.stages = nn.ModuleList(
            ResNetStage(n_in, n_out, n_blocks, 1 if i == 0 else 2)
            for i, (n_in, n_out, n_blocks) in enumerate(zip(sizes[:-1], config.channels, config.n_blocks, strict=True))
        )
        self.norm = nn.BatchNorm2d(config.channels[-1])
        self.embedding = dense_layers((config.channels[-1], *config.dense), config.dropout)
        self.head = last_layer(config.embedding_dim, len(config.labels), config.dropout)

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """See SERModel; the mean over the clip's own cells, then the dense layers."""
        n_frames = halve_lengths(unpadded_lengths(features) if n_frames is None else n_frames)
        x = self.stem["conv"](to_three_channels(features))
        x = F.max_pool2d(F.pad(x * column_mask(x, n_frames), (1, 1, 1, 1)), 3, 2)
        n_frames = halve_lengths(n_frames)
        for stage in self.stages:
            x, n_frames = stage(x, n_frames)
        return self.embedding(mean_over_clip(_norm_relu(self.norm, x, n_frames), n_frames))
