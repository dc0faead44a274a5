"""The report of a clip as one HTML file, made when its button is clicked."""

import streamlit as st

from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.export import file_name
from pages.ui.session import SessionClip
from ser_core.interpret import ANY_VOICE, load_voice_ranges, measure_voice
from ser_core.plots import ReportClip, clip_report

HELP = "One HTML file with figures that zoom, the sound, the numbers, the model, its limits and the citation."


def offer_report(clip: SessionClip, prepared: PreparedClip, result: ModelResult | None, sex: str = ANY_VOICE) -> None:
    """A button; nothing without a result.

    Args:
        clip: of the session.
        prepared: its waveform, as analysed.
        result: of the model that the report is about.
        sex: whose normal ranges are shown.
    """
    if result is None:
        return
    name = file_name(clip.name, "html").replace("_emotion", "_report")
    st.download_button(
        "Report",
        lambda: clip_report(_content(clip, prepared, result, sex)),
        name,
        "text/html",
        icon=":material/description:",
        on_click="ignore",
        key="report",
        help=HELP,
    )


def _content(clip: SessionClip, prepared: PreparedClip, result: ModelResult, sex: str) -> ReportClip:
    ranges = load_voice_ranges()
    speech = prepared.speech
    return ReportClip(
        clip.name,
        prepared.waveform,
        speech,
        result.prediction,
        result.trajectory,
        result.min_confidence,
        result.metrics,
        measure_voice(prepared.waveform, speech),
        ranges.group(sex) if ranges else None,
        ranges.source if ranges else "",
    )
