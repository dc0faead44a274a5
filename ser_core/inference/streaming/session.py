"""Streaming prediction: audio in chunks of any length and sample rate, a prediction four times a second.

Each is `predict` of the last window, with the trimming and the speech detection of a recording of that length. Only the
samples for the next prediction are kept, and the recording only on request.
"""

import time
from collections import defaultdict, deque
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from ser_core.audio import SAMPLE_RATE, power_to_dbfs, remove_rumble, speech_overlap_s, speech_segments
from ser_core.inference.enrolment import RunningReference
from ser_core.inference.prediction.abstention import MAX_NOVELTY_PERCENTILE
from ser_core.inference.prediction.predict import predict_with_outputs
from ser_core.inference.reference import Reference, reference_fields
from ser_core.inference.results import MIN_SPEECH_TO_PREDICT_S, Prediction, Trajectory
from ser_core.inference.smoothing import EMA_SMOOTHING, NO_SPEECH, NOT_SURE, Smoothing, smooth_trajectory, window_labels
from ser_core.inference.streaming.samples import Resampler, to_mono
from ser_core.models import SERModel

LIVE_HOP_S = 0.25  # from one prediction to the next
LIVE_HISTORY_S = 120.0  # of predictions, for smoothing and for the chart
MAX_LIVE_RECORDING_S = 3600.0
DEFAULT_LIVE_SMOOTHING = Smoothing(EMA_SMOOTHING, 0.75)


@dataclass(frozen=True)
class LivePrediction:
    """The latest prediction of a session. A window without speech has neither emotion nor probabilities."""

    at_s: float  # end of the window in seconds since the start, less the delay of resampling
    label: str  # an emotion, "not sure" or "no speech"
    emotion: str  # the most probable after smoothing, also when not sure; "" without speech
    confidence: float | None  # its probability; None without speech
    probabilities: dict[str, float]  # of every emotion, calibrated and smoothed; empty without speech
    min_confidence: float  # below it the label is "not sure"; another one once there is a reference
    speaking: bool  # speech since the last prediction
    level_dbfs: float  # RMS since the last prediction; at least -120
    latency_s: float  # from the arrival of the window's last sample: buffering and computing
    prediction: Prediction  # of this window alone: speech_s, novelty, reason, version

    def ranked(self) -> list[tuple[str, float]]:
        """The emotions that can occur with their probabilities, the most probable first; empty without speech."""
        possible = self.prediction.possible_emotions
        found = ((emotion, p) for emotion, p in self.probabilities.items() if emotion in possible)
        return sorted(found, key=lambda pair: -pair[1])


@dataclass(frozen=True)
class LiveSummary:
    """The totals of a session so far."""

    duration_s: float  # of the audio
    speech_s: float  # seconds of speech in it
    label_durations_s: dict[str, float]  # the longest first; their sum is the time of the last prediction
    n_predictions: int
    mean_latency_s: float | None  # None without a prediction
    max_latency_s: float | None


