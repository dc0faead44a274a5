"""Exploratory statistics of the corpora: distributions of acoustic measures by emotion, corpus and sex."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

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
from ser_core.data.utterances import CORPUS_NAMES, Utterance
from ser_core.labels import EMOTIONS

MIN_POWER = 1e-10  # below, a bin counts as this in the spectral flatness


@dataclass(frozen=True)
class AcousticMeasure:
    """Acoustic measure of a recording."""

    title: str
    unit: str
    definition: str


_ACTIVE = (
    f"frames of {1000 * PROSODY_FRAME // SAMPLE_RATE} ms that are at most {ACTIVE_FRAME_RANGE_DB:.0f} dB below the "
    "loudest one"
)
_VOICED = (
    f"voiced frames: active, and similar to themselves one period later (normalised correlation at least "
    f"{VOICED_CORRELATION}); the period is YIN's, {PITCH_RANGE_HZ[0]:.0f}-{PITCH_RANGE_HZ[1]:.0f} Hz, without octave "
    f"jumps (more than {OCTAVE_ERROR_SEMITONES:.0f} semitones from the recording's median)"
)

ACOUSTIC_MEASURES = {
    "pitch_hz": AcousticMeasure("Pitch", "Hz", f"geometric mean over {_VOICED}"),
    "pitch_sd_semitones": AcousticMeasure("Pitch spread", "semitones", f"standard deviation over {_VOICED}"),
    "energy_db": AcousticMeasure("Energy", "dBFS", f"mean RMS level of the active frames: {_ACTIVE}"),
    "level_dbfs": AcousticMeasure("Level", "dBFS", "RMS level of the full recording, pauses included"),
    "zero_crossing_rate": AcousticMeasure("Zero crossing rate", "per sample", f"share of sign changes in {_ACTIVE}"),
    "centroid_hz": AcousticMeasure("Spectral centroid", "Hz", f"centre of the magnitude spectrum, mean over {_ACTIVE}"),
    "bandwidth_hz": AcousticMeasure("Spectral bandwidth", "Hz", f"spread around the centroid, mean over {_ACTIVE}"),
    "flatness": AcousticMeasure(
        "Spectral flatness", "0 to 1", f"geometric by arithmetic mean of the power, over {_ACTIVE}"
    ),
    "duration_s": AcousticMeasure("Duration", "s", "of the full recording, pauses included"),
}
"""Name -> measure. All are computed at 16 kHz, that is from frequencies up to 8 kHz."""

MEASURES_BY_SEX = ("pitch_hz", "pitch_sd_semitones")
GROUP_ORDER = (*CORPUS_NAMES, *EMOTIONS, "all", "female", "male", "unknown")


@dataclass(frozen=True)
class MeasureDistribution:
    """Distribution of one measure over the recordings of one emotion in one corpus."""

    measure: str  # a key of ACOUSTIC_MEASURES
    corpus: str
    emotion: str
    sex: str  # "all", "female", "male" or "unknown"
    n_clips: int  # with a value: a recording without voiced frames has no pitch
    mean: float
    sd: float
    p5: float  # percentiles
    q1: float
    median: float
    q3: float
    p95: float


def measure_recording(waveform: np.ndarray) -> dict[str, float]:
    """All ACOUSTIC_MEASURES of one recording; the pitch is NaN without voiced frames.

    Args:
        waveform: 16 kHz in [-1, 1], shape = (n_samples,), n_samples >= 1.
    """
    prosody = measure_prosody(waveform)
    active = centred_frames(waveform)[prosody.active]
    semitones = 12 * np.log2(prosody.voiced_hz)
    return {
        "pitch_hz": float(2 ** (semitones.mean() / 12)) if len(semitones) else np.nan,
        "pitch_sd_semitones": float(semitones.std()) if len(semitones) else np.nan,
        "energy_db": float(prosody.level_dbfs[prosody.active].mean()),
        "level_dbfs": float(power_to_dbfs(np.mean(np.square(waveform, dtype=np.float64)))),
        "zero_crossing_rate": float(np.mean(np.diff(np.signbit(active), axis=1))),
        **_spectral_means(active),
        "duration_s": len(waveform) / SAMPLE_RATE,
    }


def _spectral_means(frames: np.ndarray) -> dict[str, float]:
    """Spectral measures, averaged over the frames."""
    hertz = np.fft.rfftfreq(PROSODY_FRAME, 1 / SAMPLE_RATE)
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(PROSODY_FRAME)))
    share = magnitude / np.maximum(magnitude.sum(1, keepdims=True), np.finfo(float).tiny)
    centroid = (share * hertz).sum(1, keepdims=True)
    power = np.maximum(np.square(magnitude), MIN_POWER)
    return {
        "centroid_hz": float(centroid.mean()),
        "bandwidth_hz": float(np.sqrt((share * np.square(hertz - centroid)).sum(1)).mean()),
        "flatness": float((np.exp(np.log(power).mean(1)) / power.mean(1)).mean()),
    }


def summarise_corpora(utterances: Sequence[Utterance], measurements: Sequence[dict[str, float]]) -> dict:
    """Statistics of the corpora for plots, JSON-serialisable.

    Args:
        utterances: the recordings.
        measurements: measure_recording() of each, in the same order.

    Returns:
        measures: name -> AcousticMeasure; clips: corpus -> emotion -> count; speakers: corpus -> sex -> count;
        groups: a MeasureDistribution for each measure, corpus and emotion, those of MEASURES_BY_SEX also by sex.
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
    """First -> second -> count, in GROUP_ORDER."""
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
            measured = np.array([row[measure] for row in rows[corpus, emotion, sex]])
            if (defined := measured[~np.isnan(measured)]).size:
                yield _measure_distribution(measure, corpus, emotion, sex, defined)


def _measure_distribution(measure: str, corpus: str, emotion: str, sex: str, values: np.ndarray) -> MeasureDistribution:
    summary = (float(values.mean()), float(values.std()), *np.percentile(values, (5, 25, 50, 75, 95)).tolist())
    return MeasureDistribution(
        measure, corpus, emotion, sex, len(values), *(float(f"{value:.5g}") for value in summary)
    )
