"""Below the answer: warnings of the recording, its quality in numbers, the model, the probabilities, the export."""

from collections.abc import Sequence

import streamlit as st

from pages.ui import export
from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.reports.clip import offer_report
from pages.ui.session import SessionClip
from pages.ui.text import UAR_HELP, describe_performance, plain
from ser_core.audio import Quality
from ser_core.inference import Segment
from ser_core.labels import format_number
from ser_core.plots import format_duration, format_time


def show_advice(quality: Quality) -> None:
    """Only when something is wrong with the recording."""
    if quality.advice:
        st.warning("  \n".join(map(plain, quality.advice)))


def show_details(quality: Quality, result: ModelResult | None) -> None:
    with st.expander("Recording and model in numbers", key="details"):
        with st.container(horizontal=True, gap="medium"):
            for label, value in _numbers(quality).items():
                st.metric(label, value, width="content")
        if result:
            st.caption(_facts(result), help=UAR_HELP)


def _numbers(quality: Quality) -> dict[str, str]:
    loudness = "too short" if quality.level_lufs is None else f"{format_number(quality.level_lufs, 'z.1f')} LUFS"
    return {
        "Speech": f"{format_duration(quality.speech_s)} of {format_duration(quality.duration_s)}",
        "Loudness": loudness,
        "Peak": f"{format_number(quality.peak_dbfs, 'z.1f')} dBFS",
        "Clipped": f"{quality.clipped_percent:.1f}%",
        "Signal to noise": "unknown" if quality.snr_db is None else f"{format_number(quality.snr_db, 'z.0f')} dB",
        "DC offset": f"{abs(quality.dc_offset):.3f}",
    }


def _facts(result: ModelResult) -> str:
    prediction = result.prediction
    version = f", version {prediction.version}" if prediction.version else ""
    clips = prediction.reference_clips
    reference = f"Reference clips of this voice: {clips}. " if clips else ""
    return (
        f"Analysed {format_time(prediction.start_s)} to {format_time(prediction.end_s)}, "
        f"with {format_duration(prediction.speech_s)} of speech, in {result.took_s:.2f} s by "
        f"{prediction.model}{version}. "
        f"{reference}{describe_performance(result.metrics)} {plain(result.note)}"
    )


def show_export(clip: SessionClip, prepared: PreparedClip, result: ModelResult, segments: Sequence[Segment]) -> None:
    """Downloads; the TextGrid holds the segments."""
    with st.container(horizontal=True):
        export.offer_export("JSON", export.as_json(clip, prepared.quality, result), "application/json", clip)
        export.offer_export("CSV", export.as_csv(clip, result), "text/csv", clip)
        grid = export.clip_textgrid(clip, prepared.quality, result, segments)
        export.offer_export("TextGrid", grid, "text/plain", clip)
        offer_report(clip, prepared, result)
