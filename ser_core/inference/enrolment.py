"""Enrolment: the reference of a speaker or a collection, from unlabelled clips or from a long recording itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ser_core.audio import (
    WINDOW_OVERLAP,
    SpeechSegments,
    check_waveform,
    check_waveforms,
    speech_duration_s,
    speech_segments,
    speech_segments_of_each,
)
from ser_core.inference.forward import mean_over_windows, run_windows
from ser_core.inference.prediction.predict import predict
from ser_core.inference.prediction.trajectory import windows_with_speech
from ser_core.inference.reference import (
    OWN_RECORDING,
    Reference,
    SpeakerReferenceError,
    as_collection,
    check_reference,
    check_takes_emotions,
    check_takes_reference,
)
from ser_core.inference.reference_clips import (
    MAX_REFERENCE_CLIPS,
    MIN_REFERENCE_CLIPS,
    distinct_clips,
    draw_reference_clips,
    fingerprint,
    reference_part,
)
from ser_core.inference.results import Prediction
from ser_core.labels import EMOTIONS, EVERYDAY
from ser_core.models import SERModel, mean_offset
from ser_core.progress import Progress, no_progress

MIN_OWN_REFERENCE_SPEECH_S = 10.0  # of a recording as its own reference: of a shorter one it would hide the emotion


def speaker_reference(
    model: SERModel,
    waveforms: Sequence[np.ndarray],
    progress: Progress = no_progress,
    emotions: Sequence[str | None] = (),
) -> Reference:
    """The reference of a speaker: the mean over the clips of the mean embedding of each one's windows with speech.

    With their emotions, also clips of a single one make a good reference, such as sentences in an ordinary voice.

    Args:
        model: from load_model.
        waveforms: 1 to 30 clips of one speaker, best 3 or more in several moods, each mono at 16 kHz in [-1, 1] and of
            shape (n_samples,); one or two give a reference with a note, and copies count once.
        progress: called after each batch.
        emotions: of each clip, or "everyday" for natural speech, which is mostly neutral; None where unknown, and
            empty: all are.

    Raises:
        AudioError: a clip without samples, or with samples that are not finite.
        SpeakerReferenceError: no clips or more than 30, a clip without speech, a model that takes no reference,
            emotions that it cannot use, or a copy of a clip with another emotion.
    """
    check_takes_reference(model)
    check_waveforms(waveforms)
    if not 1 <= len(waveforms) <= MAX_REFERENCE_CLIPS:
        raise SpeakerReferenceError(
            f"{len(waveforms)} reference clips: give 1 to {MAX_REFERENCE_CLIPS} of one speaker."
        )
    known = _checked_emotions(model, emotions, len(waveforms))
    speech = speech_segments_of_each(waveforms)
    cut = [_speech_windows(model, w, s) for w, s in zip(waveforms, speech, strict=True)]
    _check_all_speak(cut)
    marks = [*map(fingerprint, waveforms)]
    _check_copies(marks, known)
    kept = distinct_clips(waveforms)
    rows = run_windows(model, [window for i in kept for window in cut[i]], progress).embeddings
    clips = mean_over_windows(rows, np.array([len(cut[i]) for i in kept]))
    speech_s = sum(speech_duration_s(speech[i]) for i in kept)
    reference = _build_reference(model, clips, speech_s, tuple(marks[i] for i in kept))
    return replace(reference, emotions=tuple(known[i] for i in kept) if known else ())


def collection_reference(
    model: SERModel, waveforms: Sequence[np.ndarray], progress: Progress = no_progress
) -> Reference | None:
    """Recordings of one kind (microphone, room, language) as the reference of each other, of any speaker.

    It tells a model what is ordinary for them. Recordings of a single mood are a poor reference: it would be hidden.

    Args:
        model: from load_model.
        waveforms: unlabelled clips in several moods, best all of the collection, as for speaker_reference; 30 are drawn
            at random, of each the first 20 s are used, and those without speech left out.
        progress: called after each batch.

    Returns:
        None with fewer than three clips of speech, of copies one.

    Raises:
        AudioError, SpeakerReferenceError: as speaker_reference.
    """
    check_takes_reference(model)
    check_waveforms(waveforms)
    drawn = [reference_part(waveforms[i]) for i in draw_reference_clips(len(waveforms))]
    spoken = [waveform for waveform in drawn if has_speech(model, waveform)]
    if len(distinct_clips(spoken)) < MIN_REFERENCE_CLIPS:
        return None
    return as_collection(speaker_reference(model, spoken, progress))


@dataclass(frozen=True)
class EnrolmentGain:
    """Predictions for labelled clips of one speaker, without a reference and relative to the speaker's other clips."""

    emotions: tuple[str, ...]  # the labels
    without: tuple[Prediction, ...]
    enrolled: tuple[Prediction, ...]

    @property
    def n_right(self) -> tuple[int, int]:
        """How many of the most probable emotions are the label: without, and with the reference."""
        before, after = (
            sum(p.emotion == emotion for p, emotion in zip(predictions, self.emotions, strict=True))
            for predictions in (self.without, self.enrolled)
        )
        return before, after


