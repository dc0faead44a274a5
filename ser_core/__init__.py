"""Speech emotion recognition: read a recording, ask a trained model, measure how far to trust it."""

import sys

import lazy_loader

if sys.platform == "win32":  # file locks and the limits of decoders are those of Linux and macOS
    raise ImportError("ser_core runs on Linux and macOS. On Windows, use it in WSL 2 or Docker (docs/deployment.md).")

from ser_core import threads  # noqa: F401 - before torch

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
