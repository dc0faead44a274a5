"""Optimiser, learning-rate schedule and weight average of a training run."""

import math
from typing import cast

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ser_core.models import SERModel
from ser_core.training.config import TrainConfig
from ser_core.training.muon import Muon


def make_optimiser(model: SERModel, config: TrainConfig, auxiliary_heads: nn.Module | None = None) -> torch.optim.AdamW:
    """AdamW, or Muon if the config selects it, without decay on norms and biases; attention has its own learning rate.

    The "share" of a parameter group is its factor on the learning rate. Fused, which takes a fifth of the time of the
    loop over tensors.
    """
    attention = {p for m in model.modules() if isinstance(m, nn.MultiheadAttention) for p in m.parameters()}
    last = {*cast(nn.Module, model.head).parameters(), *(auxiliary_heads.parameters() if auxiliary_heads else ())}
    groups: dict[tuple, list[nn.Parameter]] = {}
    for p in (*model.parameters(), *(auxiliary_heads.parameters() if auxiliary_heads else ())):
        is_matrix = p.ndim > 1
        orthogonal = config.orthogonal and is_matrix and p not in last
        groups.setdefault((p in attention, is_matrix, orthogonal), []).append(p)
    return (Muon if config.orthogonal else torch.optim.AdamW)(
        [
            {
                "params": parameters,
                "share": config.attention_rate if is_attention else 1.0,
                "weight_decay": config.weight_decay if is_matrix else 0.0,
                "orthogonal": orthogonal,
            }
            for (is_attention, is_matrix, orthogonal), parameters in groups.items()
        ],
        lr=config.learning_rate,
        fused=True,
    )


def learning_rate(step: int, n_steps: int, config: TrainConfig) -> float:
    """Learning rate of a step: linear warm-up, then a cosine decay to zero."""
    warmup = max(1, round(config.warmup_share * n_steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, n_steps - warmup)))


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, step: int, decay: float) -> None:
    """Moves the exponential average of the weights towards the model after a step; counters are copied."""
    decay = min(decay, (1 + step) / (10 + step))  # the first weights are noise: forget them quickly
    pairs = list(zip(average.state_dict().values(), model.state_dict().values(), strict=True))
    kept, new = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
    get_ema_multi_avg_fn(decay)(kept, new, None)
    for kept_count, new_count in (pair for pair in pairs if not pair[0].is_floating_point()):
        kept_count.copy_(new_count)
