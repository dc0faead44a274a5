"""State of the view "Voice": the second clip, the group that the voice is compared with, the measures."""

from collections.abc import Sequence
from dataclasses import dataclass

from pages.ui.analysis import PreparedClip
from pages.ui.session import PageState, SessionClip, remember, session
from ser_core.interpret import measure_voice


@dataclass
class VoiceState(PageState):
    second: SessionClip | None = None  # beside the clip of the session
    group: str = ""  # sex of the speakers chosen last
    problem: str = ""  # why the latest second clip could not be read

    def contents(self) -> dict[str, int]:
        return {"second clips": int(self.second is not None)}


def voice_state() -> VoiceState:
    return session().page(VoiceState)


def measured_voice(prepared: PreparedClip) -> dict[str, float]:
    """The measures of a clip, computed once."""
    speech = prepared.speech
    return remember(lambda: measure_voice(prepared.waveform, speech), prepared.id, "voice")


def suggested_group(clip: SessionClip, groups: Sequence[str]) -> str:
    """The sex that the corpus states, else the last choice, else everybody."""
    stated = clip.utterance.sex if clip.utterance else voice_state().group
    return stated if stated in groups else groups[0]


def remember_group(group: str) -> None:
    """For the next clip."""
    voice_state().group = group
