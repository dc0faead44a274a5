"""What the methods share: the explained score, and the features of a window."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ser_core.audio import pad_batch
from ser_core.labels import label_index
from ser_core.models import SERModel

MASKING_N_FFT, MASKING_HOP_LENGTH = 512, 128  # of the short-time spectrum in which parts of a sound are masked


@dataclass(frozen=True)
class AttributionTarget:
    """The explained score: of an emotion or, with `instead_of`, the difference of two."""

    emotion: str
    instead_of: str | None = None

    def score(self, labels: Sequence[str], logits):
        """The logit of the emotion, or its difference from that of the other one.

        Args:
            logits: shape = (B, n_classes), numpy or torch.

        Returns:
            shape = (B,).

        Raises:
            ValueError: an emotion that is none of the labels.
        """
        score = logits[:, label_index(labels, self.emotion)]
        return score if self.instead_of is None else score - logits[:, label_index(labels, self.instead_of)]


def short_time_spectrum(waveform: np.ndarray) -> Tensor:
    """Complex, shape = (n_bins, n_frames)."""
    sound = torch.from_numpy(np.array(waveform, np.float32))
    return torch.stft(sound, **_stft_options(), pad_mode="constant", return_complex=True)


def masked_sound(spectrum: Tensor, weight: Tensor, n_samples: int) -> Tensor:
    """The sound of a spectrum weighted by a mask, (..., n_bins, n_frames), with its own phase: (..., n_samples)."""
    return torch.istft(spectrum * weight, **_stft_options(), length=n_samples)


def _stft_options() -> dict[str, Any]:
    return {"n_fft": MASKING_N_FFT, "hop_length": MASKING_HOP_LENGTH, "window": torch.hann_window(MASKING_N_FFT)}


def window_features(model: SERModel, waveform: np.ndarray) -> Tensor:
    """The features of one window, shape = (1, C, n_bands, n_frames)."""
    batch, _ = pad_batch([waveform])
    with torch.no_grad():
        return model.frontend(batch.to(model.device))


def target_score(model: SERModel, target: AttributionTarget, features: Tensor) -> Tensor:
    return target.score(model.config.labels, model.classify(model.encode(features)))
