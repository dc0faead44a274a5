"""What tuning adds to the matrices of a shared encoder, as factors of low rank (LoRA, Hu et al. 2021)."""

from collections.abc import Mapping

import torch
from torch import Tensor


def split_updates(tuned: Mapping[str, Tensor], base: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """Factors of what tuning added to matrices.

    Args:
        tuned: name -> matrix, shape = (n_out, n_in); the difference from `base` is of this rank.

    Returns:
        `<name>.up`, shape = (n_out, rank), and `<name>.down`, shape = (rank, n_in), of each matrix of `base`.
    """
    factors: dict[str, Tensor] = {}
    for name, matrix in base.items():
        left, sizes, right = torch.linalg.svd(tuned[name].cpu() - matrix, full_matrices=False)
        root = sizes[:rank].sqrt()
        factors |= {f"{name}.up": left[:, :rank] * root, f"{name}.down": root[:, None] * right[:rank]}
    return factors


def join_updates(saved: Mapping[str, Tensor], base: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """Inverse of split_updates; what is saved beside the factors stays as it is.

    Raises:
        ValueError: missing factors, or factors of another shape.
    """
    joined = dict(saved)
    for name, matrix in base.items():
        shapes = {f"{name}.up": (len(matrix), rank), f"{name}.down": (rank, matrix.shape[1])}
        if wrong := [factor for factor, shape in shapes.items() if factor not in saved or saved[factor].shape != shape]:
            raise ValueError(f"{wrong[0]} is missing or of another shape than {shapes[wrong[0]]}")
        up, down = (joined.pop(factor).float() for factor in shapes)
        joined[name] = matrix + up @ down
    return joined
