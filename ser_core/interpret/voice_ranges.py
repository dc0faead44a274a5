"""Normal ranges of the measures of a voice, from clips of unseen speakers, and where a clip lies in them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ser_core import paths
from ser_core.data import CORPUS_NAMES, Utterance
from ser_core.interpret.voice import PAUSE_MIN_S, VOICE_MEASURES
from ser_core.labels import EMOTIONS

VOICE_RANGES = paths.RESULTS / "voice_ranges.json"
VOICE_PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
ANY_VOICE = "all"  # emotion, or sex
VOICE_GROUPS = {ANY_VOICE: "all speakers", "female": "women", "male": "men"}
"""Sex -> name of the group."""
_MENTIONED = {"f0_hz": "pitch", "f0_range_semitones": "pitch range", "rate_hz": "speech rate", "hnr_db": "HNR"}
"""Measure -> its name in a sentence. Level depends on the microphone, formants on the words: neither is mentioned."""


@dataclass(frozen=True)
class VoiceRange:
    """Distribution of one measure over clips of a group of speakers."""

    percentiles: tuple[float, ...]  # values at VOICE_PERCENTILES

    @property
    def normal(self) -> tuple[float, float]:
        """The 5th and the 95th percentile."""
        return self.at(5), self.at(95)

    def at(self, percentile: float) -> float:
        """The value at a percentile."""
        return float(np.interp(percentile, VOICE_PERCENTILES, self.percentiles))

    def percentile_of(self, value: float) -> float:
        """Percentile of a value, in 1..99."""
        return float(np.interp(value, self.percentiles, VOICE_PERCENTILES))

    def place(self, value: float) -> str:
        """Whether a value is "below", "within" or "above" the normal range."""
        low, high = self.normal
        return "below" if value < low else "above" if value > high else "within"


@dataclass(frozen=True)
class VoiceGroup:
    """Ranges over clips of speakers of one sex and one emotion, either of which may be ANY_VOICE."""

    sex: str
    emotion: str
    n_speakers: int
    n_clips: int
    n_with_pauses: int  # clips
    ranges: Mapping[str, VoiceRange]  # by measure

    @property
    def pauses(self) -> str:
        """Why there is no range of pauses, in a sentence; "" where there is one."""
        if "pause_percent" in self.ranges:
            return ""
        return (
            f"Pauses have no normal range: the clips are single sentences, and only {self.n_with_pauses} of "
            f"{self.n_clips:,} contain a pause of {PAUSE_MIN_S:g} s or more."
        )


@dataclass(frozen=True)
class VoiceRanges:
    """All groups, and where they come from."""

    command: str
    speakers: str  # who they are, and how their sex is known
    corpora: Mapping[str, Mapping[str, int]]  # corpus -> sex -> speakers
    max_clips_per_speaker: int  # drawn at random
    groups: tuple[VoiceGroup, ...]  # the first is that of everyone

    def group(self, sex: str) -> VoiceGroup | None:
        """The group of a sex, of any emotion; None where too few speakers are known."""
        return next((group for group in self.groups if (group.sex, group.emotion) == (sex, ANY_VOICE)), None)

    @property
    def source(self) -> str:
        """One sentence for a caption."""
        everyone = self.groups[0]
        names = ", ".join(CORPUS_NAMES[name] for name in self.corpora)
        return (
            f"{self.speakers} {everyone.n_clips:,} clips of {everyone.n_speakers} speakers, at most "
            f"{self.max_clips_per_speaker} of each, of {names}."
        )


def summarise_voices(
    utterances: Sequence[Utterance], measured: Sequence[Mapping[str, float]], min_speakers: int
) -> tuple[VoiceGroup, ...]:
    """Groups by sex and emotion, each also over ANY_VOICE; those with fewer speakers are left out.

    Args:
        utterances: the clips.
        measured: measure_voice() of each, in the same order.
        min_speakers: of a group.
    """
    groups = []
    for sex in VOICE_GROUPS:
        for emotion in (ANY_VOICE, *EMOTIONS):
            rows = [
                i for i, u in enumerate(utterances) if sex in (ANY_VOICE, u.sex) and emotion in (ANY_VOICE, u.emotion)
            ]
            n_speakers = len({utterances[i].speaker for i in rows})
            if n_speakers >= min_speakers:
                clips = [measured[i] for i in rows]
                n_with_pauses = sum(clip.get("pause_percent", 0) > 0 for clip in clips)
                groups.append(VoiceGroup(sex, emotion, n_speakers, len(rows), n_with_pauses, _ranges(clips)))
    return tuple(groups)


def _ranges(measured: Sequence[Mapping[str, float]]) -> dict[str, VoiceRange]:
    """Of each measure that varies: hardly anybody pauses in the single sentences of the corpora."""
    ranges: dict[str, VoiceRange] = {}
    for name in VOICE_MEASURES:
        if values := [clip[name] for clip in measured if name in clip]:
            found = np.percentile(values, VOICE_PERCENTILES).tolist()
            one = VoiceRange(tuple(float(f"{value:.5g}") for value in found))
            ranges |= {name: one} if one.at(5) < one.at(95) else {}
    return ranges


def write_voice_ranges(found: VoiceRanges, path: Path) -> None:
    """Writes JSON."""
    paths.write_json(path, {"percentiles": VOICE_PERCENTILES, **asdict(found)}, allow_nan=False)


def load_voice_ranges() -> VoiceRanges | None:
    """Content of VOICE_RANGES; None where the file is missing or of another version."""
    try:
        return _read(VOICE_RANGES, VOICE_RANGES.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@lru_cache(maxsize=1)
def _read(path: Path, changed_ns: int) -> VoiceRanges:
    content = json.loads(path.read_text())
    if tuple(content.pop("percentiles")) != VOICE_PERCENTILES:
        raise ValueError("other percentiles")
    return VoiceRanges(**content | {"groups": tuple(map(_group, content["groups"]))})


def _group(content: dict) -> VoiceGroup:
    ranges = {name: VoiceRange(tuple(found["percentiles"])) for name, found in content["ranges"].items()}
    return VoiceGroup(**content | {"ranges": ranges})


def describe_voice(measured: Mapping[str, float], group: VoiceGroup) -> str:
    """What is unusual about a voice, in a sentence that names what is not; "" where nothing of it is measured."""
    known = [name for name in _MENTIONED if name in measured and name in group.ranges]
    places = {name: group.ranges[name].place(measured[name]) for name in known}
    normal = [_MENTIONED[name] for name in known if places[name] == "within"]
    words = [_UNUSUAL[name, places[name]] for name in known if places[name] != "within"]
    words += [f"{', '.join(normal)} within the normal range"] if normal else []
    who = f"clips of {group.n_speakers} unseen {'speakers' if group.sex == ANY_VOICE else VOICE_GROUPS[group.sex]}"
    return f"Compared with {who}: {'; '.join(words)}." if words else ""


_UNUSUAL = {
    ("f0_hz", "below"): "an unusually low pitch",
    ("f0_hz", "above"): "an unusually high pitch",
    ("f0_range_semitones", "below"): "an unusually narrow pitch range",
    ("f0_range_semitones", "above"): "an unusually wide pitch range",
    ("rate_hz", "below"): "unusually slow speech",
    ("rate_hz", "above"): "unusually fast speech",
    ("hnr_db", "below"): "an unusually low HNR (a rough or breathy voice)",
    ("hnr_db", "above"): "an unusually high HNR (a clear voice)",
}
"""(measure, place) -> words."""
