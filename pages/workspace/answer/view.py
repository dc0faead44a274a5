"""The view "Answer": the predicted emotion, its confidence, how often the model is right, feedback, export."""

import streamlit as st

from pages.ui import analysis, export
from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.chart import chart
from pages.ui.emotion import coloured, segment_cell
from pages.ui.problems import show_no_model, show_problem
from pages.ui.session import SessionClip, session
from pages.ui.text import UAR_HELP, describe_expectation, describe_performance, plain
from pages.ui.voice.clips import offer_enrolment
from pages.workspace import clip_bar, sound
from pages.workspace.answer import feedback
from ser_core.audio import Quality
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, Prediction, SpeakerReferenceError
from ser_core.models import AdapterError, CheckpointError
from ser_core.plots import format_duration, format_time, probability_bars


def draw(clip: SessionClip) -> None:
    settings = clip_bar.settings()
    prepared = analysis.prepare_clip(clip, settings)
    try:
        result = analysis.model_result(prepared, settings.model, settings.my_voice, settings.enrolled)
    except (CheckpointError, AdapterError, SpeakerReferenceError) as error:
        show_problem(error)
        _show_quality(prepared.quality)
        return
    if result is None:
        show_no_model()
        _show_quality(prepared.quality)
        return
    segments = export.clip_segments(clip, prepared.quality, result)
    sound.show_strip(clip.id, [segment_cell(segment) for segment in segments])
    show_prediction(clip, result)
    _show_quality(prepared.quality)
    offer_enrolment(clip, result.prediction)
    feedback.show_feedback(clip, result)
    show_export(clip, prepared, result)


def show_prediction(clip: SessionClip, result: ModelResult) -> None:
    """Predicted emotion, confidence, all probabilities, and how they change over time."""
    prediction = result.prediction
    text, bars = st.columns([1, 1.35], gap="medium")
    with text:
        _show_verdict(prediction)
        if expected := describe_expectation(result.prediction, result.metrics):
            st.markdown(expected)
        st.caption(_facts(result), help=UAR_HELP)
        if prediction.reference_note:
            st.warning(plain(prediction.reference_note))
        if clip.utterance:
            _show_truth(clip)
    if prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        return
    with bars:
        chart(
            probability_bars(prediction, result.min_confidence or None),
            key="bars",
            alt="Probabilities: " + ", ".join(f"{n} {p:.0%}" for n, p in prediction.probabilities.items()),
        )
        if result.min_confidence:  # 0: no development speakers to find a threshold on
            st.caption(f"Dotted line: below {result.min_confidence:.0%} confidence the model abstains (“not sure”).")


def _show_verdict(prediction: Prediction) -> None:
    if prediction.abstain:
        st.header("Not sure", anchor=False)
        st.markdown(plain(prediction.reason))
        if prediction.speech_s >= MIN_SPEECH_TO_PREDICT_S:
            st.markdown("Closest: " + _ranking(prediction.top3))
        return
    st.header(coloured(prediction.emotion), anchor=False)
    st.markdown(f"**{prediction.confidence:.0%} confidence**")
    st.markdown("Then " + _ranking(prediction.top3[1:]))


def _show_truth(clip: SessionClip) -> None:
    if session().revealed != clip.id:
        st.button("Reveal the label", on_click=_reveal, args=(clip.id,), key="reveal")
        return
    st.markdown(f"The label is {coloured(clip.utterance.emotion)}.")


def _reveal(clip_id: str) -> None:
    session().revealed = clip_id


def _show_quality(quality: Quality) -> None:
    """The numbers of the quality report with its advice."""
    with st.container(horizontal=True, gap="medium"):
        for label, value in _numbers(quality).items():
            st.metric(label, value, width="content")
    _warn(quality.advice)


def _warn(sentences: tuple[str, ...]) -> None:
    if sentences:
        st.warning("  \n".join(plain(sentence) for sentence in sentences))


def _numbers(quality: Quality) -> dict[str, str]:
    loudness = "too short" if quality.level_lufs is None else f"{quality.level_lufs:.1f} LUFS"
    return {
        "Speech": f"{format_duration(quality.speech_s)} of {format_duration(quality.duration_s)}",
        "Loudness": loudness,
        "Peak": f"{quality.peak_dbfs:.1f} dBFS",
        "Clipped": f"{quality.clipped_percent:.1f} %",
        "Signal to noise": "unknown" if quality.snr_db is None else f"{quality.snr_db:.0f} dB",
        "DC offset": f"{abs(quality.dc_offset):.3f}",
    }


def show_export(clip: SessionClip, prepared: PreparedClip, result: ModelResult) -> None:
    with st.container(horizontal=True):
        _download("JSON", export.as_json(clip, prepared.quality, result), "application/json", clip.name)
        _download("CSV", export.as_csv(clip, result), "text/csv", clip.name)
        _download("TextGrid", export.clip_textgrid(clip, prepared.quality, result), "text/plain", clip.name)


def _download(kind: str, content: str, mime: str, clip_name: str) -> None:
    name = export.file_name(clip_name, kind if kind == "TextGrid" else kind.lower())
    label = f"Download {kind}"
    st.download_button(label, content, name, mime, icon=":material/download:")


def _facts(result: ModelResult) -> str:
    prediction = result.prediction
    return (
        f"Analysed {format_time(prediction.start_s)} to {format_time(prediction.end_s)}, "
        f"with {format_duration(prediction.speech_s)} of speech, in {result.took_s:.2f} s by {_versioned(prediction)}. "
        + _reference(prediction)
        + f"{describe_performance(result.metrics)} {plain(result.note)}"
    )


def _versioned(prediction: Prediction) -> str:
    return f"{prediction.model}, version {prediction.version}" if prediction.version else prediction.model


def _reference(prediction: Prediction) -> str:
    return f"Reference clips of this voice: {prediction.reference_clips}. " if prediction.reference_clips else ""


def _ranking(pairs) -> str:
    return ", ".join(f"{coloured(name)} {probability:.0%}" for name, probability in pairs)
