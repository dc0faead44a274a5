"""Linear layers that multiply in 8 bits to predict, on processors that have the instructions.

Weights and inputs are rounded to 8 bits with a scale for each row (vector-wise quantisation, Dettmers et al. 2022,
"LLM.int8()"). A frame has its own scale, so that its result depends on no other frame of its clip or batch, except that
the last bits of its input, which convolutions and attention compute otherwise in another batch, may decide a rounding.
"""

import logging
from collections.abc import Container
from functools import cached_property, lru_cache

import torch
from torch import Tensor, nn

MAX_INT8 = 127
SMALLEST_SCALE = 1e-12  # of a row of zeros

log = logging.getLogger(__name__)


class Int8Linear(nn.Linear):
    """A linear layer with float32 parameters; without gradients, on a CPU, it multiplies in 8 bits."""

    exact = False
    """Whether it always computes in float32."""

    @classmethod
    def from_linear(cls, linear: nn.Linear) -> "Int8Linear":
        """The same layer: the parameters are shared."""
        layer = cls(linear.in_features, linear.out_features, linear.bias is not None, device="meta")
        layer.weight, layer.bias = linear.weight, linear.bias
        return layer

    def forward(self, x: Tensor, rounded: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(..., n_in) -> (..., n_out). rounded: quantise_rows of the rows of x, if several layers share them."""
        if not self.rounds(x):
            return super().forward(x)
        values, scale = rounded or quantise_rows(x.reshape(-1, self.in_features))
        weight, weight_scale = self._int8_weight
        y = torch._int_mm(values, weight).float() * scale * weight_scale
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], self.out_features)

    def rounds(self, x: Tensor) -> bool:
        """Whether this input is multiplied in 8 bits."""
        return not self.exact and not torch.is_grad_enabled() and _is_supported(x)

    @cached_property
    def _int8_weight(self) -> tuple[Tensor, Tensor]:
        weight, scale = quantise_rows(self.weight)
        return weight.t().contiguous(), scale.t()

    def __getstate__(self) -> dict:
        """Without the rounded weight: a copy may get other weights."""
        return {name: value for name, value in self.__dict__.items() if name != "_int8_weight"}

    def _load_from_state_dict(self, *args) -> None:
        self.__dict__.pop("_int8_weight", None)
        super()._load_from_state_dict(*args)


def quantise_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """(n_rows, width) -> 8-bit integers of the same shape, and the scale of each row, shape = (n_rows, 1)."""
    scale = x.abs().amax(1, keepdim=True).clamp_min(SMALLEST_SCALE) / MAX_INT8
    return (x / scale).round_().to(torch.int8), scale


def project(x: Tensor, *layers: nn.Linear) -> list[Tensor]:
    """The outputs of several layers for one input, which is rounded once.

    Args:
        x: shape = (..., n_in).
    """
    if not all(isinstance(layer, Int8Linear) and layer.rounds(x) for layer in layers):
        return [layer(x) for layer in layers]
    rounded = quantise_rows(x.reshape(-1, x.shape[-1]))
    return [layer(x, rounded) for layer in layers]


def use_int8(module: nn.Module, names: Container[str]) -> None:
    """Makes the linear layers of these names, anywhere inside the module, an Int8Linear each."""
    for parent in module.modules():
        for name, child in parent.named_children():
            if name in names and isinstance(child, nn.Linear):
                setattr(parent, name, Int8Linear.from_linear(child))


def use_float32(module: nn.Module) -> None:
    """Makes every Int8Linear inside the module compute in float32."""
    for layer in module.modules():
        if isinstance(layer, Int8Linear):
            layer.exact = True


def _is_supported(x: Tensor) -> bool:
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return plain and not torch.onnx.is_in_onnx_export() and _has_int8_instructions()


@lru_cache(maxsize=1)
def _has_int8_instructions() -> bool:
    if torch.cpu._is_vnni_supported():
        return True
    log.warning("This processor has no 8-bit dot products (VNNI): the encoder computes in 32 bits, which takes longer.")
    return False
