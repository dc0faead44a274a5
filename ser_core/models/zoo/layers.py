"""Shared by the convolutional families: layers that keep the padding at zero, and start weights from a file."""

from functools import cached_property
from itertools import pairwise

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.audio import frame_mask
from ser_core.models.zoo.reduced import Bf16Layer


class FoldableConv(Bf16Layer, nn.Conv2d):
    """A convolution without bias that can take in the batch norm behind it, to predict with weights that stay.

    Both then multiply in bfloat16 where the processor does, and return that.
    """

    folded: tuple[Tensor, Tensor] | None = None
    """Weight and bias of both layers; used without gradients. Training drops it."""

    @torch.no_grad()
    def fold(self, norm: nn.BatchNorm2d) -> None:
        """Takes in a norm with running statistics."""
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        weight = (self.weight * scale[:, None, None, None]).contiguous(memory_format=torch.channels_last)
        self.folded = weight, norm.bias - norm.running_mean * scale
        self.__dict__.pop("rounded", None)

    @cached_property
    def rounded(self) -> tuple[Tensor, Tensor]:
        """The folded weight and bias in bfloat16."""
        assert self.folded is not None
        weight, bias = self.folded
        return weight.bfloat16(), bias.bfloat16()

    @property
    def is_folded(self) -> bool:
        """Whether the next call includes the norm."""
        return self.folded is not None and not torch.is_grad_enabled()

    def rounds(self, x: Tensor) -> bool:
        """Not where the stride leaves a single column: there PyTorch 2.13 returns memory that nobody has written."""
        return super().rounds(x) and x.shape[-1] > self.stride[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, n_bands, width) -> (B, n_out, ...)."""
        if self.folded is None or not self.is_folded:
            return super().forward(x)
        weight, bias = self.rounded if self.rounds(x) else self.folded
        return F.conv2d(x.to(weight.dtype), weight, bias, self.stride, self.padding)

    def train(self, mode: bool = True) -> "FoldableConv":
        self.folded = None if mode else self.folded
        return super().train(mode)

    def _apply(self, fn, recurse: bool = True):
        """Also to another device or type."""
        if self.folded is not None:
            self.folded = fn(self.folded[0]), fn(self.folded[1])
        return super()._apply(fn, recurse)


def fold_batch_norms(model: nn.Module) -> None:
    """Makes every MaskedConv of a model in eval mode predict with one layer instead of two."""
    for layer in model.modules():
        if isinstance(layer, MaskedConv):
            layer.conv.fold(layer.norm)


class MaskedConv(nn.Module):
    """Convolution and batch norm that keep the padding at zero, so that clips of a batch are independent."""

    def __init__(self, n_in: int, n_out: int, stride: tuple[int, int] = (1, 1), height: int = 3):
        super().__init__()
        self.conv = FoldableConv(n_in, n_out, (height, 3), stride, padding=(height // 2, 1), bias=False)
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """mask: see column_mask; None when no clip is padded."""
        x = self.conv(x) if self.conv.is_folded else self.norm(self.conv(x))
        return x if mask is None else x * mask.to(x.dtype)  # a float32 mask would promote all later layers to float32


def column_mask(x: Tensor, n_frames: Tensor, width: int | None = None) -> Tensor:
    """1 where a column of (B, C, n_bands, width) belongs to the clip, else 0; shape = (B, 1, 1, width)."""
    width = x.shape[-1] if width is None else width
    return frame_mask(n_frames, width)[:, None, None, :].to(x.dtype)


def halve_lengths(n_frames: Tensor) -> Tensor:
    """Number of columns after a stride of 2, rounded up."""
    return (n_frames + 1) // 2


def mean_over_clip(x: Tensor, n_frames: Tensor) -> Tensor:
    """Mean over bands and each clip's own columns: (B, C, n_bands, width) with zero padding -> (B, C)."""
    return x.float().sum((2, 3)) / (n_frames[:, None] * x.shape[2])


def dense_layers(sizes: tuple[int, ...], dropout: float) -> nn.Sequential:
    """Linear and ReLU for each step from one size to the next, dropout between them.

    Without batch norm: over small batches of vectors its statistics are noise, and VGG16 had not learned anything after
    500 steps. Weights as in He et al. 2015: with PyTorch's default, three such layers map all clips to the same point.
    """
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        linear = nn.Linear(n_in, n_out)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        layers += [linear, nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-1])


def last_layer(n_in: int, n_classes: int, dropout: float) -> nn.Sequential:
    """From embeddings to logits."""
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(n_in, n_classes))


def load_backbone(model: nn.Module, path: str, excluded_prefixes: tuple[str, ...]) -> None:
    """Loads every weight of a model from a safetensors file, except names that start with `excluded_prefixes`.

    Raises:
        ValueError: no such file, or weights that are missing or of another shape.
    """
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"Start weights {path} cannot be read as safetensors: {error!s:.80}") from None
    state = model.state_dict()
    for name in [
        name for name in state if not name.startswith(excluded_prefixes) and not name.endswith("num_batches_tracked")
    ]:
        if name not in found or found[name].shape != state[name].shape:
            has = tuple(found[name].shape) if name in found else "missing"
            raise ValueError(f"Start weights {path} do not fit: {name} is {has}, not {tuple(state[name].shape)}.")
        state[name] = found[name].to(torch.float32)
    model.load_state_dict(state)
