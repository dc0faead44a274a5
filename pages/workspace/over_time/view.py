"""The view "Over time": emotion over any length of audio, drawn while the models are still running."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from pages.ui import analysis
from pages.ui.emotion import segment_cell, segment_label
from pages.ui.layout import show_rows
from pages.ui.problems import show_no_model, show_problem
from pages.ui.session import SessionClip
from pages.ui.text import plain
from pages.ui.voice.personal import PersonalModel, describe_voice
from pages.workspace import clip_bar, sound, trajectories
from pages.workspace.over_time import export, settings, units
from pages.workspace.over_time.settings import Choice
from pages.workspace.over_time.timeline import timeline
from pages.workspace.trajectories import ENROLLED, ClipTrajectories, ModelTrajectory
from ser_core.audio import speech_duration_s
from ser_core.inference import (
    NOT_ANALYSED,
    OWN_RECORDING,
    SHORT_RECORDING_NOTE,
    Annotation,
    Segment,
    SpeakerReferenceError,
    annotation_tiers,
)
from ser_core.models import models_for_long_audio
from ser_core.plots import describe_trajectory, format_time, timeline_data


def draw(clip: SessionClip) -> None:
    """The results so far; then, unless stopped, the models go on and the page starts again."""
    if not models_for_long_audio():
        show_no_model()
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        headline = st.container(width="stretch", gap=None)
        own, choice = _choose(clip)
    if problem := units.problem(clip):
        st.error(plain(problem))
    if not choice.models:
        st.info("Choose at least one model.")
        return
    found = trajectories.clip_trajectories(clip, analysis.prepare_clip(clip, clip_bar.settings()), choice.reference)
    if not _has_begun(found, choice.models):
        return
    known = units.predicted(found, choice.models[0], own)
    _show(clip, found, choice, own, known, headline)


def _has_begun(found: ClipTrajectories, models: Sequence[str]) -> bool:
    """Whether there is a first result; makes one if there is none, or shows why it cannot."""
    try:
        if not any(name in found.partials for name in models):
            with st.spinner("Analysing"):
                trajectories.analyse(found, models, step_s=0)
        return True
    except SpeakerReferenceError as error:
        show_problem(error)
        return False


def _choose(clip: SessionClip) -> tuple[tuple[Annotation, ...], Choice]:
    """Segments of the person; models, windows and smoothing."""
    with st.container(horizontal=True, width="content", gap="small"):  # on a phone both in one line
        with st.popover("Your segments", icon=":material/segment:", key="units"):
            own = units.choose_units(clip)
        with st.popover("Models and windows", icon=":material/tune:", key="over-time-settings"):
            return own, settings.choose(clip)


def _show(
    clip: SessionClip,
    found: ClipTrajectories,
    choice: Choice,
    own: Sequence[Annotation],
    known: list[Segment],
    headline,
) -> None:
    models, waits = choice.models, len(known) < len(own)
    done = found.is_done(models) and not waits
    going = not (found.stopped or done)
    bar = None if done else _show_state(found, models, going, len(known), len(own))
    found.view = choice.view
    lines = {name: trajectories.line(found, name, choice.view) for name in models if name in found.partials}
    if lines:
        with headline:
            _show_summary(found, models[0])
        _show_lines(clip, found, lines, own, known)
    if going:
        _go_on(found, choice, own, known, lambda: _show_progress(bar, found, models))
        st.rerun()


def _go_on(
    found: ClipTrajectories,
    choice: Choice,
    own: Sequence[Annotation],
    known: list[Segment],
    progress: Callable[[], None],
) -> None:
    """A piece of the work that is left: the user's segments first."""
    if len(known) < len(own):
        units.extend(found, choice.models[0], own, known)
    else:
        trajectories.analyse(found, choice.models, trajectories.STEP_S, progress)


def _show_state(found: ClipTrajectories, models: Sequence[str], going: bool, n_known: int, n_own: int):
    """How far it is, with Stop or Go on; the user's segments come first."""
    with st.container(horizontal=True, vertical_alignment="center"):
        place = st.empty()
        if going:
            st.button("Stop", on_click=_set_stopped, args=(found, True), key="stop")
        else:
            st.button("Go on", on_click=_set_stopped, args=(found, False), key="go-on", type="primary")
    if n_known < n_own:
        place.progress(n_known / n_own, f"Your segments: {n_known:,} of {n_own:,} predicted")
    else:
        _show_progress(place, found, models)
    return place


def _show_progress(place, found: ClipTrajectories, models: Sequence[str]) -> None:
    if all(found.covers(name) for name in models):
        hop_s = max(found.partials[name].predicted_hop_s for name in models)
        text = f"All of it is analysed every {hop_s:g} s, not yet in between"
    else:
        known_s = min(found.partials[name].until_s if name in found.partials else 0.0 for name in models)
        text = f"Partial: analysed to {format_time(round(known_s))} of {format_time(round(found.duration_s))}"
    place.progress(found.share(models), text)


def _set_stopped(found: ClipTrajectories, stopped: bool) -> None:
    found.stopped = stopped


