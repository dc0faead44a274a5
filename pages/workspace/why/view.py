"""The view "Why": attribution map, the relevant parts to listen to, tests of the map, perturbations."""

import json

import streamlit as st

from pages.ui import analysis
from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.chart import chart
from pages.ui.components.player import player
from pages.ui.export import file_name, rows_as_csv
from pages.ui.model_picker import get_model, versions
from pages.ui.problems import show_no_model, show_problem
from pages.ui.session import SessionClip
from pages.workspace import clip_bar
from pages.workspace.why import checks, state
from pages.workspace.why.state import ExplainedWindow
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S
from ser_core.interpret import (
    GRAD_CAM,
    INTEGRATED_GRADIENTS,
    OCCLUSION,
    OCCLUSION_PATCH_BANDS,
    OCCLUSION_PATCH_S,
    SELF_ATTENTION,
    SILENCED_SPAN_S,
    SILENCING,
    AttributionTarget,
    Explanation,
    attribution_methods,
    mel_band_centres_hz,
)
from ser_core.labels import EMOTIONS
from ser_core.models import CheckpointError
from ser_core.plots import (
    OPPOSING_COLOUR,
    SUPPORTING_COLOUR,
    describe_relevance,
    emotion_label,
    format_time,
    relevance_map,
)

ABOUT = {
    GRAD_CAM: "Grad-CAM (Selvaraju et al. 2017): which regions of the last feature map raised the score. Quick and "
    "coarse, as that map has few cells.",
    OCCLUSION: f"Occlusion (Zeiler & Fergus 2014): the loss of score when a patch of "
    f"{OCCLUSION_PATCH_BANDS} bands and {OCCLUSION_PATCH_S:g} s takes the mean level of its bands.",
    INTEGRATED_GRADIENTS: "Integrated gradients (Sundararajan et al. 2017): what each cell adds on the way from "
    "silence to this sound. Fine, and grainy.",
    SELF_ATTENTION: "How often the model's self-attention looks at each moment: the mean over its heads, "
    "1 is the average. It is the same for every emotion: it shows where the model looked, not what for.",
    SILENCING: f"What the score loses when {SILENCED_SPAN_S:g} s of the sound fall silent. It works with every "
    "model but does not separate frequencies.",
}


def draw(clip: SessionClip) -> None:
    settings = clip_bar.settings()
    if settings.model is None:
        show_no_model()
        return
    try:
        prepared = analysis.prepare_clip(clip, settings)
        result = analysis.model_result(prepared, settings.model)
        get_model(settings.model)  # which may have been deleted since the prediction
    except CheckpointError as error:
        show_problem(error)
        return
    if result.prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        show_no_speech(result)
    else:
        show_explanation(clip, prepared, result)


def show_explanation(clip: SessionClip, prepared: PreparedClip, result: ModelResult) -> None:
    explained = choose_window(prepared, result)
    question, method = choose_question(explained)
    show_question(result, explained, question)
    found = state.explanation(explained, method, question)
    show_map(explained, found)
    with st.container(horizontal=True):
        show_export(clip, explained, found, question)
    show_sounds(explained, found, question)
    checks.show_trust(explained, found, question)
    checks.show_probe(explained)


def show_no_speech(result: ModelResult) -> None:
    st.info(
        f"{result.prediction.speech_s:.1f} s of speech were found, and {MIN_SPEECH_TO_PREDICT_S:g} s are needed. "
        "Record or choose another clip.",
        title="There is no prediction to explain",
    )


def choose_window(prepared: PreparedClip, result: ModelResult) -> ExplainedWindow:
    """The clip's only window, or one of several."""
    trajectory, place = result.trajectory, 0
    if len(trajectory.start_s) > 1:
        place = st.selectbox(
            "Window",
            range(len(trajectory.start_s)),
            state.most_confident_window(result),
            format_func=lambda i: _window_name(result, i),
            key=f"why-window {prepared.id} {trajectory.model}",
            help="Input window of the model. A longer clip is analysed in several windows.",
        )
    return state.window(prepared, result, place)


def _window_name(result: ModelResult, i: int) -> str:
    trajectory = result.trajectory
    times = f"{format_time(trajectory.start_s[i])} to {format_time(trajectory.end_s[i])}"
    if trajectory.speech_s[i] <= 0:
        return f"{times}, no speech"
    return f"{times}, {emotion_label(trajectory.emotions[i])} {trajectory.confidence[i]:.0%}"


def choose_question(explained: ExplainedWindow) -> tuple[AttributionTarget, str]:
    """Which emotion, instead of which other one, and by which method."""
    why, why_not, how = st.columns(3)
    key = f"{explained.id} {explained.model}"
    with why:
        likeliest = EMOTIONS.index(explained.emotion)
        emotion = st.selectbox("Why", EMOTIONS, likeliest, format_func=emotion_label, key=f"why {key}")
    with why_not:
        others = [other for other in EMOTIONS if other != emotion]
        instead_of = st.selectbox(
            "Why not",
            others,
            None,
            format_func=emotion_label,
            placeholder="any other",
            key=f"why-not {key} {emotion}",
            help="Explains how far the score of one emotion is above that of the other. Leave it empty to explain the "
            "score itself.",
        )
    with how:
        method = st.selectbox(
            "Method", attribution_methods(get_model(explained.model)), key=f"method {explained.model}"
        )
    return AttributionTarget(emotion, instead_of), method


