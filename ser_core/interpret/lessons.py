"""The computations of the page "Learn": front ends, feature maps of a network, and the circumplex of emotions.

Waveforms are short excerpts at 16 kHz, shape = (n_samples,).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.fft import dct, idct

from ser_core.audio import SAMPLE_RATE, FrontendConfig, LogMel, mel_frequencies, window_starts
from ser_core.data import protocol_split, read_protocol
from ser_core.labels import EMOTIONS
from ser_core.models import ResoNet, SERModel

LESSON_N_FFT = 2048  # samples: the longest window, and no mel band between two bins
LESSON_HOP_LENGTH = 64  # samples: 4 ms
LESSON_TOP_DB = 70.0
LESSON_WINDOWS_MS = (8, 16, 32, 64, 128)
MODEL_FRONTEND = FrontendConfig()
MODEL_FRONTEND_WINDOW_S = MODEL_FRONTEND.win_length / MODEL_FRONTEND.sample_rate

CIRCUMPLEX_DEGREES = {"happy": 10, "surprise": 70, "angry": 100, "fear": 115, "disgust": 145, "sad": 205, "calm": 315}
"""Angles on the circle of Russell (1980, "A circumplex model of affect"): pleasure at 0, arousal at 90 degrees.

A sketch in the order given there; disgust, which is not among his words, is placed close to displeasure.
"""
CIRCUMPLEX_COORDINATES = {"neutral": (0.0, 0.0)} | {
    emotion: (math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
    for emotion, degrees in CIRCUMPLEX_DEGREES.items()
}
"""Emotion -> (valence, arousal), each in [-1, 1]; neutral at the centre."""


def loudest_excerpt(waveform: np.ndarray, duration_s: float) -> tuple[int, int]:
    """(start, end) in samples of the excerpt with the most energy; all of a shorter waveform."""
    length = min(len(waveform), round(duration_s * SAMPLE_RATE))
    starts = window_starts(len(waveform), length, min(length, SAMPLE_RATE // 10))
    energy_until = np.append(0.0, np.cumsum(np.square(waveform, dtype=np.float64)))
    start = int(starts[np.argmax(energy_until[starts + length] - energy_until[starts])])
    return start, start + length


def logmel_db(waveform: np.ndarray, n_mels: int, window_s: float, fmax: float = SAMPLE_RATE / 2) -> np.ndarray:
    """Log-mel spectrogram in dB, at most LESSON_TOP_DB below its maximum, shape = (n_mels, n_frames).

    Args:
        window_s: of the Hann window, at most LESSON_N_FFT samples.
        fmax: upper edge of the highest band, in Hz.
    """
    config = FrontendConfig(
        n_fft=LESSON_N_FFT,
        win_length=round(window_s * SAMPLE_RATE),
        hop_length=LESSON_HOP_LENGTH,
        n_mels=n_mels,
        fmax=fmax,
        top_db=LESSON_TOP_DB,
    )
    with torch.inference_mode():
        return LogMel(config).decibels(torch.tensor(waveform)[None])[0].numpy()


def mel_band_edges_hz(n_mels: int, fmax: float) -> np.ndarray:
    """Lower edge, peak and upper edge of each triangular mel filter, shape = (n_mels, 3)."""
    corners = mel_frequencies(n_mels + 2, fmin=0.0, fmax=fmax)
    return np.lib.stride_tricks.sliding_window_view(corners, 3)


def frequency_resolution_hz(window_s: float) -> float:
    """The least resolved distance of two tones: the width of the Hann window's main lobe at half its height."""
    return 2 / window_s


def mfcc_reconstruction(level_db: np.ndarray, n_coefficients: int) -> np.ndarray:
    """The spectrogram from the first cepstral coefficients of each frame (MFCC) only.

    Args:
        level_db: shape = (n_mels, n_frames).

    Returns:
        The inverse transform of the first n_coefficients, shape = (n_mels, n_frames).
    """
    cepstrum = dct(level_db, axis=0, norm="ortho")
    cepstrum[n_coefficients:] = 0
    return idct(cepstrum, axis=0, norm="ortho")


def mfcc_explained_variance(level_db: np.ndarray, n_coefficients: int) -> float:
    """Share of the variance between the bands of a frame, over all frames, in [0, 1]; 1 without variance."""
    around_mean = level_db - level_db.mean(axis=0)
    lost = level_db - mfcc_reconstruction(level_db, n_coefficients)
    total = float(np.square(around_mean).sum())
    return max(0.0, 1 - float(np.square(lost).sum()) / total) if total else 1.0


def has_stage_outputs(model: SERModel) -> bool:
    """Whether stage_feature_maps supports this model."""
    return isinstance(model, ResoNet)


@torch.inference_mode()
def stage_feature_maps(model: ResoNet, waveform: np.ndarray) -> list[np.ndarray]:
    """The features of a ResoNet and the output of each of its stages.

    Returns:
        One array per step, shape = (n_channels, n_bands, n_steps): the features first.
    """
    n_samples = torch.tensor([len(waveform)], device=model.device)
    x = model.frontend(torch.tensor(waveform, device=model.device)[None], n_samples)
    n_frames, steps = model.n_frames(n_samples), [x]
    for stage in model.stages:
        x, n_frames = stage(x, n_frames)
        steps.append(x)
    return [step[0].float().cpu().numpy() for step in steps]


def highest_variance_channels(maps: np.ndarray, n: int) -> list[int]:
    """The channels with the highest variance over time and bands, in descending order.

    Args:
        maps: shape = (n_channels, n_bands, n_steps).
    """
    return np.argsort(-maps.var(axis=(1, 2)), kind="stable")[:n].tolist()


def circumplex_position(probabilities: Mapping[str, float]) -> tuple[float, float]:
    """(valence, arousal): the mean of CIRCUMPLEX_COORDINATES, weighted by the probabilities; an illustration."""
    weights = np.array([probabilities[emotion] for emotion in EMOTIONS])
    valence, arousal = weights @ np.array([CIRCUMPLEX_COORDINATES[emotion] for emotion in EMOTIONS]) / weights.sum()
    return float(valence), float(arousal)


def shared_speaker_fraction(protocol: str, fold: str | None) -> dict[str, float]:
    """Corpus -> share of its test clips with a speaker of the training part, in [0, 1].

    Raises:
        ProtocolError: unknown protocol or fold.
    """
    rows, parts = {row["utterance"]: row for row in read_protocol(protocol)}, protocol_split(protocol, fold)
    speakers = {rows[i]["speaker"] for i in parts.train}
    known = defaultdict(list)
    for i in parts.test:
        known[rows[i]["corpus"]].append(rows[i]["speaker"] in speakers)
    return {corpus: float(np.mean(values)) for corpus, values in known.items()}


def emotion_eta_squared(groups: Sequence[dict]) -> float:
    """Eta squared: the share of a measure's variance between emotions, in [0, 1].

    Args:
        groups: one for each emotion of a corpus, with n_clips, mean and sd.
    """
    n, mean, sd = (np.array([group[name] for group in groups], float) for name in ("n_clips", "mean", "sd"))
    between = (n * np.square(mean - np.average(mean, weights=n))).sum()
    total = between + (n * np.square(sd)).sum()
    return float(between / total) if total else 0.0