def enrolment_gain(
    model: SERModel,
    waveforms: Sequence[np.ndarray],
    emotions: Sequence[str | None],
    progress: Progress = no_progress,
) -> EnrolmentGain:
    """What a reference changes, on the labelled ones of the clips it is made of.

    Each is relative to the other clips, see predict.

    Args:
        model: that takes a reference.
        waveforms: two or more clips, as for speaker_reference.
        emotions: the label of each, None for a clip without.
        progress: called after each labelled clip.

    Raises:
        AudioError, SpeakerReferenceError: as speaker_reference, or a single clip.
    """
    if len(waveforms) < 2:
        raise SpeakerReferenceError("A single clip has no others to be compared with. Add some.")
    known = () if model.emotion_offsets is None else emotions
    reference = speaker_reference(model, waveforms, emotions=known)
    labelled = {i: emotion for i, emotion in enumerate(emotions) if emotion}
    without, enrolled = [], []
    for done, i in enumerate(labelled, 1):
        without.append(predict(model, waveforms[i]))
        enrolled.append(predict(model, waveforms[i], reference=reference))
        progress(done / len(labelled))
    return EnrolmentGain(tuple(labelled.values()), tuple(without), tuple(enrolled))


def recording_reference(
    model: SERModel,
    waveform: np.ndarray,
    speech: SpeechSegments | None = None,
    window_s: float | None = None,
) -> Reference | None:
    """A long recording of one speaker as its own reference; None if it has less than 10 s of speech.

    Its clips are windows with speech, without overlap: all, or 30 spread evenly. It is taken for everyday speech.

    Args:
        model, waveform, speech: as for predict.
        window_s: of the windows that are compared with it, by default those of predict. Longer windows have other
            embeddings: for predict_windows give its window_s, or `trajectory_window_s` of the model.

    Raises:
        AudioError: no samples, or samples that are not finite.
        SpeakerReferenceError: a model that takes no reference.
    """
    check_takes_reference(model)
    check_waveform(waveform)
    speech = speech_segments(waveform) if speech is None else speech
    speech_s = speech_duration_s(speech)
    if speech_s < MIN_OWN_REFERENCE_SPEECH_S:
        return None
    windows = windows_with_speech(model, waveform, speech, 0.0, window_s).cut(waveform)
    drawn = np.unique(np.linspace(0, len(windows) - 1, MAX_REFERENCE_CLIPS).round().astype(int))
    rows = run_windows(model, [windows[i] for i in drawn]).embeddings
    emotions = _everyday(model, len(drawn))
    return Reference(model.name, model.version, rows.mean(0), len(drawn), speech_s, None, "recording", (), emotions)


def has_speech(model: SERModel, waveform: np.ndarray) -> bool:
    """Whether a recording can be a reference clip."""
    return bool(_speech_windows(model, waveform, speech_segments(waveform), overlap=0.0))


class RunningReference:
    """The speech so far of a live session, everyday speech, as its reference: the mean over its windows with speech."""

    def __init__(self, model: SERModel, start: Reference | None = None):
        """
        Args:
            start: of the same speaker, enrolled before the session.

        Raises:
            SpeakerReferenceError: the model takes no reference, or `start` is one of another model.
        """
        check_reference(model, start or OWN_RECORDING)
        self._model, self._start, self._sum = model, start, np.zeros(1, np.float64)
        self._n_windows, self._speech_s = 0, 0.0

    def add(self, embedding: np.ndarray, new_speech_s: float) -> None:
        """Adds a window with speech.

        Args:
            embedding: shape = (embedding_dim,).
            new_speech_s: seconds of speech in it that earlier windows do not contain.
        """
        self._sum = self._sum + embedding
        self._n_windows += 1
        self._speech_s += new_speech_s

    def reference(self) -> Reference | None:
        """The reference; before 10 s of speech, what it started with, if anything."""
        if self._speech_s < MIN_OWN_REFERENCE_SPEECH_S:
            return self._start
        mean = (self._sum / self._n_windows).astype(np.float32)
        n_clips = round(self._speech_s / self._model.trajectory_window_s)  # not one each: windows overlap
        own = (self._model.name, self._model.version, mean, n_clips, self._speech_s)
        spoken = Reference(*own, None, "running", (), _everyday(self._model, n_clips))
        return _joined(self._start, spoken) if self._start else spoken


