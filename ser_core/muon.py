"""Muon: momentum whose matrices are made orthogonal before each step, so that no direction is learned before the rest.

After Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", with the step size of Liu et al.
2025, "Muon is scalable for LLM training": it takes the rates and the weight decay that AdamW takes.
"""

import math

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.775, 2.0315)  # of Newton-Schulz: steep at zero, so that small singular values grow quickly
MOMENTUM = 0.95


class Muon(torch.optim.AdamW):
    """AdamW, but for the groups with "orthogonal": their parameters have two or more dimensions.

    A kernel (n_out, n_in, height, width) is stepped as the matrix (n_out, n_in * height * width).
    """

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            if group["orthogonal"]:
                self._step_orthogonal(group)
        super().step()  # passes over what has no gradient any more

    def _step_orthogonal(self, group: dict) -> None:
        for weight in group["params"]:
            if weight.grad is None:
                continue
            if not (state := self.state[weight]):
                state |= {"step": torch.tensor(0.0), "momentum": torch.zeros_like(weight)}  # AdamW looks for a step
            state["step"] += 1
            momentum = state["momentum"]
            momentum.lerp_(weight.grad, 1 - MOMENTUM)
            ahead = weight.grad.lerp(momentum, MOMENTUM)  # Nesterov's
            update = orthogonal(ahead.flatten(1)).view_as(weight).to(weight.dtype)
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(update, alpha=-group["lr"] * 0.2 * math.sqrt(max(len(weight), weight[0].numel())))
            weight.grad = None


def orthogonal(matrix: Tensor, n_steps: int = 5) -> Tensor:
    """The matrix with all its singular values brought near one, shape = (n_rows, n_columns), in bf16.

    By Newton-Schulz iterations: matrix products only.
    """
    x = matrix.bfloat16()
    x = x.T if len(matrix) > matrix.shape[1] else x
    x = x / (x.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(n_steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if len(matrix) > matrix.shape[1] else x
