"""The view "Voice": the voice in numbers within normal ranges, a second clip beside the first, a report."""

import streamlit as st

from pages.ui import analysis
from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.chart import chart
from pages.ui.export import file_name, offer_download, rows_as_csv
from pages.ui.layout import opened
from pages.ui.problems import show_problem
from pages.ui.reports.clip import offer_report
from pages.ui.session import SessionClip
from pages.ui.text import plain
from pages.ui.voice.sex import state_sex, voice_group
from pages.workspace import clip_bar
from pages.workspace.voice import comparison, second
from pages.workspace.voice.state import measured_voice
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
from ser_core.plots import NamedVoice, format_measure, format_normal, format_value, voice_strips

COLUMNS = {"measure": st.column_config.Column(width=170), "unit": st.column_config.Column(width=90)}  # pixels
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
        both, results = [ready for _, ready in clips], _results(clips)
        comparison.draw_clips([one for one, _ in clips], both, results)
        second.draw_controls(clip)
        comparison.draw_difference(both, results)
    measures, side = st.columns([1.8, 1], gap="large")
    with measures:
        _draw_measures(clips)
    with side:
        if not other:
            second.draw_choice(clip)
            results = _results(clips)
        for name, (one, ready), result in zip(("A", "B"), clips, results, strict=False):
            offer_report(one, ready, result, f"Download report of {name}" if other else "Download report")


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
    measured = {name: measured_voice(ready) for name, (_, ready) in zip(names, clips, strict=True)}
    ranges = load_voice_ranges()
    if ranges is None:
        st.caption(NO_RANGES)
        _draw_table(clips[0][0], measured, {})
        return
    sentences = st.container()
    with st.container(horizontal=True):
        groups = {name: _choose_group(clip, name, ranges) for name, (clip, _) in zip(names, clips, strict=True)}
    for name, values in measured.items():
        if about := describe_voice(values, groups[name]):
            sentences.markdown(f"{f'**{name}.** ' if len(clips) > 1 else ''}{about}")
    voices = [NamedVoice(name, values, groups[name]) for name, values in measured.items()]
    chart(voice_strips(voices), key="voice", numbers=False, alt=_alternative(voices))
    st.caption(_source(groups, ranges))
    _draw_missing()
    _draw_table(clips[0][0], measured, groups)


def _choose_group(clip: SessionClip, name: str, ranges: VoiceRanges) -> VoiceGroup:
    """Whose ranges; the sex of a speaker is never guessed from the voice."""
    chosen = st.segmented_control(
        "Compared with" if name == clip.name else f"{name} compared with",
        [sex for sex in VOICE_GROUPS if ranges.group(sex)],
        format_func=lambda sex: VOICE_GROUPS[sex].capitalize(),
        default=voice_group(clip, ranges).sex,
        required=True,
        key=f"voice-group-{clip.id}",
        help="Choose the group that fits the speaker. It is not guessed from the voice.",
    )
    state_sex(clip, chosen)
    return voice_group(clip, ranges)


def _source(groups: dict[str, VoiceGroup], ranges: VoiceRanges) -> str:
    """What the bar shows, and for which speakers: of each voice where the groups differ."""
    one = len({group.sex for group in groups.values()}) == 1
    clips = {f"{group.n_clips:,} clips of {group.n_speakers} {_who(group)}": name for name, group in groups.items()}
    shown = ", ".join(group if one else f"{group} ({name})" for group, name in clips.items())
    middle = ", the middle half darker" if one else ""
    return f"Bar: the 5th to the 95th percentile of {shown}{middle}. {ranges.source} {ranges.groups[0].pauses}"


def _who(group: VoiceGroup) -> str:
    return "speakers" if group.sex == ANY_VOICE else VOICE_GROUPS[group.sex]


def _alternative(voices: list[NamedVoice]) -> str:
    return "; ".join(
        f"{voice.name}: {VOICE_MEASURES[name].title} {format_measure(name, value)}, {_place(name, value, voice.group)}"
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


def _draw_table(clip: SessionClip, measured: dict[str, dict[str, float]], groups: dict[str, VoiceGroup]) -> None:
    """All numbers and what they mean.

    Args:
        clip: whose name the file gets.
        measured: by the name of the voice.
        groups: likewise; empty without ranges.
    """
    found = [name for name in VOICE_MEASURES if any(name in values for values in measured.values())]
    rows, shown = ([_row(name, measured, groups, on_page) for name in found] for on_page in (False, True))
    if box := opened("Table and definitions", "voice-table", expanded=not groups):
        with box:
            columns = {title: st.column_config.Column(alignment="right") for title in ("value", *measured)} | COLUMNS
            alt = "The measures of the voice"
            st.dataframe(shown, hide_index=True, placeholder="", column_config=columns, alt=alt)
            name = file_name(clip.name, "csv", "voice")
            offer_download("Download CSV", rows_as_csv(rows), name, "text/csv", key="voice-csv")


def _row(name: str, measured: dict[str, dict[str, float]], groups: dict[str, VoiceGroup], on_page: bool) -> dict:
    """A row of the CSV, or of the page: texts, each with the decimals of its measure and a minus sign."""
    measure = VOICE_MEASURES[name]
    row = {"measure": measure.title, "unit": measure.unit}
    for voice, values in measured.items():
        value, column = values.get(name), "value" if len(measured) == 1 else voice
        if value is None:
            row[column] = None
        else:
            row[column] = format_value(name, value) if on_page else round(value, measure.decimals)
    for voice, group in groups.items():
        found, whose = group.ranges.get(name), "" if len(groups) == 1 else f" {voice}"
        normal = format_normal(name, found) if found else ""
        row[f"normal{whose}, {VOICE_GROUPS[group.sex]}"] = normal if on_page else normal.replace("−", "-")
    return row | {"definition": measure.definition}