def show_question(result: ModelResult, explained: ExplainedWindow, question: AttributionTarget) -> None:
    """The question, and the prediction for the window."""
    st.subheader(f"Why {_describe_target(question)}?", anchor=False)
    chosen = [question.emotion, *([question.instead_of] if question.instead_of else [])]
    values = ", ".join(f"{emotion_label(emotion)} {explained.probabilities[emotion]:.0%}" for emotion in chosen)
    others = "" if explained.emotion in chosen else f" The prediction is {emotion_label(explained.emotion)}."
    unsure = " For the full clip the model is not sure." if result.prediction.abstain else ""
    where_s = f"{format_time(explained.start_s)} to {format_time(explained.end_s)}"
    st.markdown(f"{versions([explained.model])}, {where_s}: {values}.{others}{unsure}")


def _describe_target(question: AttributionTarget) -> str:
    instead_of = f" and not {emotion_label(question.instead_of)}" if question.instead_of else ""
    return f"{emotion_label(question.emotion)}{instead_of}"


@st.fragment
def show_map(explained: ExplainedWindow, found: Explanation) -> None:
    """The map over the spectrogram, its profiles, and a summary in words."""
    words = describe_relevance(found, explained.frontend)
    spot = st.container()
    opacity = st.slider("Opacity of the map", 0, 100, 70, 5, format="%d %%", key="why-opacity")
    with spot:
        chart(
            relevance_map(found, state.window_spectrogram(explained), explained.frontend, opacity / 100),
            key="why-map",
            numbers=False,
            alt=f"{found.method} over the spectrogram. {_summary(found, words)}",
        )
        st.caption(_colours(found))
    st.markdown(_summary(found, words))
    st.caption(ABOUT[found.method] + _completeness(found) + _limits(explained))


def _colours(found: Explanation) -> str:
    light_blue, light_green = (f':color[■]{{foreground="{colour}"}}' for colour in (SUPPORTING_COLOUR, OPPOSING_COLOUR))
    if found.method == SELF_ATTENTION:
        return f"{light_blue} light blue: looked at. Above: over time, which counts from the beginning of the window."
    right = "; at the right: all moments" if len(found.relevance) > 1 else ""
    return (
        f"{light_blue} light blue: supports it; {light_green} light green: opposes it. Above: all frequencies "
        f"together{right}. Time counts from the beginning of the window."
    )


def _summary(found: Explanation, words: str) -> str:
    subject = "the attention" if found.method == SELF_ATTENTION else "what supports it"
    return f"Half of {subject} is {words}." if words else "Nothing here supports it."


def _completeness(found: Explanation) -> str:
    if found.score_difference is None:
        return ""
    return (
        f" The map sums to {found.relevance.sum():.2f}; from silence to this sound the score changed by "
        f"{found.score_difference:.2f}; {found.completeness_error:.2f} are not explained."
    )


def _limits(explained: ExplainedWindow) -> str:
    if GRAD_CAM in attribution_methods(get_model(explained.model)):
        return ""
    return f" {explained.model} has no spectrogram with bands as input: this is the only method available for it."


@st.fragment
def show_sounds(explained: ExplainedWindow, found: Explanation, question: AttributionTarget) -> None:
    """The relevant part and the remainder in a player, with the predictions for each."""
    st.subheader("Listen to the relevant parts", anchor=False)
    percent = st.slider(
        "Share of the spectrogram to keep, the most relevant parts first",
        5,
        95,
        20,
        5,
        format="%d %%",
        key="share",
    )
    key = (found.method, question, percent)
    parts = state.relevant_and_remainder(explained, found, question, percent / 100)
    tracks = state.tracks(explained, parts, explained.model, *key)
    player(tracks, explained.speech, key="why-player")
    probabilities = state.part_probabilities(explained, parts, *key)
    with st.container(horizontal=True, gap="large"):
        for name, values in probabilities.items():
            st.metric(f"{name}: {emotion_label(question.emotion)}", f"{values[question.emotion]:.0%}", width="content")
    likeliest = (
        f"{name.lower()}: {emotion_label(max(v, key=v.get))} {max(v.values()):.0%}" for name, v in probabilities.items()
    )
    st.caption(
        f"Most likely emotion of {'; '.join(likeliest)}. Masked audio is out of distribution: "
        "use these predictions to test the map only."
    )
    with st.container(horizontal=True):
        for sound in tracks[1:]:
            name = file_name(f"{explained.model} {sound.name}", "wav")
            label = f"Download WAV: {sound.name.lower()}"
            st.download_button(label, sound.wav, name, "audio/wav", icon=":material/download:")


def show_export(clip: SessionClip, explained: ExplainedWindow, found: Explanation, question: AttributionTarget) -> None:
    """The map as numbers."""
    rows = _map_rows(explained, found)
    content = {
        "file": clip.name,
        "model": explained.model,
        "version": get_model(explained.model).version,
        "method": found.method,
        "emotion": question.emotion,
        "instead_of": question.instead_of,
        "start_s": explained.start_s,
        "end_s": explained.end_s,
        "probabilities": explained.probabilities,
        "relevance": rows,
    }
    for kind, text, mime in (
        ("JSON", json.dumps(content, indent=1, ensure_ascii=False), "application/json"),
        ("CSV", rows_as_csv(rows), "text/csv"),
    ):
        name = file_name(clip.name, kind.lower())
        st.download_button(f"Download {kind}", text, name, mime, icon=":material/download:")


def _map_rows(explained: ExplainedWindow, found: Explanation) -> list[dict]:
    """One row for each frame: when it is in the recording, and the relevance of each band."""
    n_bands, n_frames = found.relevance.shape
    bands = [f"{hertz:.0f} Hz" for hertz in mel_band_centres_hz(explained.frontend)] if n_bands > 1 else ["all bands"]
    return [
        {"time_s": round(explained.start_s + i * found.hop_s, 4)}
        | dict(zip(bands, (float(f"{value:.5g}") for value in found.relevance[:, i]), strict=True))
        for i in range(n_frames)
    ]
