"""The clips of a reference: how many, which ones of a collection, which part of each."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePosixPath

import numpy as np

from ser_core.audio import SAMPLE_RATE, AudioError, AudioFile, read_audio

MIN_REFERENCE_CLIPS = 3  # fewer work, with a note
MAX_REFERENCE_CLIPS = 30
MIN_SUGGESTED_COLLECTION = 10  # files: the mean of fewer says as much of their emotions as of microphone and room
MAX_REFERENCE_CLIP_S = 20.0  # of each clip of a collection, an archive or an enrolled voice
COLLECTION_SEED = 0  # of the drawing: names in order repeat sentences and emotions at fixed distances
FINGERPRINT_DIGITS = 16  # hexadecimal


def reference_part(waveform: np.ndarray) -> np.ndarray:
    """The start of a recording, 16 kHz, that is its clip of a reference; the rest need not stay in memory.

    Of files it is cut after decoding: one that is decoded in part has other samples, and is not known again.
    """
    longest = round(MAX_REFERENCE_CLIP_S * SAMPLE_RATE)
    return waveform if len(waveform) <= longest else waveform[:longest].copy()


def fingerprint(waveform: np.ndarray) -> str:
    """Of the samples of a recording, 16 kHz, shape = (n_samples,): two recordings have different ones."""
    return hashlib.sha256(np.asarray(waveform, np.float32).tobytes()).hexdigest()[:FINGERPRINT_DIGITS]


def distinct_clips(waveforms: Sequence[np.ndarray]) -> list[int]:
    """Which clips are not a copy of an earlier one, in order: a copy says nothing more about a voice."""
    first: dict[str, int] = {}
    for i, waveform in enumerate(waveforms):
        first.setdefault(fingerprint(waveform), i)
    return list(first.values())


def draw_reference_clips(n_clips: int) -> list[int]:
    """Which of n clips are the reference, if there are more than 30: the same at every call, in order."""
    rng = np.random.default_rng(COLLECTION_SEED)
    return sorted(rng.choice(n_clips, min(n_clips, MAX_REFERENCE_CLIPS), replace=False).tolist())


def draw_reference_files(names: Sequence[str]) -> list[int]:
    """Which of the files of a folder are the reference: the same in any order, and whatever stands before the names."""
    order = sorted(range(len(names)), key=lambda i: _place_in_folder(names[i]))
    return [order[i] for i in draw_reference_clips(len(names))]


def read_drawn_clips(names: Sequence[str], files: Sequence[AudioFile]) -> list[np.ndarray]:
    """The start of the files that are drawn, without those that cannot be read: what predicts these says why.

    Args:
        names: of the files, as for draw_reference_files.
        files: as for read_audio.
    """
    clips = []
    for i in draw_reference_files(names):
        with suppress(AudioError):
            clips.append(reference_part(read_audio(files[i]).waveform))
    return clips


def _place_in_folder(name: str) -> list[tuple[bool, str]]:
    """For sorting as walk_files does: the files of a folder, then those of its subfolders."""
    *folders, file = PurePosixPath(name.replace("\\", "/")).parts or ("",)
    return [*((True, folder) for folder in folders), (False, file)]
