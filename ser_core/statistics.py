"""Exploratory statistics of the corpora: how the sound of one emotion differs from that of another."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import librosa
import numpy as np

from ser_core.audio import SAMPLE_RATE
from ser_core.corpora import CORPUS_NAMES, Utterance
from ser_core.labels import EMOTIONS
from ser_core.prosody import (
    ACTIVE_DB,
    FRAME,
    OCTAVE_JUMP,
    PITCH_HZ,
    VOICED_CORRELATION,
    decibels,
    frames,
    prosody,
)


@dataclass(frozen=True)
class Measure:
    """One thing that is measured in every recording."""

    title: str
    unit: str
    definition: str


_ACTIVE = f"frames of {1000 * FRAME // SAMPLE_RATE} ms that are at most {ACTIVE_DB:.0f} dB below the loudest one"
_VOICED = (
    f"voiced frames: active, and similar to themselves one period later (normalised correlation at least "
    f"{VOICED_CORRELATION}); the period is YIN's, {PITCH_HZ[0]:.0f}-{PITCH_HZ[1]:.0f} Hz, without octave jumps "
    f"(more than {OCTAVE_JUMP:.0f} semitones from the recording's median)"
)

MEASURES = {
    "pitch_hz": Measure("Pitch", "Hz", f"geometric mean over {_VOICED}"),
    "pitch_sd_semitones": Measure("Pitch spread", "semitones", f"standard deviation over {_VOICED}"),
    "energy_db": Measure("Energy", "dBFS", f"mean RMS level of the active frames: {_ACTIVE}"),
    "level_dbfs": Measure("Level", "dBFS", "RMS level of the whole recording, pauses included"),
    "zero_crossing_rate": Measure("Zero crossing rate", "per sample", f"share of sign changes in {_ACTIVE}"),
    "centroid_hz": Measure("Spectral centroid", "Hz", f"centre of the magnitude spectrum, mean over {_ACTIVE}"),
    "bandwidth_hz": Measure("Spectral bandwidth", "Hz", f"spread around the centroid, mean over {_ACTIVE}"),
    "flatness": Measure("Spectral flatness", "0 to 1", f"geometric by arithmetic mean of the power, over {_ACTIVE}"),
    "duration_s": Measure("Duration", "s", "of the whole recording, pauses included"),
}
"""Name -> what it is. All are taken at 16 kHz, so nothing above 8 kHz is heard."""

BY_SEX = ("pitch_hz", "pitch_sd_semitones")
ORDER = (*CORPUS_NAMES, *EMOTIONS, "all", "female", "male", "unknown")


@dataclass(frozen=True)
class Group:
    """How one measure is spread over the recordings of one emotion in one corpus."""

    measure: str  # a key of MEASURES
    corpus: str
    emotion: str
    sex: str  # "all", "female", "male" or "unknown"
    n_clips: int  # that have a value: a recording without a voiced frame has no pitch
    mean: float
    sd: float
    p5: float  # percentiles
    q1: float
    median: float
    q3: float
    p95: float


def describe(waveform: np.ndarray) -> dict[str, float]:
    """Every one of MEASURES for one recording; NaN for the pitch where nothing is voiced.

    Args:
        waveform: 16 kHz in [-1, 1], shape = (n_samples,), n_samples >= 1.
    """
    found = prosody(waveform)
    active = frames(waveform)[found.active]
    semitones = 12 * np.log2(found.voiced_hz)
    return {
        "pitch_hz": float(2 ** (semitones.mean() / 12)) if len(semitones) else np.nan,
        "pitch_sd_semitones": float(semitones.std()) if len(semitones) else np.nan,
        "energy_db": float(found.level_dbfs[found.active].mean()),
        "level_dbfs": float(decibels(np.mean(np.square(waveform, dtype=np.float64)))),
        "zero_crossing_rate": float(np.mean(np.diff(np.signbit(active), axis=1))),
        **_spectral(active),
        "duration_s": len(waveform) / SAMPLE_RATE,
    }


def _spectral(frames: np.ndarray) -> dict[str, float]:
    """Means over the frames, from one spectrum of each."""
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(FRAME))).T
    centroid = librosa.feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE)
    return {
        "centroid_hz": float(centroid.mean()),
        "bandwidth_hz": float(
            librosa.feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE, centroid=centroid).mean()
        ),
        "flatness": float(librosa.feature.spectral_flatness(S=magnitude).mean()),
    }


def summarise(utterances: Sequence[Utterance], described: Sequence[dict[str, float]]) -> dict:
    """Everything a page plots, JSON-serialisable.

    Args:
        utterances: the recordings.
        described: describe() of each, in the same order.

    Returns:
        measures: what each one is; clips: corpus -> emotion -> how many; speakers: corpus -> sex -> how many;
        groups: one Group for each measure, corpus and emotion, those of BY_SEX for each sex too.
    """
    return {
        "measures": {name: asdict(measure) for name, measure in MEASURES.items()},
        "clips": _counts((u.corpus, u.emotion) for u in utterances),
        "speakers": _counts((corpus, sex) for corpus, sex, _ in {(u.corpus, u.sex, u.speaker) for u in utterances}),
        "groups": [asdict(group) for group in _groups(utterances, described)],
    }


def _counts(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """First -> second -> how often, in ORDER."""
    counts: dict[str, dict[str, int]] = {}
    for (first, second), n in sorted(Counter(pairs).items(), key=lambda item: [ORDER.index(part) for part in item[0]]):
        counts.setdefault(first, {})[second] = n
    return counts


def _groups(utterances: Sequence[Utterance], described: Sequence[dict[str, float]]) -> Iterator[Group]:
    rows = defaultdict(list)
    for utterance, values in zip(utterances, described, strict=True):
        for sex in ("all", utterance.sex):
            rows[utterance.corpus, utterance.emotion, sex].append(values)
    for corpus, emotion, sex in sorted(rows, key=lambda key: [ORDER.index(part) for part in key]):
        for measure in MEASURES if sex == "all" else BY_SEX:
            values = np.array([row[measure] for row in rows[corpus, emotion, sex]])
            if (known := values[~np.isnan(values)]).size:
                yield _group(measure, corpus, emotion, sex, known)


def _group(measure: str, corpus: str, emotion: str, sex: str, values: np.ndarray) -> Group:
    points = (float(values.mean()), float(values.std()), *np.percentile(values, (5, 25, 50, 75, 95)).tolist())
    return Group(measure, corpus, emotion, sex, len(values), *(float(f"{point:.5g}") for point in points))
