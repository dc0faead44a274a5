"""State of the view "Voice": the second clip, the measures."""

from dataclasses import dataclass

from pages.ui.analysis import PreparedClip
from pages.ui.session import PageState, SessionClip, remember, session
from ser_core.interpret import measure_voice


@dataclass
class VoiceState(PageState):
    second: SessionClip | None = None  # beside the clip of the session
    problem: str = ""  # why the latest second clip could not be read

    def contents(self) -> dict[str, int]:
        return {"second clips": int(self.second is not None)}


def voice_state() -> VoiceState:
    return session().page(VoiceState)


def measured_voice(prepared: PreparedClip) -> dict[str, float]:
    """The measures of a clip, computed once."""
    speech = prepared.speech
    return remember(lambda: measure_voice(prepared.waveform, speech), prepared.id, "voice")
