"""The report of a clip as one HTML file, made when its button is clicked."""

import shlex
from pathlib import Path

import numpy as np

from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.export import file_name, offer_download
from pages.ui.samples import SAMPLES, VOICES, sample_list, voices
from pages.ui.session import SessionClip
from pages.ui.voice.sex import voice_group
from ser_core import paths
from ser_core.audio import SpeechSegments
from ser_core.interpret import VoiceGroup, load_voice_ranges, measure_voice
from ser_core.plots import ReportClip, clip_report

HELP = "One HTML file with figures that zoom, the sound, the numbers, the model, its limits and the citation."


def offer_report(
    clip: SessionClip, prepared: PreparedClip, result: ModelResult | None, label: str = "Download report"
) -> None:
    """A button; nothing without a result. The normal ranges are of the same speakers as in the view "Voice".

    Args:
        clip: of the session.
        prepared: its waveform, as analysed.
        result: of the model that the report is about.
    """
    if result is None:
        return
    name = file_name(clip.name, "html", "report")
    ranges = load_voice_ranges()
    # Both now: what makes the file after the click runs in a thread that knows nothing of the session.
    group, speech = voice_group(clip, ranges) if ranges else None, prepared.speech
    offer_download(
        label,
        lambda: clip_report(_content(clip, prepared.waveform, speech, result, group)),
        name,
        "text/html",
        icon=":material/description:",
        key=label,
        help=HELP,
    )


def _content(
    clip: SessionClip, waveform: np.ndarray, speech: SpeechSegments, result: ModelResult, group: VoiceGroup | None
) -> ReportClip:
    ranges = load_voice_ranges()
    return ReportClip(
        clip.name,
        waveform,
        speech,
        result.prediction,
        result.trajectory,
        result.min_confidence,
        result.metrics,
        measure_voice(waveform, speech),
        group,
        ranges.source if ranges else "",
        command_file(clip),
    )


def command_file(clip: SessionClip) -> str:
    """A clip as the command takes it: a file that comes with the program, the name of an upload, else FILE."""
    for sample in sample_list():
        if clip.link == Path(sample["file"]).stem:
            return (SAMPLES / sample["file"]).relative_to(paths.ROOT).as_posix()
    if clip.link in {voice.link for voice in voices()}:
        return f"{VOICES.relative_to(paths.ROOT).as_posix()}/{clip.link}_*"  # the full name would give the label away
    return shlex.quote(clip.name) if clip.kind == "upload" else "FILE"
