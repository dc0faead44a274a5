"""Exploratory statistics of the corpora: how the sound of one emotion differs from that of another."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import librosa
import numpy as np

from ser_core.audio import (
    ACTIVE_FRAME_RANGE_DB,
    OCTAVE_ERROR_SEMITONES,
    PITCH_RANGE_HZ,
    PROSODY_FRAME,
    SAMPLE_RATE,
    VOICED_CORRELATION,
    centred_frames,
    measure_prosody,
    power_to_dbfs,
)
from ser_core.data.corpora import CORPUS_NAMES, Utterance
from ser_core.labels import EMOTIONS


@dataclass(frozen=True)
class AcousticMeasure:
    """One thing that is measured in every recording."""

    title: str
    unit: str
    definition: str


_ACTIVE = f"frames of {1000 * PROSODY_FRAME // SAMPLE_RATE} ms that are at most {ACTIVE_FRAME_RANGE_DB:.0f} dB below the loudest one"
_VOICED = (
    f"voiced frames: active, and similar to themselves one period later (normalised correlation at least "
    f"{VOICED_CORRELATION}); the period is YIN's, {PITCH_RANGE_HZ[0]:.0f}-{PITCH_RANGE_HZ[1]:.0f} Hz, without octave jumps "
    f"(more than {OCTAVE_ERROR_SEMITONES:.0f} semitones from the recording's median)"
)

ACOUSTIC_MEASURES = {
    "pitch_hz": AcousticMeasure("Pitch", "Hz", f"geometric mean over {_VOICED}"),
    "pitch_sd_semitones": AcousticMeasure("Pitch spread", "semitones", f"standard deviation over {_VOICED}"),
    "energy_db": AcousticMeasure("Energy", "dBFS", f"mean RMS level of the active frames: {_ACTIVE}"),
    "level_dbfs": AcousticMeasure("Level", "dBFS", "RMS level of the whole recording, pauses included"),
    "zero_crossing_rate": AcousticMeasure("Zero crossing rate", "per sample", f"share of sign changes in {_ACTIVE}"),
    "centroid_hz": AcousticMeasure("Spectral centroid", "Hz", f"centre of the magnitude spectrum, mean over {_ACTIVE}"),
    "bandwidth_hz": AcousticMeasure("Spectral bandwidth", "Hz", f"spread around the centroid, mean over {_ACTIVE}"),
    "flatness": AcousticMeasure(
        "Spectral flatness", "0 to 1", f"geometric by arithmetic mean of the power, over {_ACTIVE}"
    ),
    "duration_s": AcousticMeasure("Duration", "s", "of the whole recording, pauses included"),
}
"""Name -> what it is. All are taken at 16 kHz, so nothing above 8 kHz is heard."""

MEASURES_BY_SEX = ("pitch_hz", "pitch_sd_semitones")
GROUP_ORDER = (*CORPUS_NAMES, *EMOTIONS, "all", "female", "male", "unknown")


@dataclass(frozen=True)
class MeasureDistribution:
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


def measure_recording(waveform: np.ndarray) -> dict[str, float]:
    """Every one of MEASURES for one recording; NaN for the pitch where nothing is voiced.

    Args:
        waveform: 16 kHz in [-1, 1], shape = (n_samples,), n_samples >= 1.
    """
    found = measure_prosody(waveform)
    active = centred_frames(waveform)[found.active]
    semitones = 12 * np.log2(found.voiced_hz)
    return {
        "pitch_hz": float(2 ** (semitones.mean() / 12)) if len(semitones) else np.nan,
        "pitch_sd_semitones": float(semitones.std()) if len(semitones) else np.nan,
        "energy_db": float(found.level_dbfs[found.active].mean()),
        "level_dbfs": float(power_to_dbfs(np.mean(np.square(waveform, dtype=np.float64)))),
        "zero_crossing_rate": float(np.mean(np.diff(np.signbit(active), axis=1))),
        **_spectral_means(active),
        "duration_s": len(waveform) / SAMPLE_RATE,
    }


def _spectral_means(frames: np.ndarray) -> dict[str, float]:
    """Means over the frames, from one spectrum of each."""
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(PROSODY_FRAME))).T
    centroid = librosa.feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE)
    return {
        "centroid_hz": float(centroid.mean()),
        "bandwidth_hz": float(
            librosa.feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE, centroid=centroid).mean()
        ),
        "flatness": float(librosa.feature.spectral_flatness(S=magnitude).mean()),
    }


def summarise_corpora(utterances: Sequence[Utterance], measurements: Sequence[dict[str, float]]) -> dict:
    """Everything a page plots, JSON-serialisable.

    Args:
        utterances: the recordings.
        described: describe() of each, in the same order.

    Returns:
        measures: what each one is; clips: corpus -> emotion -> how many; speakers: corpus -> sex -> how many;
        groups: one Group for each measure, corpus and emotion, those of BY_SEX for each sex too.
    """
    return {
        "measures": {name: asdict(measure) for name, measure in ACOUSTIC_MEASURES.items()},
        "clips": _count_pairs((u.corpus, u.emotion) for u in utterances),
        "speakers": _count_pairs(
            (corpus, sex) for corpus, sex, _ in {(u.corpus, u.sex, u.speaker) for u in utterances}
        ),
        "groups": [asdict(group) for group in _measure_distributions(utterances, measurements)],
    }


def _count_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """First -> second -> how often, in ORDER."""
    counts: dict[str, dict[str, int]] = {}
    for (first, second), n in sorted(
        Counter(pairs).items(), key=lambda item: [GROUP_ORDER.index(part) for part in item[0]]
    ):
        counts.setdefault(first, {})[second] = n
    return counts


def _measure_distributions(
    utterances: Sequence[Utterance], measurements: Sequence[dict[str, float]]
) -> Iterator[MeasureDistribution]:
    rows = defaultdict(list)
    for utterance, values in zip(utterances, measurements, strict=True):
        for sex in ("all", utterance.sex):
            rows[utterance.corpus, utterance.emotion, sex].append(values)
    for corpus, emotion, sex in sorted(rows, key=lambda key: [GROUP_ORDER.index(part) for part in key]):
        for measure in ACOUSTIC_MEASURES if sex == "all" else MEASURES_BY_SEX:
            values = np.array([row[measure] for row in rows[corpus, emotion, sex]])
            if (known := values[~np.isnan(values)]).size:
                yield _measure_distribution(measure, corpus, emotion, sex, known)


def _measure_distribution(measure: str, corpus: str, emotion: str, sex: str, values: np.ndarray) -> MeasureDistribution:
    points = (float(values.mean()), float(values.std()), *np.percentile(values, (5, 25, 50, 75, 95)).tolist())
    return MeasureDistribution(measure, corpus, emotion, sex, len(values), *(float(f"{point:.5g}") for point in points))
