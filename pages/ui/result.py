"""Views of a result: the clip in the player, the prediction, the trajectory, the quality, the export."""

import streamlit as st

from pages.ui import export
from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.chart import chart, chosen_time, time_key
from pages.ui.clip import forget, trim, untrim
from pages.ui.clip_input import take_sample
from pages.ui.components.player import Cell, player
from pages.ui.samples import sample_list
from pages.ui.session import SessionClip, session
from pages.ui.text import UAR_HELP, describe_expectation, describe_performance, plain
from ser_core.audio import Quality
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, NOT_SURE, Prediction, Segment
from ser_core.labels import EMOTION_STYLES, EMOTIONS
from ser_core.models import WAV2VEC2_WEIGHTS_HINT, available_models
from ser_core.plots import (
    GREY,
    emotion_label,
    format_duration,
    format_time,
    probability_bars,
    stacked_probability_bars,
    trajectory_lines,
)


def show_empty() -> None:
    st.subheader("Nothing to analyse yet", anchor=False)
    st.markdown(
        "Record a few seconds of speech or upload a file. You get its waveform and spectrogram to play, the quality of "
        "the recording in numbers, the predicted emotion with its confidence, and how it changes over time."
    )
    st.button("Open a sample", on_click=take_sample, args=(sample_list()[0],))
    st.markdown("Eight classes: " + ", ".join(_coloured(emotion) for emotion in EMOTIONS) + ".")
    st.caption(
        "The models were trained on acted speech. They classify how a voice sounds, not what a person feels: judge "
        "nobody by it."
    )


def show_clip(clip: SessionClip, prepared: PreparedClip, result: ModelResult | None) -> None:
    """File name, what it is, and the player."""
    recording = clip.recording
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(gap=None, width="stretch"):
            st.text(clip.name)
            st.caption(
                f"{format_duration(recording.duration_s)} · {recording.codec}, {recording.source_rate / 1000:g} kHz, "
                f"{_channels(recording.source_channels)}, analysed as 16 kHz mono",
                help=f"Words: {clip.words}" if clip.words else None,
            )
        if full_clip := session().full_clip:
            label = f"Use all {format_duration(full_clip.recording.duration_s)}"
            st.button(label, icon=":material/undo:", on_click=untrim, key="untrim")
        st.button("Delete my audio", icon=":material/delete:", on_click=forget, key="delete")
    _warn(clip.notes + prepared.notes)
    over_time = result is not None and len(result.trajectory.start_s) > 1
    segments = export.clip_segments(clip, prepared.quality, result) if result and over_time else ()
    strip = [segment_cell(segment) for segment in segments]
    player(prepared.tracks, prepared.quality.speech_segments, strip, chosen_time(clip.id), key="player", on_trim=trim)
    _show_quality(prepared.quality)


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
    if len(result.trajectory.start_s) > 1:
        _show_trajectory(clip, result)


def show_side_by_side(results: list[ModelResult], problems: list[str]) -> None:
    """Every model's prediction for the same clip, as a chart and as a table."""
    st.subheader("Every model", anchor=False)
    _warn(tuple(problems))
    spoken = [result for result in results if result.prediction.speech_s >= MIN_SPEECH_TO_PREDICT_S]
    if not spoken:
        return
    chart(
        stacked_probability_bars([result.prediction for result in spoken]),
        key="side by side",
        alt="; ".join(f"{a.prediction.model}: {a.prediction.emotion} {a.prediction.confidence:.0%}" for a in spoken),
    )
    st.caption(_agreement([result.prediction for result in spoken]))
    st.dataframe(
        [_comparison_row(result) for result in spoken],
        hide_index=True,
        column_config={"confidence": st.column_config.NumberColumn(format="percent")},
        alt="Prediction, confidence and performance of each model",
    )
    if "wav2vec2" not in available_models():
        with st.expander("wav2vec2 is not installed"):
            st.text(WAV2VEC2_WEIGHTS_HINT)


