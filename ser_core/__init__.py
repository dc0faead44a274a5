"""Speech emotion recognition: read a recording, ask a trained model, measure how far to trust it."""

import lazy_loader

from ser_core import threads  # noqa: F401 - before torch

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
