"""How much of a model's skill is left when the recording is worse: louder, noisier, from a room, over a phone.

Every condition changes the waveform alone; what it draws at random follows from the name of the recording.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import av
import numpy as np
import soxr
from librosa.effects import pitch_shift
from scipy import signal

from ser_core.audio import SAMPLE_RATE, load_audio
from ser_core.corpora import Utterance
from ser_core.evaluation import Answers, answer_all
from ser_core.metrics import uar
from ser_core.models import SERModel
from ser_core.quality import reduce_noise

CODEC_FRAME = 320  # samples given to an encoder at once
N_BABBLERS = 6
REVERBERATION_S = 0.5  # time in which a room's sound falls by 60 dB
PHONE_BAND_HZ = (300.0, 3400.0)
GAIN_CONTROL_RMS, GAIN_CONTROL_MAX = 0.1, 10.0  # -20 dBFS; no more than 20 dB up or down
GAIN_CONTROL_S = 0.3  # how quickly it follows

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""From a waveform of shape (n_samples,) to what arrives; float32 at 16 kHz in [-1, 1] in and out."""


@dataclass(frozen=True)
class Robustness:
    """One model under one condition; UAR in [0, 1]."""

    n_clips: int
    uar: float  # pooled
    uar_corpora: dict[str, float]
    lost: float  # UAR without the condition minus UAR with it
    unchanged: float  # share of clips with the same answer as without it
    answered: float  # share of clips that it does not call "not sure"


def gain(decibels: float) -> Change:
    """Louder or quieter; what exceeds full scale is cut off, as a converter does."""
    return lambda waveform, rng: np.clip(waveform * np.float32(10 ** (decibels / 20)), -1, 1)


def noise(snr_db: float) -> Change:
    """White noise."""
    return lambda waveform, rng: _mixed(waveform, rng.standard_normal(len(waveform)), snr_db)


def babble(snr_db: float, voices: Sequence[np.ndarray]) -> Change:
    """Several other people who talk at once.

    Args:
        voices: waveforms to draw from.
    """

    def change(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        chosen = rng.choice(len(voices), N_BABBLERS)
        talk = (np.roll(np.resize(voices[i], len(waveform)), rng.integers(len(waveform))) for i in chosen)
        return _mixed(waveform, sum(one / max(_rms(one), 1e-6) for one in talk), snr_db)

    return change


def room(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A room: the direct sound, then noise that dies away exponentially; as loud as before."""
    time_s = np.arange(round(REVERBERATION_S * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / REVERBERATION_S)
    response = tail / np.sqrt(np.square(tail).sum())  # as much reflected as direct sound
    response[0] = 1.0
    heard = signal.fftconvolve(waveform, response)[: len(waveform)]
    return _fitted(heard * _rms(waveform) / max(_rms(heard), 1e-9))


def band(lowest_hz: float, highest_hz: float) -> Change:
    """Nothing below the lowest and above the highest frequency."""
    edges = signal.butter(8, (lowest_hz, highest_hz), "bandpass", fs=SAMPLE_RATE, output="sos")
    return lambda waveform, rng: _fitted(signal.sosfilt(edges, waveform))


phone = band(*PHONE_BAND_HZ)
"""The band of a telephone line."""


def speed(rate: float) -> Change:
    """Played faster or slower, as a tape: pitch and tempo together."""
    return lambda waveform, rng: _fitted(soxr.resample(waveform, SAMPLE_RATE * rate, SAMPLE_RATE))


def pitch(semitones: float) -> Change:
    """Higher or lower at the same tempo, by a phase vocoder; the formants move along."""
    return lambda waveform, rng: _fitted(pitch_shift(waveform, sr=SAMPLE_RATE, n_steps=semitones))


def coded(codec: str, container: str, bit_rate: int) -> Change:
    """Encoded and decoded again."""

    def change(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return load_audio(io.BytesIO(encoded(waveform, codec, container, bit_rate)))

    return change


def encoded(waveform: np.ndarray, codec: str, container: str, bit_rate: int) -> bytes:
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
        for start in range(0, len(pcm), CODEC_FRAME):
            frame = av.AudioFrame.from_ndarray(pcm[None, start : start + CODEC_FRAME], "s16", "mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            for ready in resampler.resample(frame):
                sink.mux(stream.encode(ready))
        sink.mux(stream.encode(None))
    return file.getvalue()


def gain_control(waveform: np.ndarray) -> np.ndarray:
    """Brings speech to the same level, quickly, by 20 dB at most."""
    follow = np.exp(-1 / (GAIN_CONTROL_S * SAMPLE_RATE))
    at_first = [follow * GAIN_CONTROL_RMS**2]  # a gain of one
    power, _ = signal.lfilter([1 - follow], [1, -follow], np.square(waveform, dtype=np.float64), zi=at_first)
    wanted = GAIN_CONTROL_RMS / np.sqrt(np.maximum(power, 1e-12))
    found = waveform * np.clip(wanted, 1 / GAIN_CONTROL_MAX, GAIN_CONTROL_MAX)
    return np.clip(found, -1, 1).astype(np.float32)


def browser(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What browsers do to a microphone unless told not to: noise suppression, then automatic gain control."""
    return gain_control(reduce_noise(waveform))


def conditions(voices: Sequence[np.ndarray]) -> dict[str, Change]:
    """Every condition by name.

    Args:
        voices: waveforms of other people, for babble.
    """
    return {
        "gain -20 dB": gain(-20),
        "gain -10 dB": gain(-10),
        "gain +12 dB": gain(12),
        **{f"white noise {snr_db} dB": noise(snr_db) for snr_db in (20, 10, 5)},
        **{f"babble {snr_db} dB": babble(snr_db, voices) for snr_db in (20, 10, 5)},
        "room": room,
        "phone band": phone,
        "mp3 16 kbit/s": coded("libmp3lame", "mp3", 16_000),
        "opus 16 kbit/s": coded("libopus", "ogg", 16_000),
        "speed 0.9": speed(0.9),
        "speed 1.1": speed(1.1),
        "browser processing": browser,
    }


def answers_under(
    models: Sequence[SERModel],
    utterances: Sequence[Utterance],
    change: Change,
    progress: Callable[[int], None] = lambda n_done: None,
) -> list[Answers]:
    """What the models answer when every recording is changed. Errors as in evaluation.answer_all."""
    return answer_all(models, utterances, progress, lambda waveform, u: change(waveform, _generator(u.id)))


def robustness(before: Answers, after: Answers) -> Robustness:
    """The answers to changed recordings against those to the same recordings as they are."""
    corpora = {name: after.where(lambda u, name=name: u.corpus == name) for name in dict.fromkeys(after.corpora)}
    return Robustness(
        n_clips=len(after.utterances),
        uar=float(uar(after.confusion())),
        uar_corpora={str(name): float(uar(part.confusion())) for name, part in corpora.items()},
        lost=float(uar(before.confusion()) - uar(after.confusion())),
        unchanged=float((before.y_pred == after.y_pred).mean()),
        answered=float((~after.abstained).mean()),
    )


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]))


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def _mixed(waveform: np.ndarray, added: np.ndarray, snr_db: float) -> np.ndarray:
    """The ratio holds over the whole recording."""
    scale = _rms(waveform) / max(_rms(added), 1e-9) / 10 ** (snr_db / 20)
    return _fitted(waveform + scale * added)


def _fitted(waveform: np.ndarray) -> np.ndarray:
    """Turned down where it would exceed full scale."""
    return (waveform / max(1.0, np.abs(waveform).max(initial=0.0))).astype(np.float32)
