"""Muon's steps: orthogonal, of the size that AdamW's have, and only where they are asked for."""

import numpy as np
import pytest
import torch
from torch import nn

from ser_core.training import muon
from ser_core.training.muon import Muon


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    return muon.orthogonalise(matrix[None])[0]


def test_all_singular_values_come_near_one(subtests):
    for shape in [(8, 8), (16, 200), (200, 16), (1, 30)]:
        with subtests.test(shape=shape):
            matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
            values = torch.linalg.svdvals(orthogonal(matrix).float())
            assert values.min() > 0.4 and values.max() < 1.4  # three decades of the spectrum end here
            assert orthogonal(matrix).shape == shape


def test_directions_stay():
    matrix = torch.randn((6, 40), generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    cosine = (orthogonal(matrix).float() * (u @ v)).sum() / (orthogonal(matrix).float().norm() * (u @ v).norm())
    assert cosine > 0.95


def test_the_size_of_the_gradient_does_not_matter():
    matrix = torch.randn((6, 40), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(orthogonal(matrix), orthogonal(1e-3 * matrix), rtol=0.1, atol=0.02)
    assert torch.equal(orthogonal(torch.zeros(3, 5)), torch.zeros(3, 5).bfloat16())


def test_matrices_do_not_change_each_other():
    matrices = torch.randn((3, 6, 40), generator=torch.Generator().manual_seed(0))
    for matrix, together in zip(matrices, muon.orthogonalise(matrices), strict=True):
        torch.testing.assert_close(orthogonal(matrix), together, rtol=0.05, atol=0.01)


def groups(kernel: nn.Parameter, bias: nn.Parameter, decay: float = 0.0) -> list[dict]:
    return [
        {"params": [kernel], "orthogonal": True, "weight_decay": decay},
        {"params": [bias], "orthogonal": False, "weight_decay": 0.0},
    ]


def test_a_kernel_is_stepped_as_a_matrix_and_the_rest_by_adamw():
    torch.manual_seed(0)
    kernel, bias, twin = nn.Parameter(torch.randn(8, 4, 3, 3)), nn.Parameter(torch.randn(8)), None
    twin = nn.Parameter(bias.detach().clone())
    before = kernel.detach().clone()
    optimiser, adam = Muon(groups(kernel, bias), lr=0.01), torch.optim.AdamW([twin], lr=0.01, weight_decay=0.0)
    kernel.grad, bias.grad = torch.randn(8, 4, 3, 3), torch.randn(8)
    twin.grad = bias.grad.clone()
    optimiser.step()
    adam.step()
    torch.testing.assert_close(bias, twin)
    step = (kernel.detach() - before).flatten(1)
    assert step.square().mean().sqrt() == pytest.approx(0.01 * 0.2, rel=0.2)  # the size of a step of AdamW
    values = torch.linalg.svdvals(step)
    assert values.max() / values.min() < 3


def test_the_second_step_looks_ahead_of_the_momentum():
    generator = torch.Generator().manual_seed(0)
    kernel, bias = nn.Parameter(torch.zeros(6, 6)), nn.Parameter(torch.zeros(6))
    optimiser = Muon(groups(kernel, bias), lr=0.1)
    first, second = torch.randn((2, 6, 6), generator=generator)
    for gradient in (first, second):
        before, kernel.grad = kernel.detach().clone(), gradient.clone()
        optimiser.step()
    momentum = 0.95 * 0.05 * first + 0.05 * second
    expected = orthogonal(0.05 * second + 0.95 * momentum).float()
    torch.testing.assert_close(before - kernel.detach(), 0.1 * 0.2 * 6**0.5 * expected, rtol=0.02, atol=2e-3)


def test_decay_pulls_towards_zero():
    kernel, bias = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4))
    optimiser = Muon(groups(kernel, bias, decay=0.5), lr=0.1)
    kernel.grad = torch.zeros(4, 4)
    optimiser.step()
    torch.testing.assert_close(kernel.detach(), torch.full((4, 4), 1 - 0.1 * 0.5))


def test_it_learns_and_its_state_can_be_taken_up_again():
    def run(n_first: int) -> np.ndarray:
        torch.manual_seed(0)
        kernel, bias = nn.Parameter(torch.zeros(5, 5)), nn.Parameter(torch.zeros(5))
        goal, optimiser = torch.randn(5, 5), Muon(groups(kernel, bias), lr=0.2)
        for i in range(100):
            if i == n_first:
                fresh = Muon(groups(kernel, bias), lr=0.2)
                fresh.load_state_dict(optimiser.state_dict())
                optimiser = fresh
            optimiser.zero_grad()
            loss = (kernel + bias - goal).square().sum()
            loss.backward()
            optimiser.step()
        assert loss < 1.0 < goal.square().sum()
        return kernel.detach().numpy()

    np.testing.assert_array_equal(run(n_first=-1), run(n_first=40))
