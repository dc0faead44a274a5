"""Segments of the user's own, from a file, as units of prediction."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import streamlit as st

from pages.ui.layout import show_rows
from pages.ui.model_picker import get_model
from pages.ui.session import PageState, SessionClip, erase, input_key, session
from pages.ui.text import counted, plain
from pages.workspace.trajectories import ClipTrajectories, reference_for
from ser_core.inference import (
    ANNOTATION_SUFFIXES,
    CPU_BATCH_SIZE,
    Annotation,
    AnnotationError,
    AnnotationFile,
    Segment,
    SpeakerMean,
    predict_annotations,
    read_annotations,
    speaker_means,
)
from ser_core.plots import emotion_label

UPLOADER = "own-segments"
TIERS_AS_SPEAKERS = "every tier is a speaker"
MAX_MEGABYTES = 20


@dataclass
class UnitsState(PageState):
    """The file of this clip."""

    follows_clip = True
    clip_id: str = ""
    name: str = ""
    found: AnnotationFile | None = None
    problem: str = ""
    file: object = None  # as uploaded

    def contents(self) -> dict[str, int]:
        return {"files with segments": int(self.found is not None)}

    def files(self) -> tuple[object, ...]:
        return (self.file,)


def choose_units(clip: SessionClip) -> tuple[Annotation, ...]:
    """Draws the inputs of a file; its segments, or none."""
    known = session().page(UnitsState)
    st.file_uploader(
        "Segments to predict one by one",
        [suffix.removeprefix(".") for suffix in ANNOTATION_SUFFIXES],
        key=uploader_key(clip),
        on_change=_take,
        args=(clip,),
        max_upload_size=MAX_MEGABYTES,
        help="TextGrid, RTTM, SRT or CSV. A CSV has the columns start_s and end_s, in seconds, and may have label "
        "and speaker. Where speakers are named, you also get their means.",
    )
    if known.clip_id != clip.id or known.found is None:
        return ()
    chosen = _choose_tier(known.found)
    for note in known.found.notes:
        st.caption(plain(note))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plain(f"{known.name}: {counted(len(chosen), 'segment')}"))
        st.button("Remove", on_click=_remove, args=(clip,), key="remove-units", type="tertiary")
    return chosen


def uploader_key(clip: SessionClip) -> str:
    """Widget key of the input for segments: another one for each clip, and after Remove."""
    return input_key(f"{UPLOADER}-{clip.id[:8]}")


def _take(clip: SessionClip) -> None:
    file = st.session_state[uploader_key(clip)]
    if file is None:
        return
    known = session().pages[UnitsState] = UnitsState(clip_id=clip.id, name=file.name, file=file)
    try:
        known.found = read_annotations(file.name, file.getvalue(), clip.recording.duration_s, clip.name)
    except AnnotationError as error:
        known.problem = f"{file.name}: {error}"


def _remove(clip: SessionClip) -> None:
    """Drops the file, also from the input and from the server."""
    erase(session().pages.pop(UnitsState).file)
    session().rounds[f"{UPLOADER}-{clip.id[:8]}"] += 1


def _choose_tier(found: AnnotationFile) -> tuple[Annotation, ...]:
    if len(found.tiers) == 1:
        return tuple(next(iter(found.tiers.values())))
    name = st.selectbox("Tier", [*found.tiers, TIERS_AS_SPEAKERS], key="tier")
    if name != TIERS_AS_SPEAKERS:
        return tuple(found.tiers[name])
    everything = [
        Annotation(one.start_s, one.end_s, one.label, tier) for tier, own in found.tiers.items() for one in own
    ]
    return tuple(sorted(everything, key=lambda one: one.start_s))


def problem(clip: SessionClip) -> str:
    """Why the last file for this clip could not be used, or ""."""
    known = session().page(UnitsState)
    return known.problem if known.clip_id == clip.id else ""


def predicted(found: ClipTrajectories, model: str, units: tuple[Annotation, ...]) -> list[Segment]:
    """The predictions so far; `extend` appends to them."""
    return found.units.setdefault((model, get_model(model).version, units), [])


def extend(found: ClipTrajectories, model: str, units: Sequence[Annotation], known: list[Segment]) -> None:
    """Predicts the next batch."""
    rest = units[len(known) :]
    reference = found.partials[model].reference if model in found.partials else reference_for(found, model)
    made = predict_annotations(found.model(model), found.waveform, rest, found.speech, reference)
    known.extend(islice(made, CPU_BATCH_SIZE))


def show_speakers(model: str, units: Sequence[Annotation], known: Sequence[Segment]) -> None:
    """The means by speaker, where speakers are named."""
    labels = get_model(model).config.labels
    means = speaker_means(units, known, labels)
    if not means:
        return
    st.subheader("Speakers", anchor=False)
    percent = st.column_config.NumberColumn(format="percent")
    number = st.column_config.NumberColumn(format="%.2f")
    rows = [_speaker_row(mean, labels) for mean in means]
    columns = {"arousal": number, "valence": number} | dict.fromkeys(labels, percent)
    show_rows(rows, "Mean prediction of each speaker", columns, key="speakers")
    st.caption("Means over the segments of a speaker, weighted by the speech in which nobody else is annotated.")


def _speaker_row(mean: SpeakerMean, labels: Sequence[str]) -> dict:
    return {
        "speaker": mean.speaker,
        "segments": mean.n_segments,
        "speech (s)": round(mean.speech_s, 1),
        "most likely": emotion_label(mean.emotion) if mean.emotion else "no speech",
        "arousal": mean.arousal,
        "valence": mean.valence,
        **{emotion: round(mean.probabilities[emotion], 2) for emotion in labels if mean.probabilities},
    }
