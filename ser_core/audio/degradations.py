"""Degradations of a recording: gain, noise, room, band limits, codecs, clipping, speed, pitch."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import av
import numpy as np
import soundfile
import soxr
from scipy import signal

from ser_core.audio.io import SAMPLE_RATE, load_audio
from ser_core.audio.quality import reduce_noise
from ser_core.audio.vocoder import change_pitch

GSM_RATE = 8000  # Hz
CODEC_FRAME_SAMPLES = 320  # passed to an encoder at once
PHONE_BAND_HZ = (300.0, 3400.0)  # of a telephone line
GAIN_CONTROL_RMS, MAX_GAIN_CONTROL_GAIN = 0.1, 10.0  # -20 dBFS; at most 20 dB up or down
GAIN_CONTROL_TIME_CONSTANT_S = 0.3

SPEED_OF_SOUND_M_S = 343.0
WALL_DISTANCE_M = 0.3  # the least distance of speaker and microphone from a wall
MAX_REFLECTIONS = 30  # of an image; the later ones are weaker than -20 dB

Degradation = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""(waveform, rng) -> degraded waveform; float32 at 16 kHz in [-1, 1] in and out, shape = (n_samples,)."""


@dataclass(frozen=True)
class RoomRange:
    """Ranges from which a room is drawn uniformly."""

    size_m: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]  # length, width, height
    reflection: tuple[float, float]  # pressure reflection coefficient of all six walls


SMALL_ROOM = RoomRange(((2.0, 4.0), (2.0, 3.5), (2.3, 2.6)), (0.75, 0.88))
LARGE_ROOM = RoomRange(((6.0, 10.0), (5.0, 8.0), (2.8, 4.0)), (0.82, 0.92))


def change_gain(decibels: float) -> Degradation:
    """Gain in dB; samples beyond full scale are clipped, as by an analogue-to-digital converter."""
    return lambda waveform, rng: np.clip(waveform * np.float32(10 ** (decibels / 20)), -1, 1)


def add_white_noise(snr_db: float) -> Degradation:
    """White Gaussian noise at a signal-to-noise ratio in dB."""
    return lambda waveform, rng: _mix_at_snr(waveform, rng.standard_normal(len(waveform)), snr_db)


