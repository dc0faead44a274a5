"""Modules without random weights, for those that are filled from a file at once."""

from torch import Tensor
from torch.overrides import TorchFunctionMode

INITIALISERS = ("torch.nn.init", "transformers.initialization")
DRAWS = (Tensor.normal_, Tensor.uniform_)  # what torch.nn.init calls for some distributions


class NoInitialisation(TorchFunctionMode):
    """Within it, in this thread, torch.nn.init leaves tensors as they are.

    It saves most of the time to load a large model, and draws nothing from the random generator that all
    threads share: a training run beside it stays repeatable.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Returns the tensor where an initialisation is asked for, otherwise what `func` returns."""
        kwargs = kwargs or {}
        if func in DRAWS or getattr(func, "__module__", None) in INITIALISERS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
