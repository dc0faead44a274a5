"""Downloads of the view "Why": the map as numbers."""

from functools import partial

import streamlit as st

from pages.ui.export import content_as_json, offer_export, rows_as_csv
from pages.ui.model_picker import get_model
from pages.ui.session import SessionClip
from pages.workspace.why.state import ExplainedWindow
from ser_core.interpret import AttributionTarget, Explanation, mel_band_centres_hz


def show_export(clip: SessionClip, explained: ExplainedWindow, found: Explanation, question: AttributionTarget) -> None:
    """The map as JSON and CSV."""
    head = {
        "file": clip.name,
        "model": explained.model,
        "version": get_model(explained.model).version,
        "method": found.method,
        "emotion": question.emotion,
        "instead_of": question.instead_of,
        "start_s": explained.start_s,
        "end_s": explained.end_s,
        "probabilities": explained.probabilities,
    }
    rows = partial(map_rows, explained, found)
    with st.container(horizontal=True):
        offer_export(
            "JSON", lambda: content_as_json(head | {"relevance": rows()}), "application/json", clip, "relevance"
        )
        offer_export("CSV", lambda: rows_as_csv(rows()), "text/csv", clip, "relevance")


def map_rows(explained: ExplainedWindow, found: Explanation) -> list[dict]:
    """One row for each frame: when it is in the recording, and the relevance of each band."""
    n_bands, n_frames = found.relevance.shape
    bands = [f"{hertz:.0f} Hz" for hertz in mel_band_centres_hz(explained.frontend)] if n_bands > 1 else ["all bands"]
    return [
        {"time_s": round(explained.start_s + i * found.hop_s, 4)}
        | dict(zip(bands, (float(f"{value:.5g}") for value in found.relevance[:, i]), strict=True))
        for i in range(n_frames)
    ]
