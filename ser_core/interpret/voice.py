"""The voice of a clip in numbers: pitch, level, voice quality, formants, rate and pauses.

Pitch, level and pauses are measured by `ser_core.audio`; voice quality, formants and rate are functionals of eGeMAPS
(Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS)", 2016), computed by opensmile.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from ser_core.audio import SAMPLE_RATE, SpeechSegments, analysed_bounds, measure_prosody
from ser_core.models import egemaps_functionals, functional_names

MAX_VOICE_S = 60.0  # of speech and its pauses: the measures of a minute are steady, and opensmile takes seconds
PAUSE_MIN_S = 0.15  # a shorter gap may be a plosive


@dataclass(frozen=True)
class VoiceMeasure:
    """One measure of a voice."""

    title: str
    unit: str
    decimals: int
    definition: str
    functional: str = ""  # of eGeMAPS; "" for those of ser_core.audio
    scale: float = 1.0  # from the functional to the unit


VOICE_MEASURES = {
    "f0_hz": VoiceMeasure("Pitch (F0)", "Hz", 0, "geometric mean of the fundamental frequency of voiced frames"),
    "f0_range_semitones": VoiceMeasure(
        "Pitch range", "semitones", 1, "from the 5th to the 95th percentile of F0; 12 semitones are an octave"
    ),
    "level_dbfs": VoiceMeasure("Level", "dBFS", 0, "mean RMS level of active frames: microphone and distance count"),
    "level_range_db": VoiceMeasure("Level range", "dB", 0, "from the 5th to the 95th percentile of the level"),
    "jitter_percent": VoiceMeasure(
        "Jitter", "%", 1, "mean change of the period from one to the next", "jitterLocal_sma3nz_amean", 100.0
    ),
    "shimmer_db": VoiceMeasure(
        "Shimmer", "dB", 2, "mean change of the peak amplitude between periods", "shimmerLocaldB_sma3nz_amean"
    ),
    "hnr_db": VoiceMeasure(
        "Harmonics to noise (HNR)", "dB", 1, "periodic to aperiodic energy of voiced frames", "HNRdBACF_sma3nz_amean"
    ),
    "f1_hz": VoiceMeasure("First formant", "Hz", 0, "mean over voiced frames", "F1frequency_sma3nz_amean"),
    "f2_hz": VoiceMeasure("Second formant", "Hz", 0, "mean over voiced frames", "F2frequency_sma3nz_amean"),
    "f3_hz": VoiceMeasure("Third formant", "Hz", 0, "mean over voiced frames", "F3frequency_sma3nz_amean"),
    "rate_hz": VoiceMeasure(
        "Speech rate", "per s", 1, "peaks of loudness, about one for each syllable", "loudnessPeaksPerSec"
    ),
    "pause_percent": VoiceMeasure(
        "Pauses", "%", 0, f"share of pauses of {PAUSE_MIN_S:g} s or more between the first and the last speech"
    ),
}
"""Name -> measure, in the order of a report."""


def measure_voice(waveform: np.ndarray, speech: SpeechSegments) -> dict[str, float]:
    """VOICE_MEASURES of a recording, without those that are undefined, such as the pitch of a whisper.

    Args:
        waveform: 16 kHz in [-1, 1], shape = (n_samples,); of its analysed part (analysed_bounds) the first
            MAX_VOICE_S.
        speech: (start_s, end_s) of its speech segments; without any there is no measure.

    Returns:
        Name -> value. Without opensmile, only the measures that need none.
    """
    if not speech:
        return {}
    start, end = analysed_bounds(waveform, speech)
    waveform = waveform[start : min(end, start + round(MAX_VOICE_S * SAMPLE_RATE))]
    values = _prosodic_measures(waveform) | _egemaps_measures(waveform) | {"pause_percent": _pause_percent(speech)}
    return {name: values[name] for name in VOICE_MEASURES if name in values}


def _prosodic_measures(waveform: np.ndarray) -> dict[str, float]:
    prosody = measure_prosody(waveform)
    level = prosody.level_dbfs[prosody.active]
    values = {"level_dbfs": float(level.mean()), "level_range_db": _spread(level)}
    if len(prosody.voiced_hz):
        semitones = 12 * np.log2(prosody.voiced_hz)
        values |= {"f0_hz": float(2 ** (semitones.mean() / 12)), "f0_range_semitones": _spread(semitones)}
    return values


def _spread(values: np.ndarray) -> float:
    low, high = np.percentile(values, (5, 95))
    return float(high - low)


def _egemaps_measures(waveform: np.ndarray) -> dict[str, float]:
    """Of eGeMAPS; opensmile gives 0 where no frame is voiced."""
    try:
        functionals = dict(zip(functional_names(), egemaps_functionals(waveform).tolist(), strict=True))
    except ImportError:  # of a research licence: not everybody installs it
        return {}
    measures = ((name, measure) for name, measure in VOICE_MEASURES.items() if measure.functional)
    return {name: m.scale * functionals[m.functional] for name, m in measures if functionals[m.functional]}


def _pause_percent(speech: SpeechSegments) -> float:
    """Within MAX_VOICE_S from the first speech on."""
    first_s = speech[0][0]
    kept = [
        (start_s, min(end_s, first_s + MAX_VOICE_S)) for start_s, end_s in speech if start_s < first_s + MAX_VOICE_S
    ]
    gaps = [later[0] - earlier[1] for earlier, later in itertools.pairwise(kept)]
    return 100 * sum(gap for gap in gaps if gap >= PAUSE_MIN_S) / (kept[-1][1] - first_s)
