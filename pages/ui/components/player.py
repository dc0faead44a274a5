"""The linked player: one time axis for waveform, speech, spectrogram and emotions; a click seeks, a drag loops."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.runtime import get_instance

from pages.ui.components.curves import Curves, curves
from pages.ui.components.sent import sent_value
from ser_core.audio import SAMPLE_RATE, encode_wav
from ser_core.plots import Spectrogram, format_frequency, png_source, spectrogram, waveform_envelope

LOWEST_PEAK = 0.01  # of full scale: below -40 dBFS a waveform is drawn as small as it is
FOLDER = Path(__file__).parent
_mount = st.components.v2.component(
    "linked_player",
    html=(FOLDER / "player.html").read_text(),
    css=(FOLDER / "player.css").read_text(),
    js="\n".join((FOLDER / name).read_text() for name in ("one_sound.js", "player.js", "player_loop.js", "dock.js")),
)


@dataclass(frozen=True, eq=False)
class Track:
    """One version of the sound, ready for the browser."""

    id: str
    name: str
    duration_s: float
    wav: bytes
    spectrogram: Spectrogram
    envelope: dict[str, list[int]]  # lowest and highest sample of each column, in percent of the peak
    peak: float  # of full scale
    curves: Curves | None  # pitch and level; None for a long one


@dataclass(frozen=True)
class Cell:
    """A span of time and its label."""

    start_s: float
    end_s: float
    name: str
    symbol: str
    colour: str
    opacity: float
    text: str


def track(name: str, waveform: np.ndarray, clip_id: str) -> Track:
    """Prepare a 16 kHz waveform, shape = (n_samples,), for the player."""
    low, high = waveform_envelope(waveform)
    peak = max(float(high.max()), float(-low.min()), LOWEST_PEAK)
    percent = {"low": _percent(low / peak), "high": _percent(high / peak)}
    duration_s = len(waveform) / SAMPLE_RATE
    image, lines = spectrogram(waveform), curves(waveform)
    return Track(f"{clip_id}-{name}", name, duration_s, encode_wav(waveform), image, percent, peak, lines)


def show_spectrogram(image: Spectrogram, alt: str, height: int) -> None:
    """The image over the full width."""
    style = f"display:block;width:100%;height:{height}px;border-radius:4px"
    st.html(f'<img alt="{alt}" src="{png_source(image.png)}" style="{style}">')


def _percent(values: np.ndarray) -> list[int]:
    return np.round(values * 100).astype(int).tolist()


def player(
    tracks: Sequence[Track],
    speech: Sequence[tuple[float, float]] | None,
    cells: Sequence[Cell],
    key: str,
    on_trim: Callable[[float, float], None],
) -> None:
    """Show versions of one recording; it has the keys of the page, and plays what `ser:play` events ask for.

    Args:
        tracks: of equal length; the last one is chosen first.
        speech: (start_s, end_s) of the speech; None: not known yet, the remote control brings it.
        cells: labels over time, without gaps.
        on_trim: called with (start_s, end_s) when the person wants to keep only the chosen interval.
    """
    hertz = [{"text": format_frequency(hz), "height": height} for hz, height in tracks[0].spectrogram.frequency_ticks]
    cells = [asdict(cell) for cell in cells]
    _mount(
        key=key,
        on_trim_change=lambda: _trimmed(key, on_trim),
        data={
            "id": sound_id(tracks),
            "duration_s": tracks[0].duration_s,
            "description": _description(tracks[0]),
            "tracks": [_track_data(track, f"{key}-{i}") for i, track in enumerate(tracks)],
            "hertz": hertz,
            "speech": speech,
            "cells": cells,
            "cells_id": hashlib.sha256(json.dumps(cells).encode()).hexdigest(),
        },
    )


def _description(track: Track) -> str:
    """For screen readers."""
    return (
        f"Waveform and mel spectrogram of {track.duration_s:.1f} seconds. {track.curves.words if track.curves else ''} "
        "Arrow keys move, page keys move far, space plays. The keys [ and ] set begin and end of a loop, L switches it "
        "on and off, Escape clears it."
    )


def sound_id(tracks: Sequence[Track]) -> str:
    """Of the sound that a player shows."""
    return " ".join(track.id for track in tracks)


def _trimmed(key: str, on_trim: Callable[[float, float], None]) -> None:
    """What the browser sent may be anything."""
    sent = sent_value(key, "trim")
    try:
        start_s, end_s = float(sent["start_s"]), float(sent["end_s"])
    except (KeyError, TypeError, ValueError):
        return
    if 0 <= start_s < end_s < float("inf"):
        on_trim(start_s, end_s)


def sound_url(track: Track, place: str) -> str:
    """Where the browser finds the sound of a track; a place is one on a page, and keeps what it showed last."""
    return served(track.wav, "audio/wav", f"{place}-sound", track.id)


def _track_data(track: Track, place: str) -> dict:
    image = served(track.spectrogram.png, "image/png", f"{place}-spectrogram", track.id)
    return {
        "name": track.name,
        "sound": sound_url(track, place),
        "spectrogram": image,
        "envelope": track.envelope,
        "peak": f"±{track.peak:.0%}",
        "curves": asdict(track.curves) if track.curves else None,
    }


def served(content: bytes, mime: str, place: str, name: str) -> str:
    """URL of a file the server keeps in memory as long as this session shows it, with byte ranges, as st.audio does.

    The name enters the URL's hash: the hash of large files leaves out most of their content.
    """
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}".rstrip("/") + get_instance().media_file_mgr.add(content, mime, place, file_name=name)
