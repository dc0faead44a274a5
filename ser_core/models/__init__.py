"""The model zoo: waveform in, logits out, the embedding between them; checkpoints and exports."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