class LiveSession:
    """Streaming predictions for one microphone. Not thread-safe: fed by one thread at a time."""

    def __init__(
        self,
        model: SERModel,
        smoothing: Smoothing = DEFAULT_LIVE_SMOOTHING,
        keep_recording: bool = False,
        running_reference: bool = False,
        reference: Reference | None = None,
    ):
        """
        Args:
            model: from load_model; it may serve many sessions.
            smoothing: of the predictions over time.
            keep_recording: for `recording`; otherwise only the last seconds are kept.
            running_reference: from 10 s of speech on, the speech before a window is the reference of its speaker; the
                predictions report it.
            reference: enrolled before: a running reference starts with it.

        Raises:
            SpeakerReferenceError: a reference for a model that takes none, or one of another model.
        """
        self.model, self.smoothing = model, smoothing
        self._window, self._hop = round(model.trajectory_window_s * SAMPLE_RATE), round(LIVE_HOP_S * SAMPLE_RATE)
        self._running = RunningReference(model, reference) if running_reference or reference else None
        self._resample = Resampler()
        self._buffer = np.empty(0, np.float32)  # the last window and the samples since the last prediction
        self._n_received, self._predicted_until = 0, 0  # in samples
        self._n_fed = 0.0  # samples received, with the delay of the resampler: up to 0.04 s, 0.12 s at 8 kHz
        self._history: deque[tuple[float, float, float, np.ndarray]] = deque(maxlen=round(LIVE_HISTORY_S / LIVE_HOP_S))
        self._speech_s, self._latencies = 0.0, (0, 0.0, 0.0)  # n, sum, highest
        self._label_durations_s: defaultdict[str, float] = defaultdict(float)
        self._recording = np.zeros(round(MAX_LIVE_RECORDING_S * SAMPLE_RATE) if keep_recording else 0, np.int16)

    @property
    def duration_s(self) -> float:
        """Seconds of audio received."""
        return self._n_received / SAMPLE_RATE

    def feed(self, samples: np.ndarray, sample_rate: int) -> LivePrediction | None:
        """Adds the next samples.

        If more than one prediction is due, only the newest is made: a slow machine skips predictions instead of
        falling behind.

        Args:
            samples: int16, int32 or float in [-1, 1], shape = (n_samples,) or (n_samples, n_channels).
            sample_rate: of the samples, in Hz; it may change during a session.

        Returns:
            A prediction every LIVE_HOP_S, else None.

        Raises:
            AudioError: samples of another type or shape, samples that are not finite, an impossible sample rate.
        """
        began = time.perf_counter()
        mono = to_mono(samples)
        new = self._resample(mono, sample_rate)
        self._append_recording(new)
        self._n_received += len(new)
        self._n_fed += len(mono) * SAMPLE_RATE / sample_rate
        sound = np.concatenate([self._buffer, new])
        self._buffer = sound[-(self._window + self._hop) :].copy()
        due = round(self._n_fed) // self._hop * self._hop
        if due == self._predicted_until:
            return None
        too_new = max(0, self._n_received - due)
        return self._predict_window(sound[: len(sound) - too_new][-self._window :], due, began)

    def recording(self) -> np.ndarray:
        """The audio, at most its first hour: int16 at 16 kHz, shape = (n_samples,); empty without keep_recording."""
        return self._recording[: self._n_received]

    def trajectory(self) -> Trajectory | None:
        """The predictions of the last two minutes before smoothing, each over the time since the one before it."""
        if not self._history:
            return None
        start_s, end_s, speech_s, probabilities = (np.array(column) for column in zip(*self._history, strict=True))
        return Trajectory(
            model=self.model.name,
            labels=self.model.config.labels,
            start_s=start_s,
            end_s=end_s,
            probabilities=probabilities,
            speech_s=speech_s,
            window_s=self.model.trajectory_window_s,
            hop_s=LIVE_HOP_S,
            **reference_fields(self._reference()),
        )

    def summary(self) -> LiveSummary:
        """The totals since the start of the session."""
        n_predictions, total_s, highest_s = self._latencies
        return LiveSummary(
            duration_s=self.duration_s,
            speech_s=self._speech_s,
            label_durations_s=dict(sorted(self._label_durations_s.items(), key=itemgetter(1), reverse=True)),
            n_predictions=n_predictions,
            mean_latency_s=total_s / n_predictions if n_predictions else None,
            max_latency_s=highest_s if n_predictions else None,
        )

    def _append_recording(self, new: np.ndarray) -> None:
        room = self._recording[self._n_received : self._n_received + len(new)]
        room[:] = np.round(np.clip(new[: len(room)], -1, 1) * 32767)

    def _predict_window(self, window: np.ndarray, due: int, began: float) -> LivePrediction:
        """The prediction for the window that ends at sample `due`."""
        n_new = due - self._predicted_until
        at_s, elapsed_s = due / SAMPLE_RATE, n_new / SAMPLE_RATE
        prediction, new_speech_s = self._predict(window, elapsed_s)
        values = np.array([*prediction.probabilities.values()])
        self._history.append((at_s - elapsed_s, at_s, prediction.speech_s, values))
        threshold = self.model.calibration.threshold(bool(prediction.reference_clips))
        label, emotion, probabilities = self._smooth(prediction, threshold)
        latency_s = (self._n_fed - due) / SAMPLE_RATE + time.perf_counter() - began
        self._update_totals(label, elapsed_s, new_speech_s, latency_s)
        self._predicted_until = due
        return LivePrediction(
            at_s=at_s,
            label=label,
            emotion=emotion,
            confidence=probabilities[emotion] if emotion else None,
            probabilities=probabilities,
            min_confidence=threshold,
            speaking=new_speech_s > 0,
            level_dbfs=float(power_to_dbfs(np.square(window[-n_new:], dtype=np.float64).mean())),
            latency_s=latency_s,
            prediction=prediction,
        )

    def _predict(self, window: np.ndarray, elapsed_s: float) -> tuple[Prediction, float]:
        """The prediction for a window, and the seconds of speech in the time since the last one, at its end."""
        audible, _ = remove_rumble(window, SAMPLE_RATE)
        speech = speech_segments(audible)
        prediction, _, outputs = predict_with_outputs(self.model, audible, speech, reference=self._reference())
        end_s = len(window) / SAMPLE_RATE
        new_speech_s = float(speech_overlap_s(speech, np.array([end_s - elapsed_s]), np.array([end_s]))[0])
        if self._running and prediction.speech_s >= MIN_SPEECH_TO_PREDICT_S:
            self._running.add(outputs.embeddings.mean(0), new_speech_s)
        return prediction, new_speech_s

    def _reference(self) -> Reference | None:
        return self._running.reference() if self._running else None

    def _smooth(self, prediction: Prediction, threshold: float) -> tuple[str, str, dict[str, float]]:
        """(label, emotion, probabilities) after smoothing; threshold: of the confidence."""
        recent = self.trajectory()
        if recent is None or prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
            return NO_SPEECH, "", {}
        trajectory, lead = smooth_trajectory(recent, self.smoothing)
        label = str(window_labels(trajectory, lead, threshold)[-1])
        probabilities = dict(zip(trajectory.labels, trajectory.probabilities[-1].tolist(), strict=True))
        return (
            NOT_SURE if prediction.novelty == MAX_NOVELTY_PERCENTILE else label,
            trajectory.labels[lead[-1]],
            probabilities,
        )

    def _update_totals(self, label: str, elapsed_s: float, speech_s: float, latency_s: float) -> None:
        self._label_durations_s[label] += elapsed_s
        self._speech_s += speech_s
        n_predictions, total_s, highest_s = self._latencies
        self._latencies = n_predictions + 1, total_s + latency_s, max(highest_s, latency_s)
