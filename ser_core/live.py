"""A microphone as it runs: sound in chunks of any length and sample rate, and an answer every half second.

Every answer is `predict` of the last seconds, as many as the model learned from: the way a recording of that length is
heard, with the same trimming and the same speech detection. Only what is needed for the next answer is kept, and the
sound itself only where it was asked for.
"""

import time
from collections import Counter, deque
from dataclasses import dataclass

import numpy as np
import soxr

from ser_core.audio import HIGHEST_SOURCE_RATE, LOWEST_SOURCE_RATE, SAMPLE_RATE, AudioError
from ser_core.inference import FARTHEST, MIN_SPEECH_S, Prediction, Trajectory, predict, speech_between
from ser_core.models import SERModel
from ser_core.prosody import decibels
from ser_core.smoothing import EMA, NO_SPEECH, NOT_SURE, Smoothing, answers, smoothed
from ser_core.vad import speech_segments

HOP_S = 0.5  # from one answer to the next
HISTORY_S = 120.0  # how far smoothing looks back, and how much of the past can be drawn
LONGEST_RECORDING_S = 3600.0
CALM = Smoothing(EMA, 1.5)


@dataclass(frozen=True)
class LiveAnswer:
    """What is heard now. Without speech in the window there is no emotion, no confidence and no probability."""

    at_s: float  # seconds of sound since the session began; the window ends here, or what resampling holds back before
    answer: str  # an emotion, "not sure" or "no speech"
    emotion: str  # the likeliest after smoothing, also when not sure; "" without speech
    confidence: float | None  # its probability; None without speech
    probabilities: dict[str, float]  # of every emotion, calibrated and smoothed; empty without speech
    speaking: bool  # somebody spoke since the last answer
    level_dbfs: float  # RMS of the sound since the last answer; at least -120
    latency_s: float  # from the arrival of the last sample of the window to this answer: sound in wait, and computing
    prediction: Prediction  # of this window alone: speech_s, novelty, reason, version


@dataclass(frozen=True)
class LiveSummary:
    """A session so far."""

    duration_s: float  # of the sound
    speech_s: float  # seconds of speech in it
    answers_s: dict[str, float]  # seconds by answer, the longest first; they sum to the time of the last answer
    n_answers: int
    mean_latency_s: float | None  # None without an answer
    max_latency_s: float | None


