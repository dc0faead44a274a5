"""Muon: momentum whose matrices are made orthogonal before each step, so that no direction is learned before the rest.

After Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", with the step size of Liu et al.
2025, "Muon is scalable for LLM training": it takes the rates and the weight decay that AdamW takes.
"""

import math
from collections import defaultdict

import torch
from torch import Tensor

NEWTON_SCHULZ_COEFFICIENTS = (
    3.4445,
    -4.775,
    2.0315,
)  # of Newton-Schulz: steep at zero, so that small singular values grow quickly
MUON_MOMENTUM = 0.95


class Muon(torch.optim.AdamW):
    """AdamW, but for the groups with "orthogonal": their parameters have two or more dimensions.

    A kernel (n_out, n_in, height, width) is stepped as the matrix (n_out, n_in * height * width).
    """

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure: the loss is computed once
        for group in self.param_groups:
            if group["orthogonal"]:
                self._step_orthogonal(group)
        super().step()  # passes over what has no gradient any more

    def _step_orthogonal(self, group: dict) -> None:
        alike = defaultdict(list)  # matrices of one shape are made orthogonal at once
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
            state |= {"step": torch.tensor(0.0), "momentum": torch.zeros_like(weight)}  # AdamW looks for a step
        state["step"] += 1
        momentum = state["momentum"].lerp_(gradient, 1 - MUON_MOMENTUM)
        return gradient.lerp(momentum, MUON_MOMENTUM)


def orthogonalise(matrices: Tensor, n_steps: int = 5) -> Tensor:
    """Matrices with all their singular values brought near one, shape = (n, n_rows, n_columns), in bf16.

    By Newton-Schulz iterations: matrix products only.
    """
    high = matrices.shape[1] > matrices.shape[2]
    x = matrices.bfloat16()
    x = x.mT if high else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    for _ in range(n_steps):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if high else x