def _joined(enrolled: Reference, spoken: Reference) -> Reference:
    """The mean over the clips of both."""
    n_clips = enrolled.n_clips + spoken.n_clips
    mean = (enrolled.n_clips * enrolled.embedding + spoken.n_clips * spoken.embedding) / n_clips
    parts = [part.emotions or ("",) * part.n_clips for part in (enrolled, spoken)]
    emotions = (*parts[0], *parts[1]) if enrolled.emotions or spoken.emotions else ()
    speech_s = enrolled.speech_s + spoken.speech_s
    return replace(spoken, embedding=mean, n_clips=n_clips, speech_s=speech_s, emotions=emotions)


def _speech_windows(
    model: SERModel, waveform: np.ndarray, speech: SpeechSegments, overlap: float = WINDOW_OVERLAP
) -> list[np.ndarray]:
    """The windows of a recording that contain speech."""
    return windows_with_speech(model, waveform, speech, overlap).cut(waveform)


def _checked_emotions(model: SERModel, emotions: Sequence[str | None], n_clips: int) -> tuple[str, ...]:
    """The emotions of a reference, "" where one is unknown; () where all are."""
    if isinstance(emotions, str):  # of one letter for each clip
        raise SpeakerReferenceError(f"emotions is a list, with one for each clip: [{emotions!r:.40}] * {n_clips}.")
    known = (*EMOTIONS, EVERYDAY)
    if unknown := [emotion for emotion in emotions if emotion and emotion not in known]:
        raise SpeakerReferenceError(f"Unknown emotion {unknown[0]!r:.40}. There are: {', '.join(known)}.")
    if emotions and len(emotions) != n_clips:
        raise SpeakerReferenceError(f"{len(emotions)} emotions for {n_clips} reference clips: give one for each.")
    if not any(emotions):
        return ()
    check_takes_emotions(model)
    if not mean_offset(model, found := tuple(emotion or "" for emotion in emotions)).any():
        named = ", ".join(sorted({*filter(None, emotions)}))
        raise SpeakerReferenceError(
            f"{model.name} has not learned what clips with the emotion {named} have in common: too few corpora have "
            "it. Make the reference without emotions, best of clips in several moods."
        )
    return found


def _everyday(model: SERModel, n_windows: int) -> tuple[str, ...]:
    """Reference.emotions of windows whose emotions nobody states; () for a model that cannot use them."""
    return () if model.emotion_offsets is None else (EVERYDAY,) * n_windows


def _check_all_speak(cut: Sequence[list[np.ndarray]]) -> None:
    if silent := [str(number) for number, windows in enumerate(cut, 1) if not windows]:
        raise SpeakerReferenceError(
            f"Reference clips without speech: number {', '.join(silent)} of {len(cut)}. "
            "Leave them out, or record them again."
        )


def _check_copies(marks: Sequence[str], emotions: Sequence[str]) -> None:
    """marks: the fingerprint of each clip."""
    for copy, emotion in enumerate(emotions):
        first = marks.index(marks[copy])
        if emotions[first] != emotion:
            raise SpeakerReferenceError(
                f"Reference clips {first + 1} and {copy + 1} are the same recording with different emotions: leave "
                "one out."
            )


def _build_reference(model: SERModel, clips: np.ndarray, speech_s: float, marks: tuple[str, ...]) -> Reference:
    """From the embedding of each clip, shape = (n_clips, embedding_dim), and the fingerprint of each."""
    n_clips, mean = len(clips), clips.mean(0)
    # a clip less the mean of the others is n / (n - 1) times the clip less the mean of all
    distances = np.linalg.norm(clips - mean, axis=1) * n_clips / max(n_clips - 1, 1)
    spread = float(distances.mean()) if n_clips > 1 else None
    return Reference(model.name, model.version, mean, n_clips, float(speech_s), spread, clips=marks)
