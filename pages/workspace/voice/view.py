"""The view "Voice": the voice in numbers within normal ranges, a second clip beside the first, a report."""

import streamlit as st

from pages.ui import analysis
from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.chart import chart
from pages.ui.export import file_name, rows_as_csv
from pages.ui.layout import opened
from pages.ui.problems import show_problem
from pages.ui.reports.clip import offer_report
from pages.ui.session import SessionClip
from pages.ui.text import plain
from pages.workspace import clip_bar
from pages.workspace.voice import comparison, second
from pages.workspace.voice.state import measured_voice, remember_group, suggested_group, voice_state
from ser_core.inference import SpeakerReferenceError
from ser_core.interpret import (
    ANY_VOICE,
    VOICE_GROUPS,
    VOICE_MEASURES,
    VoiceGroup,
    VoiceRanges,
    describe_voice,
    load_voice_ranges,
)
from ser_core.models import AdapterError, CheckpointError, check_egemaps_installed
from ser_core.plots import NamedVoice, format_measure, format_number, voice_strips

NO_RANGES = "No normal ranges here: `python -m scripts.voice_ranges` measures them, and needs the corpora."


def draw(clip: SessionClip) -> None:
    prepared = analysis.prepare_clip(clip, clip_bar.settings())
    if not prepared.speech:
        st.info("A voice is measured where somebody speaks. Choose another clip.", title="No speech in this clip")
        return
    other = second.chosen_clip(clip)
    clips = [(clip, prepared)]
    if other:
        clips.append((other, analysis.prepare_clip(other, clip_bar.settings())))
        comparison.draw([one for one, _ in clips], [ready for _, ready in clips], _results(clips))
    measures, side = st.columns([1.8, 1], gap="large")
    with measures:
        _draw_measures(clips)
    with side:
        second.draw_choice(clip)
        offer_report(clip, prepared, _results(clips[:1])[0], voice_state().group)


def _results(clips: list[tuple[SessionClip, PreparedClip]]) -> list[ModelResult | None]:
    """Of the model in the bar; None where it cannot be used, with the reason."""
    settings = clip_bar.settings()
    try:
        return [analysis.answer(prepared, settings) for _, prepared in clips]
    except (CheckpointError, AdapterError, SpeakerReferenceError) as error:
        show_problem(error)
        return [None] * len(clips)


def _draw_measures(clips: list[tuple[SessionClip, PreparedClip]]) -> None:
    """The sentence, the strips, where they come from, the table."""
    names = ["A", "B"] if len(clips) > 1 else [clips[0][0].name]
    voices = [NamedVoice(name, measured_voice(ready)) for name, (_, ready) in zip(names, clips, strict=True)]
    ranges = load_voice_ranges()
    if ranges is None:
        st.caption(NO_RANGES)
        _draw_table(clips[0][0], voices, None)
        return
    sentences = st.container()
    group = _choose_group(clips[0][0], ranges)
    for voice in voices:
        named = f"**{voice.name}.** " if len(voices) > 1 else ""
        sentences.markdown(f"{named}{describe_voice(voice.measured, group)}")
    chart(voice_strips(voices, group), key="voice", numbers=False, alt=_alternative(voices, group))
    st.caption(
        f"Bar: the 5th to the 95th percentile of {group.n_clips:,} clips of {group.n_speakers} "
        f"{_who(group)}, the middle half darker. {ranges.source} {group.pauses}"
    )
    _draw_missing()
    _draw_table(clips[0][0], voices, group)


def _choose_group(clip: SessionClip, ranges: VoiceRanges) -> VoiceGroup:
    """Whose ranges; the sex of a speaker is never guessed from the voice."""
    groups = [sex for sex in VOICE_GROUPS if ranges.group(sex)]
    chosen = st.segmented_control(
        "Compared with",
        groups,
        format_func=lambda sex: VOICE_GROUPS[sex].capitalize(),
        default=suggested_group(clip, groups),
        required=True,
        key=f"voice-group-{clip.id}",
        help="Choose the group that fits the speaker. It is not guessed from the voice.",
    )
    remember_group(chosen)
    return ranges.group(chosen)


def _who(group: VoiceGroup) -> str:
    return "speakers" if group.sex == ANY_VOICE else VOICE_GROUPS[group.sex]


def _alternative(voices: list[NamedVoice], group: VoiceGroup) -> str:
    return "; ".join(
        f"{voice.name}: {VOICE_MEASURES[name].title} {format_measure(name, value)}, {_place(name, value, group)}"
        for voice in voices
        for name, value in voice.measured.items()
    )


def _place(name: str, value: float, group: VoiceGroup) -> str:
    return f"{group.ranges[name].place(value)} the normal range" if name in group.ranges else "no normal range"


def _draw_missing() -> None:
    """Without opensmile half of the measures are missing."""
    try:
        check_egemaps_installed()
    except ImportError as error:
        st.caption(f"Voice quality, formants and rate are missing: eGeMAPS {plain(str(error))}")


def _draw_table(clip: SessionClip, voices: list[NamedVoice], group: VoiceGroup | None) -> None:
    """All numbers and what they mean."""
    rows = [_row(name, voices, group) for name in VOICE_MEASURES if any(name in voice.measured for voice in voices)]
    if box := opened("Table and definitions", "voice-table", expanded=group is None):
        with box:
            st.dataframe(rows, hide_index=True, alt="The measures of the voice")
            name = file_name(clip.name, "csv").replace("_emotion", "_voice")
            st.download_button("Download CSV", rows_as_csv(rows), name, "text/csv", key="voice-csv")


def _row(name: str, voices: list[NamedVoice], group: VoiceGroup | None) -> dict:
    measure = VOICE_MEASURES[name]
    row = {"measure": measure.title, "unit": measure.unit}
    for voice in voices:
        value = voice.measured.get(name)
        row["value" if len(voices) == 1 else voice.name] = None if value is None else round(value, measure.decimals)
    found = group.ranges.get(name) if group else None
    row["normal"] = " to ".join(format_number(name, edge) for edge in found.normal) if found else ""
    return row | {"definition": measure.definition}
