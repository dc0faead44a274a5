"""Networks and optimisers as the tensors of one file, to continue from."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

Parts = Mapping[str, nn.Module | torch.optim.Optimizer]
"""Name -> a network, of which the weights are kept, or an optimiser, of which the moments."""


def collect_tensors(parts: Parts) -> dict[str, Tensor]:
    """Copies of all tensors, as `<part>.<name>`; of an optimiser `<part>.<index of the parameter>.<name>`."""
    found = {f"{part}.{name}": value for part, source in parts.items() for name, value in _tensors(source).items()}
    return {name: value.contiguous().clone() for name, value in found.items()}


def _tensors(source: nn.Module | torch.optim.Optimizer) -> dict[str, Tensor]:
    if isinstance(source, nn.Module):
        return source.state_dict()
    moments = source.state_dict()["state"]
    return {f"{index}.{name}": value for index, own in moments.items() for name, value in own.items()}


def load_tensors(parts: Parts, file: Any) -> None:
    """Inverse of collect_tensors, in place, from a file that is open by safe_open."""
    names = [*file.keys()]
    for part, source in parts.items():
        own = {n.removeprefix(f"{part}."): file.get_tensor(n) for n in names if n.startswith(f"{part}.")}
        if isinstance(source, nn.Module):
            source.load_state_dict(own)
            continue
        moments: dict[int, dict[str, Tensor]] = defaultdict(dict)
        for key, value in own.items():
            index, name = key.split(".")
            moments[int(index)][name] = value
        source.load_state_dict(source.state_dict() | {"state": dict(moments)})