def add_noise(snr_db: float, noises: Sequence[np.ndarray]) -> Degradation:
    """A randomly drawn noise, repeated where it is shorter than the recording.

    Args:
        snr_db: signal-to-noise ratio over the recording.
        noises: waveforms to draw from, each of shape (n_samples,) and not silent.
    """

    def degrade(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noise = noises[int(rng.integers(len(noises)))]
        return _mix_at_snr(waveform, np.resize(np.roll(noise, rng.integers(len(noise))), len(waveform)), snr_db)

    return degrade


def place_in_room(rooms: RoomRange) -> Degradation:
    """Reverberation of a room drawn from a range, by the image-source method; the level stays the same."""

    def degrade(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        reverberant = signal.fftconvolve(waveform, draw_room_response(rooms, rng))[: len(waveform)]
        return _limit_peak(reverberant * _rms(waveform) / max(_rms(reverberant), 1e-9))

    return degrade


def draw_room_response(rooms: RoomRange, rng: np.random.Generator) -> np.ndarray:
    """Impulse response between two random points of a random room, shape = (n_samples,), begins with the direct sound.

    Image-source method: Allen & Berkley, "Image method for efficiently simulating small-room acoustics", 1979.
    """
    size = np.array([rng.uniform(*limits) for limits in rooms.size_m])
    speaker, microphone = (rng.uniform(WALL_DISTANCE_M, size - WALL_DISTANCE_M) for _ in range(2))
    distance_m, n_reflections = _images(size, speaker, microphone)
    gain = rng.uniform(*rooms.reflection) ** n_reflections / distance_m
    delay = np.round((distance_m - distance_m.min()) / SPEED_OF_SOUND_M_S * SAMPLE_RATE).astype(int)
    response = np.bincount(delay, gain)
    return response / response[0]


def _images(size: np.ndarray, speaker: np.ndarray, microphone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each mirror image of the speaker from the microphone in metres, and its number of reflections."""
    order = np.arange(-MAX_REFLECTIONS, MAX_REFLECTIONS + 1)
    position = order[:, None] * size + np.where(order[:, None] % 2, size - speaker, speaker)
    offset = position - microphone
    squares = offset[:, None, None, 0] ** 2 + offset[None, :, None, 1] ** 2 + offset[None, None, :, 2] ** 2
    bounces = np.abs(order)
    count = bounces[:, None, None] + bounces[None, :, None] + bounces[None, None, :]
    kept = count <= MAX_REFLECTIONS
    return np.sqrt(squares[kept]), count[kept]


def clip_peaks(share: float) -> Degradation:
    """Clipping: the given share of the samples is cut off at one level, as by a microphone input set too high."""

    def degrade(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        highest = max(float(np.quantile(np.abs(waveform), 1 - share)), 1e-6)
        return np.clip(waveform / highest, -1, 1).astype(np.float32) if waveform.any() else waveform

    return degrade


def limit_band(lowest_hz: float, highest_hz: float) -> Degradation:
    """Band-pass filter (Butterworth, order 8)."""
    edges = signal.butter(8, (lowest_hz, highest_hz), "bandpass", fs=SAMPLE_RATE, output="sos")
    return lambda waveform, rng: _limit_peak(signal.sosfilt(edges, waveform))


def change_speed(rate: float) -> Degradation:
    """Speed perturbation: pitch and tempo change together, by `rate`."""
    return lambda waveform, rng: _limit_peak(soxr.resample(waveform, SAMPLE_RATE * rate, SAMPLE_RATE))


def shift_pitch(semitones: float) -> Degradation:
    """Pitch shift at the same tempo, by a phase vocoder; the formants move along."""
    return lambda waveform, rng: _limit_peak(change_pitch(waveform, semitones))


def transcode(codec: str, container: str, bit_rate: int) -> Degradation:
    """Encode and decode with a lossy codec. Arguments as for encode_audio."""

    def degrade(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return load_audio(io.BytesIO(encode_audio(waveform, codec, container, bit_rate)))

    return degrade


def pass_through_gsm(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """GSM full rate: 8 kHz, 13 kbit/s, the codec of mobile calls."""
    file = io.BytesIO()
    soundfile.write(file, soxr.resample(waveform, SAMPLE_RATE, GSM_RATE), GSM_RATE, format="WAV", subtype="GSM610")
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return _limit_peak(soxr.resample(decoded, GSM_RATE, SAMPLE_RATE)[: len(waveform)])


def encode_audio(waveform: np.ndarray, codec: str, container: str, bit_rate: int) -> bytes:
    """Content of an audio file.

    Args:
        waveform: 16 kHz in [-1, 1], shape = (n_samples,).
        codec, container: as FFmpeg names them.
        bit_rate: in bit/s.

    Raises:
        ValueError: the codec is one for pictures.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container) as sink:
        stream = sink.add_stream(codec, rate=SAMPLE_RATE, layout="mono", bit_rate=bit_rate)
        if not isinstance(stream, av.AudioStream):
            raise ValueError(f"{codec} encodes no audio")
        resampler = av.AudioResampler(stream.format, "mono", SAMPLE_RATE)
        pcm = np.round(np.clip(waveform, -1, 1) * 32767).astype(np.int16)
        for start in range(0, len(pcm), CODEC_FRAME_SAMPLES):
            frame = av.AudioFrame.from_ndarray(pcm[None, start : start + CODEC_FRAME_SAMPLES], "s16", "mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            for ready in resampler.resample(frame):
                sink.mux(stream.encode(ready))
        sink.mux(stream.encode(None))
    return file.getvalue()


def apply_gain_control(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The gain control alone, as a degradation."""
    return gain_control(waveform)


def gain_control(waveform: np.ndarray) -> np.ndarray:
    """Automatic gain control: speech to -20 dBFS, by at most 20 dB, with a time constant of 0.3 s."""
    decay = np.exp(-1 / (GAIN_CONTROL_TIME_CONSTANT_S * SAMPLE_RATE))
    initial_state = [decay * GAIN_CONTROL_RMS**2]  # a gain of one
    power, _ = signal.lfilter([1 - decay], [1, -decay], np.square(waveform, dtype=np.float64), zi=initial_state)
    gain = GAIN_CONTROL_RMS / np.sqrt(np.maximum(power, 1e-12))
    levelled = waveform * np.clip(gain, 1 / MAX_GAIN_CONTROL_GAIN, MAX_GAIN_CONTROL_GAIN)
    return np.clip(levelled, -1, 1).astype(np.float32)


def process_like_browser(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Default processing of a microphone by browsers: noise suppression, then automatic gain control."""
    return gain_control(reduce_noise(waveform))


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def _mix_at_snr(waveform: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Sum of signal and noise; the ratio is that of their powers over the full recording."""
    scale = _rms(waveform) / max(_rms(noise), 1e-9) / 10 ** (snr_db / 20)
    return _limit_peak(waveform + scale * noise)


def _limit_peak(waveform: np.ndarray) -> np.ndarray:
    """Scaled down if the peak exceeds full scale."""
    return (waveform / max(1.0, np.abs(waveform).max(initial=0.0))).astype(np.float32)
