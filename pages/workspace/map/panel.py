"""The panel beside the map: the clip the walk has reached, with its spectrogram and sound, and its neighbours."""

from collections import Counter
from collections.abc import Callable
from functools import partial

import streamlit as st

from pages.ui import results
from pages.ui.analysis import ModelResult
from pages.ui.components.player import show_spectrogram
from pages.ui.emotion import coloured
from pages.ui.layout import show_rows
from pages.ui.session import SessionClip, session
from pages.ui.text import describe_expectation, plain
from pages.ui.voice.personal import describe_voice
from pages.workspace.map import in_row, neighbours, state
from pages.workspace.map.neighbours import ANCHOR, Neighbourhood, WalkState
from pages.workspace.map.own_clips import EmbeddedClip
from ser_core.data import corpus_name
from ser_core.inference import MAX_NOVELTY_PERCENTILE, MIN_SPEECH_TO_PREDICT_S
from ser_core.interpret import Atlas
from ser_core.labels import format_probability
from ser_core.plots import emotion_label


def show_panel(found: Atlas, clip: SessionClip | None, own: EmbeddedClip | None, around: Neighbourhood | None) -> None:
    """Everything about one clip and its neighbours."""
    if clip and own is None:
        st.caption(f"The model {plain(found.model)} is not here: your clip cannot be placed in its space.")
    if own and clip:
        _show_own(own, state.answer(clip, found.model))
    if not results.recordings():
        _choose_shipped(found)
    speechless = own is not None and own.speech_s < MIN_SPEECH_TO_PREDICT_S
    if around is None or (speechless and not around.anchor):  # the neighbours of silence mean nothing
        st.caption("Click a point to play its clip and to walk among its neighbours.")
        return
    _show_heading(found, around, has_own=own is not None and not speechless)
    _show_buttons(found, around)
    row = neighbours.chosen(found, around)
    if row is not None:
        _show_clip(found, row)
    _show_table(found, around)
    in_row.follow(found, around)


def _show_own(own: EmbeddedClip, result: ModelResult | None) -> None:
    """A warning where the clip has no speech or is out of distribution, else the answer, as in the other views.

    Args:
        result: of the model for the clip; None for raw features.
    """
    name, prediction = f"**{plain(own.name)}**", result and result.prediction
    if own.speech_s < MIN_SPEECH_TO_PREDICT_S:
        st.warning(f"No speech was detected in {name}: its place on the map is meaningless.")
    elif prediction and prediction.novelty == MAX_NOVELTY_PERCENTILE:
        st.warning(f"{name} is out of distribution: farther from the training data than all unseen speech.")
    elif result and prediction:
        answer = f"{coloured(prediction.emotion)} {format_probability(prediction.confidence)}"
        doubt = ", not sure" if prediction.abstain else ""
        st.markdown(f"{name}: {answer}{doubt} ({plain(prediction.model)}).")
        if how_familiar := describe_expectation(prediction, metrics={}):
            st.caption(f"{plain(prediction.model)}: {how_familiar}")  # another model may disagree
    if about_voice := describe_voice([result.model] if result else []):
        st.caption(about_voice)


def _choose_shipped(found: Atlas) -> None:
    """Without the corpora, a way to the clips that can be played all the same."""
    ids = set(found.ids.tolist())
    there = [clip for clip in neighbours.shipped() if clip in ids]
    key = f"shipped-{found.model}"
    if there:
        st.selectbox(
            "Clips that come with the program",
            there,
            None,
            key=key,
            placeholder="play one",
            on_change=lambda: st.session_state[key] and neighbours.start_from(st.session_state[key]),
            help="To play the others, set `SER_CORPORA` and restart.",
        )


def _show_heading(found: Atlas, around: Neighbourhood, has_own: bool) -> None:
    emotions = Counter(found.column("emotion")[around.rows].tolist())
    corpora = Counter(found.column("corpus")[around.rows].tolist())
    of_whom = f"`{around.anchor}`" if around.anchor else "your clip"
    labelled, from_corpora = _most(emotions, "are labelled", coloured), _most(corpora, "are from", corpus_name)
    st.markdown(f"Of the {len(around.rows)} clips nearest to {of_whom}, {labelled} and {from_corpora}.")
    if around.itself:
        st.caption("This very recording is on the map. It is not counted.")  # its name tells the label
    if around.anchor and has_own:
        st.button("Neighbours of your clip", on_click=neighbours.back_to_own, key="own-neighbours", type="tertiary")


def _most(counts: Counter[str], verb: str, written: Callable[[str], str]) -> str:
    """The most frequent one with its count; all of them where several are equally frequent."""
    most = max(counts.values())
    names = [written(name) for name, n in counts.items() if n == most]
    return f"{most} {'each ' * (len(names) > 1)}{verb} {', '.join(names)}"


def _show_buttons(found: Atlas, around: Neighbourhood) -> None:
    place, first = session().page(WalkState).place, ANCHOR if around.anchor else 0
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for label, key, by, shortcut, off in (
            ("Previous", "previous-neighbour", -1, "p", place <= first),
            ("Next", "next-neighbour", 1, "n", place >= len(around.rows) - 1),
        ):
            st.button(
                label,
                key=key,
                on_click=neighbours.step,
                args=(found, around, by),
                shortcut=shortcut,
                disabled=off,
            )
        in_row.draw_button(found, around)


def _show_clip(found: Atlas, row: int) -> None:
    """Who speaks, label and prediction, spectrogram and sound."""
    clip, utterance = str(found.ids[row]), found.utterances[row]
    corpus, speaker = corpus_name(utterance.corpus), utterance.speaker.split("-")[1]
    predicted = str(found.column("predicted")[row])
    answer = f"; predicted {coloured(predicted)} {format_probability(found.confidence[row])}" if predicted else ""
    made = neighbours.recording(clip)
    with st.container(border=True, key="map-clip", gap="small"):
        if made:
            show_spectrogram(made.spectrogram, f"Spectrogram of {clip}", height=96)
        st.markdown(f"{corpus}, speaker {plain(speaker)}: label {coloured(utterance.emotion)}{answer}")
        with st.container(horizontal=True, vertical_alignment="center"):
            if made:
                icon = ":material/play_arrow:"
                st.button("Play", icon=icon, key="play-neighbour", on_click=neighbours.play, args=(clip,))
            else:
                st.caption("Its recording is not here: set `SER_CORPORA` and restart to play it.")
            st.caption(plain(clip))


def _show_table(found: Atlas, around: Neighbourhood) -> None:
    """The neighbours; a row goes there and plays."""
    key = f"neighbours-{found.model}-{around.anchor}"
    rows = [
        {
            "label": emotion_label(found.utterances[i].emotion),
            "corpus": corpus_name(found.utterances[i].corpus),
            "distance": round(float(distance), 2),
        }
        for i, distance in zip(around.rows.tolist(), around.distances, strict=True)
    ]
    alt, go = "The nearest clips, the nearest first", partial(_go_to_row, found, around, key)
    show_rows(rows, alt, key=key, on_select=go, selection_mode="single-row")
    st.caption("Distances are those in the space; a map distorts them.")


def _go_to_row(found: Atlas, around: Neighbourhood, key: str) -> None:
    if rows := st.session_state[key].get("selection", {}).get("rows", []):
        neighbours.go_to(found, around, rows[0])
