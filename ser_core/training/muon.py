"""Muon: momentum that is orthogonalised before each step, so that all directions are learned at the same rate.

After Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", with the step size of Liu et al.
2025, "Muon is scalable for LLM training": it uses the learning rates and the weight decay of AdamW.
Own code, since torch.optim.Muon refuses the four-dimensional kernels of convolutions.
"""

import math
from collections import defaultdict

import torch
from torch import Tensor

NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.775, 2.0315)  # steep at zero: small singular values grow quickly
N_NEWTON_SCHULZ_STEPS = 5
MUON_MOMENTUM = 0.95


class Muon(torch.optim.AdamW):
    """AdamW, with Muon updates for the groups with "orthogonal", whose parameters have two or more dimensions.

    A kernel (n_out, n_in, height, width) is updated as the matrix (n_out, n_in * height * width).
    """

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure: the loss is computed once
        for group in self.param_groups:
            if group["orthogonal"]:
                self._step_orthogonal(group)
        super().step()  # skips parameters without a gradient

    def _step_orthogonal(self, group: dict) -> None:
        alike = defaultdict(list)  # matrices of one shape are orthogonalised in one batch
        for weight in group["params"]:
            if weight.grad is not None:
                alike[len(weight), weight[0].numel()].append(weight)
        for (n_rows, n_columns), weights in alike.items():
            ahead = torch.stack([self._nesterov_gradient(weight, weight.grad).flatten(1) for weight in weights])
            for weight, update in zip(weights, orthogonalise(ahead), strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                size = -group["lr"] * 0.2 * math.sqrt(max(n_rows, n_columns))
                weight.add_(update.view_as(weight).to(weight.dtype), alpha=size)
                weight.grad = None

    def _nesterov_gradient(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """The gradient with Nesterov's momentum."""
        if not (state := self.state[weight]):
            state |= {"step": torch.tensor(0.0), "momentum": torch.zeros_like(weight)}  # AdamW expects a step
        state["step"] += 1
        momentum = state["momentum"].lerp_(gradient, 1 - MUON_MOMENTUM)
        return gradient.lerp(momentum, MUON_MOMENTUM)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Matrices with all singular values near one, shape = (n, n_rows, n_columns), in bf16.

    Newton-Schulz iterations, which need matrix products only.
    """
    high = matrices.shape[1] > matrices.shape[2]
    x = matrices.bfloat16()
    x = x.mT if high else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    for _ in range(N_NEWTON_SCHULZ_STEPS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if high else x
