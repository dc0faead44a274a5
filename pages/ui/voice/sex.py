"""The sex of a speaker, as stated and never guessed: in whose normal ranges a voice is shown, the same on all pages."""

from dataclasses import dataclass, field

from pages.ui.session import PageState, SessionClip, session
from ser_core.interpret import ANY_VOICE, VOICE_GROUPS, VoiceGroup, VoiceRanges


@dataclass
class SexState(PageState):
    chosen: dict[str, str] = field(default_factory=dict)  # clip id -> sex, or ANY_VOICE


def stated_sex(clip: SessionClip) -> str:
    """What the person chose for this clip, else what its corpus states, else ANY_VOICE."""
    of_corpus = clip.utterance.sex if clip.utterance else ANY_VOICE
    return session().page(SexState).chosen.get(clip.id, of_corpus if of_corpus in VOICE_GROUPS else ANY_VOICE)


def state_sex(clip: SessionClip, sex: str) -> None:
    """Keep the choice of the person."""
    session().page(SexState).chosen[clip.id] = sex


def voice_group(clip: SessionClip, ranges: VoiceRanges) -> VoiceGroup:
    """The speakers that a clip is compared with; all of them where too few of that sex are known."""
    return ranges.group(stated_sex(clip)) or ranges.groups[0]