def _agreement(predictions: list[Prediction]) -> str:
    """How many of the models that do not abstain agree."""
    predicted = [prediction.emotion for prediction in predictions if not prediction.abstain]
    if not predicted:
        return "All models abstain."
    common = max(dict.fromkeys(predicted), key=predicted.count)
    unsure = f"; {len(predictions) - len(predicted)} not sure" if len(predicted) < len(predictions) else ""
    agreed = f"{predicted.count(common)} of {len(predictions)} models predict {emotion_label(common)}"
    return f"{agreed}{unsure}. Full colour: the prediction."


def _comparison_row(result: ModelResult) -> dict:
    prediction = result.prediction
    closest = emotion_label(prediction.emotion)
    return {
        "model": prediction.model,
        "prediction": f"not sure ({closest})" if prediction.abstain else closest,
        "confidence": round(prediction.confidence, 2),
        "latency": f"{1000 * result.took_s:.0f} ms",
        "performance": describe_performance(result.metrics),
    }


def _show_verdict(prediction: Prediction) -> None:
    if prediction.abstain:
        st.header("Not sure", anchor=False)
        st.markdown(plain(prediction.reason))
        if prediction.speech_s >= MIN_SPEECH_TO_PREDICT_S:
            st.markdown("Closest: " + _ranking(prediction.top3))
        return
    st.header(_coloured(prediction.emotion), anchor=False)
    st.markdown(f"**{prediction.confidence:.0%} confidence**")
    st.markdown("Then " + _ranking(prediction.top3[1:]))


def show_expectation(prediction: Prediction, metrics: dict) -> None:
    """One line with the model, the familiarity of the recording, and how often the model is right."""
    if expected := describe_expectation(prediction, metrics):
        st.caption(f"{plain(prediction.model)}: {expected}")


def _show_truth(clip: SessionClip) -> None:
    if session().revealed != clip.id:
        st.button("Reveal the label", on_click=_reveal, args=(clip.id,), key="reveal")
        return
    st.markdown(f"The label is {_coloured(clip.utterance.emotion)}.")


def _reveal(clip_id: str) -> None:
    session().revealed = clip_id


def _show_trajectory(clip: SessionClip, result: ModelResult) -> None:
    """The trajectory, as a chart and as a table."""
    trajectory = result.trajectory
    st.subheader("Over time", anchor=False)
    chart(
        trajectory_lines(trajectory, clip.recording.duration_s),
        key=time_key(clip.id),
        numbers=False,
        on_select="rerun",
        selection_mode="points",
        alt=f"Probability of each emotion in {len(trajectory.start_s)} windows; the table below has the numbers.",
    )
    st.caption(
        f"Windows of {trajectory.window_s:g} s every {trajectory.hop_s:g} s. "
        "Click a name to hide or show its line, a point to go there in the player."
    )
    with st.expander("Table"):
        st.dataframe(export.window_rows(result), hide_index=True, alt="The windows and their probabilities")


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


def segment_label(segment: Segment) -> str:
    if segment.label in EMOTION_STYLES:
        return emotion_label(segment.label)
    return f"{NOT_SURE} ({emotion_label(segment.emotion)})" if segment.label == NOT_SURE else segment.label


def segment_cell(segment: Segment) -> Cell:
    """A segment as the player draws it."""
    start_s, end_s, label, text = segment.start_s, segment.end_s, segment.label, segment_label(segment)
    if segment.confidence is None:
        return Cell(start_s, end_s, label, "", GREY, 0.0, text)
    text = f"{text} {segment.confidence:.0%}"
    if label == NOT_SURE:
        return Cell(start_s, end_s, label, "?", GREY, 0.3, text)
    style = EMOTION_STYLES[label]
    return Cell(start_s, end_s, label, style.symbol, style.colour, 0.2 + 0.8 * segment.confidence, text)


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
    return ", ".join(f"{_coloured(name)} {probability:.0%}" for name, probability in pairs)


def _coloured(emotion: str) -> str:
    look = EMOTION_STYLES[emotion]
    return f':color[{look.symbol}]{{foreground="{look.colour}"}} {emotion}'


def _channels(n: int) -> str:
    return {1: "mono", 2: "stereo"}.get(n, f"{n} channels")
