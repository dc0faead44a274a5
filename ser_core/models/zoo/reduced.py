"""Layers with float32 parameters that predict in fewer bits, on processors that have the instructions.

Int8Linear rounds weights and inputs to 8 bits with a scale for each row (vector-wise quantisation, Dettmers et al.
2022, "LLM.int8()"); the others round both to bfloat16, which keeps 8 significant bits of each value. Sums have 32 bits
in both. A frame is rounded by itself, so that its result depends on no other frame of its clip or batch, except that
the last bits of its input, which convolutions and attention compute otherwise in another batch, may decide a rounding.
"""

import logging
from functools import cached_property, lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAX_INT8 = 127
SMALLEST_SCALE = 1e-12  # of a row of zeros
INT8, BF16 = "8-bit dot products (VNNI)", "products of bfloat16 (AVX512_BF16)"

log = logging.getLogger(__name__)


class ReducedLayer(nn.Module):
    """Part of a layer that rounds without gradients, on a CPU; autocast and exports get all bits."""

    exact = False
    """Whether it always computes in float32."""
    instructions = BF16
    input_types: tuple[torch.dtype, ...] = (torch.float32, torch.bfloat16)

    def rounds(self, x: Tensor) -> bool:
        """Whether this input is rounded."""
        plain = x.device.type == "cpu" and x.dtype in self.input_types and not torch.is_autocast_enabled("cpu")
        wanted = plain and not self.exact and not torch.is_grad_enabled() and not torch.onnx.is_in_onnx_export()
        return wanted and self.instructions not in missing_instructions()

    def __getstate__(self) -> dict:
        """Without the rounded weights: a copy may get others."""
        return {name: value for name, value in self.__dict__.items() if name != "rounded"}

    def _load_from_state_dict(self, *args) -> None:
        self.__dict__.pop("rounded", None)
        super()._load_from_state_dict(*args)

    def _apply(self, fn, recurse: bool = True):
        """To another device or type."""
        self.__dict__.pop("rounded", None)
        return super()._apply(fn, recurse)


class Int8Linear(ReducedLayer, nn.Linear):
    """A linear layer that multiplies in 8 bits."""

    instructions = INT8
    input_types = (torch.float32,)

    def forward(self, x: Tensor, rounded: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(..., n_in) -> (..., n_out). rounded: quantise_rows of the rows of x, if several layers share them."""
        if not self.rounds(x):
            return super().forward(x)
        values, scale = rounded or quantise_rows(x.reshape(-1, self.in_features))
        weight, weight_scale = self.rounded
        y = torch._int_mm(values, weight).float().mul_(scale).mul_(weight_scale)
        return (y if self.bias is None else y.add_(self.bias)).view(*x.shape[:-1], self.out_features)

    @cached_property
    def rounded(self) -> tuple[Tensor, Tensor]:
        """The weight in 8 bits, transposed, and the scale of each output."""
        weight, scale = quantise_rows(self.weight)
        return weight.t().contiguous(), scale.t()


class Bf16Layer(ReducedLayer):
    """Part of a layer that multiplies in bfloat16, and returns that."""

    @cached_property
    def rounded(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias in bfloat16."""
        weight, bias = self._parameters["weight"], self._parameters["bias"]
        assert weight is not None
        return weight.bfloat16(), None if bias is None else bias.bfloat16()


class Bf16Linear(Bf16Layer, nn.Linear):
    """A linear layer in bfloat16."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., n_in) -> (..., n_out)."""
        return F.linear(x.bfloat16(), *self.rounded) if self.rounds(x) else super().forward(x)


class Bf16Conv1d(Bf16Layer, nn.Conv1d):
    """A convolution over time in bfloat16."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, n_frames) -> (B, n_out, ...)."""
        return self._conv_forward(x.bfloat16(), *self.rounded) if self.rounds(x) else super().forward(x)


def quantise_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """(n_rows, width) -> 8-bit integers of the same shape, and the scale of each row, shape = (n_rows, 1)."""
    scale = x.abs().amax(1, keepdim=True).clamp_min(SMALLEST_SCALE) / MAX_INT8
    return (x / scale).round_().to(torch.int8), scale


def project(x: Tensor, *layers: Int8Linear) -> list[Tensor]:
    """The outputs of several layers for one input, which is rounded once.

    Args:
        x: shape = (..., n_in).
    """
    if not all(layer.rounds(x) for layer in layers):
        return [layer(x) for layer in layers]
    rounded = quantise_rows(x.reshape(-1, x.shape[-1]))
    return [layer(x, rounded) for layer in layers]


def use_float32(module: nn.Module) -> None:
    """Makes every ReducedLayer inside the module compute in float32."""
    for layer in module.modules():
        if isinstance(layer, ReducedLayer):
            layer.exact = True


@lru_cache(maxsize=1)
def missing_instructions() -> frozenset[str]:
    """INT8 and BF16, as far as this processor lacks them; a warning says so once."""
    has = {INT8: torch.cpu._is_vnni_supported(), BF16: torch.cpu._is_avx512_bf16_supported()}
    missing = [name for name, found in has.items() if not found]
    if missing:
        log.warning("This processor has no %s: models compute in 32 bits, which takes longer.", ", no ".join(missing))
    return frozenset(missing)
