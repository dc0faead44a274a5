"""Degradations of a recording: gain, noise, babble, room, band limits, codecs, speed, pitch."""

import io
from collections.abc import Callable, Sequence

import av
import numpy as np
import soxr
from librosa.effects import pitch_shift
from scipy import signal

from ser_core.audio.io import SAMPLE_RATE, load_audio
from ser_core.audio.quality import reduce_noise

CODEC_FRAME_SAMPLES = 320  # samples given to an encoder at once
N_BABBLE_SPEAKERS = 6
REVERBERATION_TIME_S = 0.5  # time in which a room's sound falls by 60 dB
PHONE_BAND_HZ = (300.0, 3400.0)
GAIN_CONTROL_RMS, MAX_GAIN_CONTROL_GAIN = 0.1, 10.0  # -20 dBFS; no more than 20 dB up or down
GAIN_CONTROL_TIME_CONSTANT_S = 0.3  # how quickly it follows

Degradation = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""From a waveform of shape (n_samples,) to what arrives; float32 at 16 kHz in [-1, 1] in and out."""


def change_gain(decibels: float) -> Degradation:
    """Louder or quieter; what exceeds full scale is cut off, as a converter does."""
    return lambda waveform, rng: np.clip(waveform * np.float32(10 ** (decibels / 20)), -1, 1)


def add_white_noise(snr_db: float) -> Degradation:
    """White noise."""
    return lambda waveform, rng: _mix_at_snr(waveform, rng.standard_normal(len(waveform)), snr_db)


def add_babble(snr_db: float, voices: Sequence[np.ndarray]) -> Degradation:
    """Several other people who talk at once.

    Args:
        voices: waveforms to draw from.
    """

    def change(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        chosen = rng.choice(len(voices), N_BABBLE_SPEAKERS)
        talk = (np.roll(np.resize(voices[i], len(waveform)), rng.integers(len(waveform))) for i in chosen)
        return _mix_at_snr(waveform, sum(one / max(_rms(one), 1e-6) for one in talk), snr_db)

    return change


def add_reverberation(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A room: the direct sound, then noise that dies away exponentially; as loud as before."""
    time_s = np.arange(round(REVERBERATION_TIME_S * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / REVERBERATION_TIME_S)
    response = tail / np.sqrt(np.square(tail).sum())  # as much reflected as direct sound
    response[0] = 1.0
    heard = signal.fftconvolve(waveform, response)[: len(waveform)]
    return _limit_peak(heard * _rms(waveform) / max(_rms(heard), 1e-9))


def limit_band(lowest_hz: float, highest_hz: float) -> Degradation:
    """Nothing below the lowest and above the highest frequency."""
    edges = signal.butter(8, (lowest_hz, highest_hz), "bandpass", fs=SAMPLE_RATE, output="sos")
    return lambda waveform, rng: _limit_peak(signal.sosfilt(edges, waveform))


limit_to_phone_band = limit_band(*PHONE_BAND_HZ)
"""The band of a telephone line."""


def change_speed(rate: float) -> Degradation:
    """Played faster or slower, as a tape: pitch and tempo together."""
    return lambda waveform, rng: _limit_peak(soxr.resample(waveform, SAMPLE_RATE * rate, SAMPLE_RATE))


def shift_pitch(semitones: float) -> Degradation:
    """Higher or lower at the same tempo, by a phase vocoder; the formants move along."""
    return lambda waveform, rng: _limit_peak(pitch_shift(waveform, sr=SAMPLE_RATE, n_steps=semitones))


def transcode(codec: str, container: str, bit_rate: int) -> Degradation:
    """Encoded and decoded again."""

    def change(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return load_audio(io.BytesIO(encode_audio(waveform, codec, container, bit_rate)))

    return change


def encode_audio(waveform: np.ndarray, codec: str, container: str, bit_rate: int) -> bytes:
    """A whole file.

    Args:
        codec, container: FFmpeg's names.
        bit_rate: in bit/s.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container) as sink:
        stream = sink.add_stream(codec, rate=SAMPLE_RATE, layout="mono", bit_rate=bit_rate)
        resampler = av.AudioResampler(stream.format, "mono", SAMPLE_RATE)
        pcm = np.round(np.clip(waveform, -1, 1) * 32767).astype(np.int16)
        for start in range(0, len(pcm), CODEC_FRAME_SAMPLES):
            frame = av.AudioFrame.from_ndarray(pcm[None, start : start + CODEC_FRAME_SAMPLES], "s16", "mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            for ready in resampler.resample(frame):
                sink.mux(stream.encode(ready))
        sink.mux(stream.encode(None))
    return file.getvalue()


def gain_control(waveform: np.ndarray) -> np.ndarray:
    """Brings speech to the same level, quickly, by 20 dB at most."""
    follow = np.exp(-1 / (GAIN_CONTROL_TIME_CONSTANT_S * SAMPLE_RATE))
    at_first = [follow * GAIN_CONTROL_RMS**2]  # a gain of one
    power, _ = signal.lfilter([1 - follow], [1, -follow], np.square(waveform, dtype=np.float64), zi=at_first)
    wanted = GAIN_CONTROL_RMS / np.sqrt(np.maximum(power, 1e-12))
    found = waveform * np.clip(wanted, 1 / MAX_GAIN_CONTROL_GAIN, MAX_GAIN_CONTROL_GAIN)
    return np.clip(found, -1, 1).astype(np.float32)


def process_like_browser(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What browsers do to a microphone unless told not to: noise suppression, then automatic gain control."""
    return gain_control(reduce_noise(waveform))


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def _mix_at_snr(waveform: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """The ratio holds over the whole recording."""
    scale = _rms(waveform) / max(_rms(noise), 1e-9) / 10 ** (snr_db / 20)
    return _limit_peak(waveform + scale * noise)


def _limit_peak(waveform: np.ndarray) -> np.ndarray:
    """Turned down where it would exceed full scale."""
    return (waveform / max(1.0, np.abs(waveform).max(initial=0.0))).astype(np.float32)