def _show_summary(found: ClipTrajectories, name: str) -> None:
    words = describe_trajectory(trajectories.summary(found, name)) or "No speech was detected."
    so_far = "" if found.covers(name) else "So far: "
    st.markdown(f"#### {so_far}{words}")
    chosen = clip_bar.settings().model
    if chosen not in (None, name):  # the two may differ
        st.caption(f"By {plain(name)}. The answer is by {plain(chosen)}, which “Models and windows” offers here too.")


def _show_lines(
    clip: SessionClip,
    found: ClipTrajectories,
    lines: dict[str, ModelTrajectory],
    own: Sequence[Annotation],
    known: Sequence[Segment],
) -> None:
    (name, first), *others = lines.items()
    sound.show_strip([segment_cell(segment) for segment in first.segments])
    data = timeline_data(
        first.trajectory.among(found.emotions),
        first.segments,
        found.duration_s,
        first.min_confidence,
        found.duration_s if first.complete else first.until_s,
        annotation_tiers(own, known, found.duration_s),
        {other: line.segments for other, line in others},
    )
    n_labelled = sum(segment.confidence is not None for segment in first.segments)
    timeline(data, clip.id, f"Emotions over {found.duration_s:.0f} seconds, {n_labelled} segments with a prediction.")
    st.caption(_facts(found, name, first))
    if about_reference := _describe_reference(found, list(lines)):
        st.caption(about_reference)
    units.show_speakers(name, own, known)
    _show_segments(clip, found, name, first, own, known)
    rest = [Segment(one.start_s, one.end_s, NOT_ANALYSED) for one in own[len(known) :]]
    export.show_exports(clip, found, lines, list(zip(own, [*known, *rest], strict=True)))


def _describe_reference(found: ClipTrajectories, names: Sequence[str]) -> str:
    """Which of the models shown use the enrolled voice, or the recording itself; "" where no reference is chosen."""
    if found.reference == ENROLLED:
        return describe_voice([PersonalModel(name, found.partials[name].reference) for name in names])
    if found.reference != OWN_RECORDING:
        return ""
    used = [plain(name) for name in names if found.partials[name].reference]
    if not used:
        return SHORT_RECORDING_NOTE
    return "Relative to this recording" + (f": {', '.join(used)}." if len(used) < len(names) else ".")


def _facts(found: ClipTrajectories, name: str, line: ModelTrajectory) -> str:
    trajectory = line.trajectory
    windows = (
        f"One window of {trajectory.window_s:g} s covers all of it: nothing can change over time."
        if len(trajectory.start_s) == 1
        else f"Windows of {trajectory.window_s:g} s every {trajectory.hop_s:g} s, drawn at their centres."
    )
    return (
        f"{plain(name)}, {format_time(trajectory.start_s[0])} to {format_time(line.until_s)}; the clip has "
        f"{speech_duration_s(found.speech):.1f} s of speech. {windows} "
        "Arousal and valence follow from the probabilities."
    )


def _show_segments(
    clip: SessionClip,
    found: ClipTrajectories,
    name: str,
    line: ModelTrajectory,
    own: Sequence[Annotation],
    known: Sequence[Segment],
) -> None:
    """The user's segments, or else those of the model."""
    st.subheader("Your segments" if own else "Segments", anchor=False)
    key = _table_key(clip, found, line, own)
    shown = known if own else line.segments
    rows = [_row(segment) for segment in shown]
    if own:
        rows = [row | {"label": one.label, "speaker": one.speaker} for row, one in zip(rows, own, strict=False)]
    show_rows(
        rows,
        f"The segments of {name} from the beginning to the end",
        {"confidence": st.column_config.NumberColumn(format="percent")},
        key=key,
        on_select=partial(_play_segment, key, tuple(shown)),
        selection_mode="single-row",
    )
    st.caption("Choose a row to play it. Confidence: " + ("of the segment." if own else "the mean over its windows."))


def _row(segment: Segment) -> dict:
    """A line of the table."""
    return {
        "from": format_time(segment.start_s),
        "to": format_time(segment.end_s),
        "prediction": segment_label(segment),
        "confidence": None if segment.confidence is None else round(segment.confidence, 3),
        "duration (s)": round(segment.end_s - segment.start_s, 1),
        "speech (s)": round(segment.speech_s, 1),
    }


def _table_key(clip: SessionClip, found: ClipTrajectories, line: ModelTrajectory, own: Sequence[Annotation]) -> str:
    """Another one for other settings, references and possible emotions: their rows are other segments."""
    trajectory = line.trajectory
    which = f"{len(own)} own" if own else f"{trajectory.window_s}-{trajectory.hop_s}-{line.smoothing}"
    return f"segments-{clip.id}-{trajectory.model}-{which}-{found.reference}-{found.emotions}"


def _play_segment(key: str, shown: Sequence[Segment]) -> None:
    rows = st.session_state[key].get("selection", {}).get("rows", [])
    if rows and rows[0] < len(shown):
        sound.play(shown[rows[0]].start_s, shown[rows[0]].end_s)