class LiveSession:
    """One person at one microphone. Not to be fed by two threads at once."""

    def __init__(self, model: SERModel, smoothing: Smoothing = CALM, keep_recording: bool = False):
        """
        Args:
            model: from load_model; it may serve many sessions.
            smoothing: how answers are made calmer over time.
            keep_recording: whether `recording` will be asked for; otherwise only the last seconds are kept.
        """
        self.model, self.smoothing = model, smoothing
        self._window, self._hop = round(model.config.window_s * SAMPLE_RATE), round(HOP_S * SAMPLE_RATE)
        self._resample = _Resampler()
        self._sound = np.empty(0, np.float32)  # the last of it: a window and what waits for the next answer
        self._n_heard, self._answered = 0, 0  # in samples: how much there is, and where the last answer ended
        self._n_fed = 0.0  # the same with what the resampler holds back: up to 0.04 s, 0.12 s at 8 kHz
        self._past: deque[tuple[float, float, float, np.ndarray]] = deque(maxlen=round(HISTORY_S / HOP_S))
        self._speech_s, self._latencies = 0.0, (0, 0.0, 0.0)  # n, sum, highest
        self._answers_s: Counter[str] = Counter()
        self._kept = np.zeros(round(LONGEST_RECORDING_S * SAMPLE_RATE) if keep_recording else 0, np.int16)

    @property
    def duration_s(self) -> float:
        """Seconds of sound that have come."""
        return self._n_heard / SAMPLE_RATE

    def feed(self, samples: np.ndarray, sample_rate: int) -> LiveAnswer | None:
        """Hear the next sound.

        Where more than one answer is due, because much sound came at once, only the newest is given: a machine that is
        too slow skips answers instead of falling behind.

        Args:
            samples: int16, int32 or float in [-1, 1], shape = (n_samples,) or (n_samples, n_channels).
            sample_rate: of the samples, in Hz; it may change on the way.

        Returns:
            The answer when half a second is full, else None.

        Raises:
            AudioError: samples of another kind or shape, samples that are not numbers, an absurd sample rate.
        """
        began = time.perf_counter()
        mono = as_mono(samples)
        new = self._resample(mono, sample_rate)
        self._keep(new)
        self._n_heard += len(new)
        self._n_fed += len(mono) * SAMPLE_RATE / sample_rate
        sound = np.concatenate([self._sound, new])
        self._sound = sound[-(self._window + self._hop) :].copy()
        due = round(self._n_fed) // self._hop * self._hop
        if due == self._answered:
            return None
        too_new = max(0, self._n_heard - due)
        return self._answer(sound[: len(sound) - too_new][-self._window :], due, began)

    def recording(self) -> np.ndarray:
        """What was heard, at most its first hour: int16 at 16 kHz, shape = (n_samples,); empty if it was not kept."""
        return self._kept[: self._n_heard]

    def trajectory(self) -> Trajectory | None:
        """The answers of the last two minutes before smoothing, each over the time since the one before it."""
        if not self._past:
            return None
        start_s, end_s, speech_s, probabilities = (np.array(column) for column in zip(*self._past, strict=True))
        return Trajectory(
            model=self.model.name,
            labels=self.model.config.labels,
            start_s=start_s,
            end_s=end_s,
            probabilities=probabilities,
            speech_s=speech_s,
            window_s=self.model.config.window_s,
            hop_s=HOP_S,
        )

    def summary(self) -> LiveSummary:
        """What was heard since the session began."""
        n_answers, total_s, highest_s = self._latencies
        return LiveSummary(
            duration_s=self.duration_s,
            speech_s=self._speech_s,
            answers_s=dict(self._answers_s.most_common()),
            n_answers=n_answers,
            mean_latency_s=total_s / n_answers if n_answers else None,
            max_latency_s=highest_s if n_answers else None,
        )

    def _keep(self, new: np.ndarray) -> None:
        room = self._kept[self._n_heard : self._n_heard + len(new)]
        room[:] = np.round(np.clip(new[: len(room)], -1, 1) * 32767)

    def _answer(self, window: np.ndarray, due: int, began: float) -> LiveAnswer:
        """For the window that ends at sample `due`."""
        speech = speech_segments(window)
        prediction = predict(self.model, window, speech)
        elapsed_s, at_s = (due - self._answered) / SAMPLE_RATE, due / SAMPLE_RATE
        end_s = len(window) / SAMPLE_RATE
        new_speech_s = float(speech_between(speech, np.array([end_s - elapsed_s]), np.array([end_s]))[0])
        labels = self.model.config.labels
        self._past.append(
            (at_s - elapsed_s, at_s, prediction.speech_s, np.array([prediction.probabilities[name] for name in labels]))
        )
        answer, emotion, probabilities = self._smoothed(prediction)
        latency_s = (self._n_fed - due) / SAMPLE_RATE + time.perf_counter() - began
        self._count(answer, elapsed_s, new_speech_s, latency_s)
        new, self._answered = window[-(due - self._answered) :], due
        return LiveAnswer(
            at_s=at_s,
            answer=answer,
            emotion=emotion,
            confidence=probabilities[emotion] if emotion else None,
            probabilities=probabilities,
            speaking=new_speech_s > 0,
            level_dbfs=float(decibels(np.square(new, dtype=np.float64).mean())),
            latency_s=latency_s,
            prediction=prediction,
        )

    def _smoothed(self, prediction: Prediction) -> tuple[str, str, dict[str, float]]:
        """(answer, emotion, probabilities) now."""
        if prediction.speech_s < MIN_SPEECH_S:
            return NO_SPEECH, "", {}
        trajectory, lead = smoothed(self.trajectory(), self.smoothing)
        answer = str(answers(trajectory, lead, self.model.calibration.min_confidence)[-1])
        probabilities = dict(zip(trajectory.labels, trajectory.probabilities[-1].tolist(), strict=True))
        return NOT_SURE if prediction.novelty == FARTHEST else answer, trajectory.labels[lead[-1]], probabilities

    def _count(self, answer: str, elapsed_s: float, speech_s: float, latency_s: float) -> None:
        self._answers_s[answer] += elapsed_s
        self._speech_s += speech_s
        n_answers, total_s, highest_s = self._latencies
        self._latencies = n_answers + 1, total_s + latency_s, max(highest_s, latency_s)


def as_mono(samples: np.ndarray) -> np.ndarray:
    """The mean over the channels as float32 in [-1, 1], shape = (n_samples,).

    Raises:
        AudioError: samples of another kind or shape, or that are not numbers.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "if" or samples.dtype.itemsize < 2:
        raise AudioError(
            f"Sound of the kind {samples.dtype} with shape {samples.shape} cannot be heard. "
            "Send int16, int32 or float samples, as (n_samples,) or (n_samples, n_channels)."
        )
    full_scale = 1.0 if samples.dtype.kind == "f" else -float(np.iinfo(samples.dtype).min)
    mono = samples.astype(np.float32) / np.float32(full_scale)
    mono = mono.mean(axis=1) if mono.ndim == 2 and mono.shape[1] else mono.reshape(-1)
    if not np.isfinite(mono).all():
        raise AudioError("The microphone sends samples that are no numbers. Choose another device, or start it again.")
    return np.clip(mono, -1, 1)


class _Resampler:
    """To 16 kHz, chunk by chunk without a seam; a change of the sample rate begins anew."""

    def __init__(self):
        self._rate, self._stream = float(SAMPLE_RATE), None

    def __call__(self, mono: np.ndarray, sample_rate: float) -> np.ndarray:
        rest = np.empty(0, np.float32)
        if sample_rate != self._rate:
            stream = _stream(sample_rate)
            rest = self._stream.resample_chunk(rest, last=True) if self._stream else rest
            self._rate, self._stream = sample_rate, stream
        return np.concatenate([rest, self._stream.resample_chunk(mono) if self._stream else mono])


def _stream(sample_rate: float) -> soxr.ResampleStream | None:
    """None where there is nothing to do."""
    if not LOWEST_SOURCE_RATE <= sample_rate <= HIGHEST_SOURCE_RATE:
        raise AudioError(
            f"The microphone claims a sample rate of {sample_rate} Hz, outside {LOWEST_SOURCE_RATE}-"
            f"{HIGHEST_SOURCE_RATE} Hz. Choose another device."
        )
    if sample_rate == SAMPLE_RATE:
        return None
    return soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
