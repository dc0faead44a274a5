"""Sound files of every format, made when a test asks for them, so that no audio is committed."""

import io
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
import pytest
import soundfile
import soxr

from ser_core.audio.io import SAMPLE_RATE, load_audio

TONE_HZ = 440.0


def tone(duration_s: float, sample_rate: int, channels: int = 1, frequency_hz: float = TONE_HZ) -> np.ndarray:
    """A sine at half of full scale, float32, shape = (n_samples, channels)."""
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    return np.repeat(0.5 * np.sin(2 * np.pi * frequency_hz * time_s, dtype=np.float32)[:, None], channels, axis=1)


def long_file(speech: np.ndarray) -> bytes:
    """More than a clip of a reference, at a rate from which it is resampled: its samples depend on where it ends."""
    return with_soundfile(soxr.resample(np.tile(speech, 6)[:, None], SAMPLE_RATE, 44_100), 44_100, "WAV", "PCM_16")


def noise(duration_s: float, sample_rate: int, seed: int = 0) -> np.ndarray:
    """White noise that fills many packets in any format, float32, shape = (n_samples, 1)."""
    samples = np.random.default_rng(seed).standard_normal((round(duration_s * sample_rate), 1))
    return np.clip(0.1 * samples, -1, 1).astype(np.float32)


def with_soundfile(samples: np.ndarray, sample_rate: int, container: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    channels = samples.shape[1]
    with soundfile.SoundFile(buffer, "w", sample_rate, channels, subtype, format=container) as file:
        for start in range(0, len(samples), sample_rate):  # long single writes overflow libsndfile's encoders
            file.write(samples[start : start + sample_rate])
    return buffer.getvalue()


def with_ffmpeg(
    samples: np.ndarray | None, sample_rate: int, container: str, codec: str, pictures: bool = False, **options: str
) -> bytes:
    """Encode with FFmpeg; without samples only the pictures are written."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=options.pop("container_options", {})) as output:
        video = output.add_stream("mpeg4", rate=10, options={}) if pictures else None
        if samples is not None:
            audio = output.add_stream(codec, rate=sample_rate, layout=LAYOUTS[samples.shape[1]], options=options)
        if video is not None:
            video.width = video.height = 64
            video.pix_fmt = "yuv420p"
            for _ in range(5):
                output.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
            output.mux(video.encode(None))
        if samples is not None:
            for frame in _frames(samples, sample_rate, audio.format.name):
                output.mux(audio.encode(frame))
            output.mux(audio.encode(None))
    return buffer.getvalue()


LAYOUTS = {1: "mono", 2: "stereo", 8: "7.1"}


def _frames(samples: np.ndarray, sample_rate: int, sample_format: str):
    resampler = av.AudioResampler(format=sample_format)
    for start in range(0, len(samples), 960):
        block = samples[start : start + 960]
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="flt", layout=LAYOUTS[samples.shape[1]])
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, start, Fraction(1, sample_rate)
        yield from resampler.resample(frame)


FORMATS: dict[str, Callable[[np.ndarray, int], bytes]] = {
    "wav 8 bit": lambda samples, rate: with_soundfile(samples, rate, "WAV", "PCM_U8"),
    "wav 16 bit": lambda samples, rate: with_soundfile(samples, rate, "WAV", "PCM_16"),
    "wav 24 bit": lambda samples, rate: with_soundfile(samples, rate, "WAV", "PCM_24"),
    "wav 32 bit": lambda samples, rate: with_soundfile(samples, rate, "WAV", "PCM_32"),
    "wav float32": lambda samples, rate: with_soundfile(samples, rate, "WAV", "FLOAT"),
    "wav float64": lambda samples, rate: with_soundfile(samples, rate, "WAV", "DOUBLE"),
    "flac": lambda samples, rate: with_soundfile(samples, rate, "FLAC", "PCM_16"),
    "mp3": lambda samples, rate: with_soundfile(samples, rate, "MP3", "MPEG_LAYER_III"),
    "ogg vorbis": lambda samples, rate: with_soundfile(samples, rate, "OGG", "VORBIS"),
    "opus": lambda samples, rate: with_soundfile(samples, rate, "OGG", "OPUS"),
    "m4a": lambda samples, rate: with_ffmpeg(samples, rate, "ipod", "aac"),
    "aac": lambda samples, rate: with_ffmpeg(samples, rate, "adts", "aac"),
    "webm": lambda samples, rate: with_ffmpeg(samples, rate, "webm", "libopus"),
    "mp4 with pictures": lambda samples, rate: with_ffmpeg(samples, rate, "mp4", "aac", pictures=True),
}
"""Name -> encoder (samples (n_samples, channels), sample_rate) -> content of a file."""


@lru_cache
def spoken(text: str = "This is a test. Nobody knows how I feel today, but my voice may tell you.") -> np.ndarray:
    """A synthetic voice at 16 kHz, shape = (n_samples,); skips the test where espeak-ng is missing."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("needs espeak-ng")
    return load_audio(subprocess.run(["espeak-ng", "--stdout", text], capture_output=True, check=True).stdout)
