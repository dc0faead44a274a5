"""Speaker adaptation: a correction of the last layer from a few labelled clips of one speaker.

The correction is fitted by logistic regression with a penalty: with few clips it stays small. The reported accuracy is
by leave-one-out cross-validation.
"""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.models.base import SERModel

MIN_ADAPTATION_CLIPS, MAX_ADAPTATION_CLIPS = 3, 100
# On the squared correction, for embeddings of unit power: the best of 0.3 to 2 for development speakers with 3 to 30
# clips. Chosen by a speaker's own clips it was no better on their other clips, and the reported gain was nine points
# too high.
ADAPTER_L2_PENALTY = 0.5
MAX_LBFGS_STEPS = 50


class AdapterError(ValueError):
    """An adapter that cannot be fitted or used; the message names the cause and the cure."""


@dataclass(frozen=True, eq=False)
class Adapter:
    """The correction of a model's last layer."""

    model: str
    version: str
    weight: np.ndarray  # added to that of the last layer, (n_classes, embedding_dim)
    bias: np.ndarray  # (n_classes,)
    n_clips: int
    accuracy: float  # of the adapted model, by leave-one-out
    accuracy_before: float  # of the model without it, on the same clips

    def to_bytes(self) -> bytes:
        """The correction as safetensors, without audio or embeddings."""
        numbers = ("n_clips", "accuracy", "accuracy_before")
        metadata = {"model": self.model, "version": self.version} | {n: repr(getattr(self, n)) for n in numbers}
        return save({"weight": self.weight, "bias": self.bias}, metadata)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Adapter":
        """Inverse of to_bytes.

        Raises:
            AdapterError: a damaged or foreign file.
        """
        try:
            tensors = load(content)
            about = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
            weight, bias = tensors["weight"], tensors["bias"]
            accuracies = (float(about[name]) for name in ("accuracy", "accuracy_before"))
            found = cls(about["model"], about["version"], weight, bias, int(about["n_clips"]), *accuracies)
        except (SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise AdapterError(f"This is not an adapter of this program ({error!s:.60}).") from None
        if not found._is_valid():
            raise AdapterError("This adapter is damaged: its values are inconsistent.")
        return found

    def _is_valid(self) -> bool:
        """Whether fit_adapter may have returned these values."""
        layer = (self.weight, self.bias)
        return (
            self.weight.ndim == 2
            and self.bias.shape == self.weight.shape[:1]
            and all(values.dtype == np.float32 and np.isfinite(values).all() for values in layer)
            and MIN_ADAPTATION_CLIPS <= self.n_clips <= MAX_ADAPTATION_CLIPS
            and all(0 <= share <= 1 for share in (self.accuracy, self.accuracy_before))
        )


def last_layer(model: SERModel) -> nn.Linear:
    """The layer that turns an embedding into logits.

    Raises:
        AdapterError: the head of this model is not a single linear layer.
    """
    parts = model.head.modules() if isinstance(model.head, nn.Module) else ()
    layers = [layer for layer in parts if isinstance(layer, nn.Linear)]
    if len(layers) != 1:
        raise AdapterError(f"{model.name} has no linear last layer to adapt. Choose another model.")
    return layers[0]


def fit_adapter(model: SERModel, embeddings: np.ndarray, emotions: Sequence[str]) -> Adapter:
    """Fits an adapter to the clips of one speaker.

    Args:
        embeddings: of the clips, shape = (n_clips, embedding_dim).
        emotions: the label of each.

    Raises:
        AdapterError: too few or too many clips, not one of the model's emotions for each, or one emotion only;
            embeddings that are not finite or of another model.
    """
    _check_labels(model, len(embeddings), emotions)
    layer = last_layer(model)
    x = torch.from_numpy(np.asarray(embeddings, np.float32))
    if x.shape != (len(x), layer.in_features) or not x.isfinite().all():
        raise AdapterError(
            f"Embeddings of {model.name} are finite, of shape (n_clips, {layer.in_features}), not {tuple(x.shape)}. "
            "Compute them with this model."
        )
    y = torch.tensor([model.config.labels.index(emotion) for emotion in emotions])
    logits = x @ layer.weight.detach().T.float() + layer.bias.detach().float()
    weight, bias = _fit_correction(x, logits, y)
    return Adapter(
        model=model.name,
        version=model.version,
        weight=weight.numpy(),
        bias=bias.numpy(),
        n_clips=len(x),
        accuracy=_leave_one_out_accuracy(x, logits, y),
        accuracy_before=float((logits.argmax(1) == y).float().mean()),
    )


def _check_labels(model: SERModel, n_clips: int, emotions: Sequence[str]) -> None:
    if not MIN_ADAPTATION_CLIPS <= n_clips <= MAX_ADAPTATION_CLIPS:
        raise AdapterError(
            f"Clips so far: {n_clips}; from {MIN_ADAPTATION_CLIPS} to {MAX_ADAPTATION_CLIPS} are needed."
        )
    if len(set(emotions)) < 2:
        raise AdapterError(f"All clips are {emotions[0]}: clips of another emotion are needed too.")
    if len(emotions) != n_clips:
        raise AdapterError(f"{n_clips} clips with {len(emotions)} labels: give one for each.")
    if unknown := set(emotions) - set(model.config.labels):
        raise AdapterError(
            f"Unknown emotion {min(unknown)!r}. {model.name} has: {', '.join(model.config.labels)}. Use these words."
        )


def _leave_one_out_accuracy(x: Tensor, logits: Tensor, y: Tensor) -> float:
    right = 0
    for i in range(len(x)):
        others = torch.arange(len(x)) != i
        weight, bias = _fit_correction(x[others], logits[others], y[others])
        right += int((logits[i] + weight @ x[i] + bias).argmax() == y[i])
    return right / len(x)


def _fit_correction(x: Tensor, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The correction, by L-BFGS; on embeddings of unit power, so that one penalty suits all models."""
    scale = x.square().sum(1).mean().sqrt()
    weight = torch.zeros(logits.shape[1], x.shape[1], requires_grad=True)
    bias = torch.zeros(logits.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=MAX_LBFGS_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = F.cross_entropy(logits + (x / scale) @ weight.T + bias, y)
        found = found + ADAPTER_L2_PENALTY / len(x) * (weight.square().sum() + bias.square().sum())
        found.backward()
        return found

    with torch.enable_grad():
        optimiser.step(loss)
    return weight.detach() / scale, bias.detach()


def apply_adapter(model: SERModel, adapter: Adapter) -> SERModel:
    """A copy of the model with the correction in its last layer.

    Raises:
        AdapterError: the adapter is of another model or version, or the model is limited or enrolled already.
    """
    if model.is_derived:  # its logits come from the last layer of another model: the correction would have no effect
        raise AdapterError("Apply the adapter to the model from load_model, then limit_emotions or enrolled_model.")
    if (adapter.model, adapter.version) != (model.name, model.version):
        raise AdapterError(
            f"This adapter is for {adapter.model}, version {adapter.version}; {model.name} here is {model.version}. "
            "Train it again from your clips."
        )
    changed = copy.copy(model)
    changed.name = f"{model.name} + adapter"
    changed._modules = dict(model._modules)
    changed.head = copy.deepcopy(model.head)
    layer = last_layer(changed)
    if adapter.weight.shape != layer.weight.shape:  # one row would be added to all
        raise AdapterError(f"This adapter is damaged: it does not fit the last layer of {model.name}.")
    with torch.no_grad():
        layer.weight.add_(torch.from_numpy(adapter.weight).to(layer.weight))
        layer.bias.add_(torch.from_numpy(adapter.bias).to(layer.bias))
    return changed
