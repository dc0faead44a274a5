"""Reading of ESC-50's sounds."""

from pathlib import Path

import numpy as np

from ser_core.audio import AudioError, load_audio
from ser_core.data import CorpusError


def load_noise(path: Path) -> np.ndarray:
    """The waveform, shape = (n_samples,).

    Raises:
        CorpusError: it cannot be read; the message names it, one of two thousand.
    """
    try:
        return load_audio(path)
    except AudioError as error:
        raise CorpusError(f"{path}: {error}") from None
