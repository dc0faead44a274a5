"""The view "Over time": emotion over long audio, drawn while the models are still running."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from pages.ui.chart import chart
from pages.ui.emotion import segment_cell, segment_label
from pages.ui.model_picker import choose_models, get_model, versions
from pages.ui.problems import show_no_model
from pages.ui.session import SessionClip
from pages.workspace import sound
from pages.workspace.over_time import export, state
from pages.workspace.over_time.state import Course, Line, View
from ser_core.inference import (
    EMA_SMOOTHING,
    HYSTERESIS_SMOOTHING,
    MEDIAN_SMOOTHING,
    NO_SMOOTHING,
    Segment,
    Smoothing,
)
from ser_core.models import models_for_long_audio
from ser_core.plots import format_time, segment_rows, trajectory_areas

WINDOWS = (1, 2, 4, 8)  # times the model's own
HOPS_S = (0.5, 1.0, 2.0, 5.0)  # multiples of the hop of the predictions
SMOOTHINGS = {
    NO_SMOOTHING: ((), "", ""),
    EMA_SMOOTHING: (
        (1, 2, 3, 5, 10, 20),
        "Time constant",
        "Exponential moving average: the past fades with this time constant.",
    ),
    MEDIAN_SMOOTHING: (
        (3, 5, 9, 15, 31),
        "Windows",
        "Each probability becomes the median over this many windows around it.",
    ),
    HYSTERESIS_SMOOTHING: ((1, 2, 3, 5, 10, 20), "Hold", "A new emotion counts only if it leads for this long."),
}


def choose_view(models: Sequence[str]) -> View:
    """Window, hop and smoothing; none of them runs a model again."""
    own_s = sorted({get_model(name).config.window_s for name in models}) or [0.0]
    left, right = st.columns(2)
    window = left.selectbox(
        "Window",
        WINDOWS,
        format_func=lambda n: " or ".join(f"{n * window_s:g} s" for window_s in own_s) if models else str(n),
        key="window",
        bind="query-params",
        help="The shortest is the model's own, what it was trained on. A longer one is the mean of its predictions, "
        "weighted by speech, as for a full recording. With several models each has multiples of its own.",
    )
    hops_s = [hop_s for hop_s in HOPS_S if hop_s <= window * own_s[0]] or [HOPS_S[0]]
    hop_s = right.selectbox(
        "Hop",
        hops_s,
        index=min(1, len(hops_s) - 1),
        format_func="{:g} s".format,
        key="hop",
        bind="query-params",
        help="From one window to the next. Models are run every 0.5 s; a wider hop shows a subset.",
    )
    return View(window, hop_s, _choose_smoothing())


def _choose_smoothing() -> Smoothing:
    left, right = st.columns(2)
    kind = left.selectbox("Smoothing", list(SMOOTHINGS), key="smoothing", bind="query-params")
    amounts, label, text = SMOOTHINGS[kind]
    if not amounts:
        return Smoothing()
    unit = "" if kind == MEDIAN_SMOOTHING else " s"
    amount = right.selectbox(
        label, amounts, index=2, format_func=lambda n: f"{n}{unit}", key=kind, bind="query-params", help=text
    )
    return Smoothing(kind, amount)


def choose_own_reference(models: Sequence[str]) -> bool:
    """Whether the recording is its own reference; asked if a model takes one."""
    return any(get_model(name).takes_reference for name in models) and st.toggle(
        "Relative to this recording",
        key="own-reference",
        help="For one speaker: models that take reference clips use this recording, from 10 s of speech on.",
    )


def draw(clip: SessionClip) -> None:
    names = models_for_long_audio()
    if not names:
        show_no_model()
        return
    with st.popover("Models and windows", icon=":material/tune:"):
        models = choose_models(names)
        view = choose_view(models)
        own_reference = choose_own_reference(models)
    if not models:
        st.info("Choose at least one model.")
        return
    found = state.course(clip, own_reference)
    if not any(name in found.partials for name in models):
        with st.spinner("Analysing"):
            state.analyse(found, models, step_s=0)
    show_course(clip, found, models, view)


def show_course(clip: SessionClip, found: Course, models: Sequence[str], view: View) -> None:
    """The results so far; then, unless stopped, the models go on and the page starts again."""
    going = not (found.stopped or found.is_done(models))
    bar = _show_state(clip, found, models, going)
    lines = {name: state.line(found, name, view) for name in models if name in found.partials}
    if lines:
        _show_lines(clip, found, lines)
    if not going:
        return
    if found.is_beginning:
        state.full_course(clip, found.own_reference)
    else:
        state.analyse(found, models, state.STEP_S, lambda: _show_progress(bar, found, models))
    st.rerun()


def _show_state(clip: SessionClip, found: Course, models: Sequence[str], going: bool):
    """How far it is, with Stop or Go on; nothing when all is done."""
    if found.is_done(models):
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        place = st.empty()
        if going:
            st.button("Stop", on_click=_set_stopped, args=(clip, found, True), key="stop")
        else:
            st.button("Go on", on_click=_set_stopped, args=(clip, found, False), key="go-on", type="primary")
    _show_progress(place, found, models)
    return place


def _show_progress(place, found: Course, models: Sequence[str]) -> None:
    if all(found.covers(name) for name in models):
        hop_s = max(found.partials[name].predicted_hop_s for name in models)
        text = f"All of it is analysed every {hop_s:g} s, not yet in between"
    else:
        known_s = min(found.partials[name].until_s if name in found.partials else 0.0 for name in models)
        text = f"Partial: analysed to {format_time(round(known_s))} of {format_time(round(found.duration_s))}"
    place.progress(found.share(models), text)


def _set_stopped(clip: SessionClip, found: Course, stopped: bool) -> None:
    # not `found`: all of the clip may have been searched for speech since the click
    state.course(clip, found.own_reference).stopped = stopped


def _show_lines(clip: SessionClip, found: Course, lines: dict[str, Line]) -> None:
    name, first = next(iter(lines.items()))
    sound.show_strip(clip.id, [segment_cell(segment) for segment in first.segments])
    _show_areas(clip, found, name, first)
    if len(lines) > 1:
        _show_lanes(found, lines)
    _show_segments(clip, name, first)
    export.show_exports(clip, found, lines)


def _show_areas(clip: SessionClip, found: Course, name: str, line: Line) -> None:
    trajectory = line.trajectory
    chart(
        trajectory_areas(trajectory, line.lead, found.speech, found.duration_s, line.min_confidence),
        key=f"trajectory-{clip.id}",
        numbers=False,
        on_select=partial(_play_from, f"trajectory-{clip.id}"),
        selection_mode="points",
        alt=f"Probability of each emotion in {len(line.lead)} windows; the table below has the segments.",
    )
    spoken_s = sum(end_s - start_s for start_s, end_s in found.speech)
    where = f"the first {state.BEGINNING_S:g} s have" if found.is_beginning else "the clip has"
    st.caption(
        f"Analysed {format_time(trajectory.start_s[0])} to {format_time(line.until_s)} by {versions([name])}; {where} "
        f"{spoken_s:.1f} s of speech. Windows of {trajectory.window_s:g} s every {trajectory.hop_s:g} s, drawn at "
        "their centres; the height of a colour is the probability of its emotion. Click "
        "anywhere to play from there."
        + (" Below the dotted line the model abstains (“not sure”)." if line.min_confidence else "")
    )


def _play_from(key: str) -> None:
    if points := st.session_state[key].get("selection", {}).get("points", []):
        sound.play(float(points[0]["x"]))


def _show_lanes(found: Course, lines: dict[str, Line]) -> None:
    st.subheader("Every model", anchor=False)
    by_model = {name: line.segments for name, line in lines.items()}
    chart(
        segment_rows(by_model, found.duration_s),
        key="lanes",
        numbers=False,
        alt=f"The predictions over time of {len(lines)} models, one lane each; the CSV has the numbers.",
    )
    st.caption("Grey with ?: not sure. Empty: no speech. The first model is the one shown above.")


def _show_segments(clip: SessionClip, name: str, line: Line) -> None:
    st.subheader("Segments", anchor=False)
    key = _table_key(clip, line)
    st.dataframe(
        [_row(segment) for segment in line.segments],
        hide_index=True,
        placeholder="",
        key=key,
        on_select=partial(_play_segment, key, line),
        selection_mode="single-row",
        column_config={"confidence": st.column_config.NumberColumn(format="percent")},
        alt=f"The segments of {name} from the beginning to the end",
    )
    st.caption("Choose a row to play it. Confidence: the mean over its windows.")


def _row(segment: Segment) -> dict:
    """A line of the table."""
    return {
        "from": format_time(segment.start_s),
        "to": format_time(segment.end_s),
        "prediction": segment_label(segment),
        "confidence": None if segment.confidence is None else round(segment.confidence, 3),
        "seconds": round(segment.end_s - segment.start_s, 1),
        "speech s": round(segment.speech_s, 1),
    }


def _table_key(clip: SessionClip, line: Line) -> str:
    """Another one for other settings: their rows are other segments."""
    trajectory = line.trajectory
    return f"segments-{clip.id}-{trajectory.model}-{trajectory.window_s}-{trajectory.hop_s}-{line.smoothing}"


def _play_segment(key: str, line: Line) -> None:
    rows = st.session_state[key].get("selection", {}).get("rows", [])
    if rows and rows[0] < len(line.segments):
        sound.play(line.segments[rows[0]].start_s, line.segments[rows[0]].end_s)
