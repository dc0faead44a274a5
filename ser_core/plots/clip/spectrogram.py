"""Spectrogram and envelope of a waveform; arrays as images in the colours of magma."""

import io
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from plotly.colors import sample_colorscale, unlabel_rgb
from torch.nn import functional as F

from ser_core.audio import FrontendConfig, LogMel, hz_to_mel

MAX_IMAGE_COLUMNS = 1200  # enough for a wide screen; longer recordings are averaged
MAX_FRAMES_PER_COLUMN = 8  # bounds the computation for an hour to that for a minute
MIN_HOP_LENGTH = 64  # samples; finer frames would be redundant
SPECTROGRAM_FRONTEND = FrontendConfig(n_fft=1024, win_length=1024, n_mels=96, top_db=70.0)  # 64 ms resolve harmonics
MIN_CEILING_DB = -20.0  # silence stays black instead of showing rounding noise
FREQUENCY_TICKS_HZ = (250, 1000, 2000, 4000)


@dataclass(frozen=True)
class Spectrogram:
    """Mel spectrogram as an image whose width is the full recording."""

    png: bytes
    frequency_ticks: tuple[tuple[int, float], ...]
    """Ticks of the frequency axis: (frequency in Hz, position in 0..1 from the bottom)."""


def spectrogram(waveform: np.ndarray, n_columns: int = MAX_IMAGE_COLUMNS) -> Spectrogram:
    """Mel spectrogram of a 16 kHz waveform in the colours of magma.

    Args:
        waveform: shape = (n_samples,); the hop grows with the duration, so the computation is bounded.
        n_columns: maximum width in pixels.
    """
    hop = max(MIN_HOP_LENGTH, len(waveform) // (n_columns * MAX_FRAMES_PER_COLUMN))
    config = replace(SPECTROGRAM_FRONTEND, hop_length=hop)
    with torch.inference_mode():
        frames_db = LogMel(config).decibels(torch.from_numpy(waveform)[None])
        level_db = F.adaptive_avg_pool1d(frames_db, min(n_columns, frames_db.shape[-1]))[0].numpy()
    ceiling_db = max(float(level_db.max()), MIN_CEILING_DB)
    above_floor = 1 + (level_db - ceiling_db) / config.top_db
    nyquist = hz_to_mel(config.fmax)
    ticks = tuple((hertz, float(hz_to_mel(hertz) / nyquist)) for hertz in FREQUENCY_TICKS_HZ)
    return Spectrogram(magma_png(above_floor[::-1]), ticks)


def magma_png(values: np.ndarray) -> bytes:
    """Values in 0..1, shape = (height, width), as a PNG in the colours of magma."""
    image = Image.fromarray(np.round(np.clip(values, 0, 1) * 255).astype(np.uint8))
    image.putpalette([channel for colour in magma_colours() for channel in colour])
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def magma_colours() -> list[tuple[int, int, int]]:
    """The 256 colours of magma, (red, green, blue) in 0..255, from dark to bright."""
    colours = sample_colorscale("Magma", np.linspace(0, 1, 256).tolist())
    return [tuple(round(channel) for channel in unlabel_rgb(colour)) for colour in colours]


def waveform_envelope(waveform: np.ndarray, n_columns: int = MAX_IMAGE_COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """Minimum and maximum of each of n_columns equal intervals.

    Args:
        waveform: shape = (n_samples,), not empty.

    Returns:
        (low, high), each of shape (min(n_columns, n_samples),).
    """
    starts = np.linspace(0, len(waveform), min(n_columns, len(waveform)), endpoint=False).astype(int)
    return np.minimum.reduceat(waveform, starts), np.maximum.reduceat(waveform, starts)


def features_png(bands: np.ndarray) -> bytes:
    """Front-end features as a PNG: low bands at the bottom, clipped to the 1st and 99th percentile.

    Args:
        bands: shape = (n_bands, n_frames).
    """
    low, high = np.quantile(bands, [0.01, 0.99])
    return magma_png((bands[::-1] - low) / max(float(high - low), 1e-6))
