"""The view "Models": several models on one clip, their agreement, the ensemble, their input."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from pages.ui import analysis
from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.chart import chart
from pages.ui.emotion import agreement_in_words, show_expectation
from pages.ui.export import content_as_json, offer_export, rows_as_csv
from pages.ui.layout import opened, show_rows
from pages.ui.model_picker import choose_models, ensemble_members, get_model
from pages.ui.problems import show_no_model
from pages.ui.session import SessionClip, remember
from pages.ui.text import describe_performance, plain
from pages.ui.voice.personal import describe_voice
from pages.workspace import clip_bar
from ser_core.audio import SAMPLE_RATE
from ser_core.inference import (
    MIN_SPEECH_TO_PREDICT_S,
    Prediction,
    ensemble_disagreement,
    ensemble_prediction,
    frontend_features,
    pairwise_agreement,
    stack_probabilities,
)
from ser_core.labels import format_probability
from ser_core.models import WAV2VEC2_WEIGHTS_HINT, available_models, functional_names
from ser_core.plots import agreement_heatmap, aligned_probability_bars, emotion_label, features_png, format_time

MOST_FUNCTIONALS = 12
COMPARED = "compared-models"  # not the key of Many files: there one model is the default, here all of them are
FEATURES_WIDTH = 480  # pixels: a window is a few seconds


def draw(clip: SessionClip) -> None:
    names = available_models()
    if not names:
        show_no_model()
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        words = st.empty()
        with st.popover("Choose models", icon=":material/tune:", key="choose-models"):
            chosen = choose_models(names, n_first=len(names), key=COMPARED)
    prepared = analysis.prepare_clip(clip, clip_bar.settings())
    results, problems = analysis.model_results(prepared, chosen)
    for problem in problems:
        st.warning(plain(problem))
    spoken = [result for result in results if result.prediction.speech_s >= MIN_SPEECH_TO_PREDICT_S]
    if spoken:
        words.subheader(agreement_in_words([result.prediction for result in spoken]), anchor=False)
        show_comparison(clip, prepared, spoken)
        if words_on_voice := describe_voice([result.model for result in spoken]):
            st.caption(words_on_voice)
    else:
        st.info(plain(results[0].prediction.reason) if results else "Choose at least one model.")


def show_comparison(clip: SessionClip, prepared: PreparedClip, spoken: Sequence[ModelResult]) -> None:
    """Bars, then table, agreement and features to open, and the export."""
    predictions = [result.prediction for result in spoken]
    averaged = ensemble_members([prediction.model for prediction in predictions])
    members = [prediction for prediction in predictions if prediction.model in averaged]
    rows = [*predictions, ensemble_prediction(members)] if len(members) > 1 else predictions
    _show_bars(rows, spoken[0].prediction)
    _show_members(members)
    show_expectation(spoken[0].prediction, spoken[0].metrics)
    table = [_row(result, rows[-1] if len(members) > 1 else rows[0]) for result in spoken]
    if box := opened("Table: confidence, latency, parameters, performance", "models-table"):
        with box:
            alt = "Prediction and cost of each model"
            st.dataframe(table, hide_index=True, column_config=_formats(), placeholder="", alt=alt)
    if len(predictions) > 1 and (box := opened("Pairwise agreement", "models-agreement")):
        with box:
            _show_agreement(predictions)
    if box := opened("Input of a model", "models-input"):
        with box:
            _show_features(prepared, spoken)
    _show_exports(clip, rows, table)
    _show_how_to_install([prediction.model for prediction in predictions])


def _show_how_to_install(names: Sequence[str]) -> None:
    if "wav2vec2" not in names:
        with st.expander("wav2vec2 is not installed"):
            for line in WAV2VEC2_WEIGHTS_HINT.splitlines():
                if line.startswith("  "):
                    st.code(line.strip(), language="bash", wrap_lines=True)
                else:
                    st.text(line)


def _show_members(members: Sequence[Prediction]) -> None:
    if len(members) > 1:
        names = ", ".join(plain(member.model) for member in members)
        st.caption(f"The ensemble is the mean of {names}: calibrated models of one protocol.")
    else:
        st.caption("No ensemble: fewer than two of these models are calibrated under one protocol.")


def _show_bars(rows: Sequence[Prediction], first: Prediction) -> None:
    alt = "; ".join(f"{row.model}: {row.emotion} {format_probability(row.confidence)}" for row in rows)
    chart(aligned_probability_bars(rows), key="aligned", alt=alt)
    st.caption(
        f"Analysed {format_time(first.start_s)} to {format_time(first.end_s)}, with {first.speech_s:.1f} s of speech. "
        "Each bar goes from 0 to 100%. In full colour: the prediction; a model that is not sure has none."
    )


def _row(result: ModelResult, joint: Prediction) -> dict:
    """A row of the table: the prediction, whether the ensemble agrees, and the cost."""
    prediction = result.prediction
    closest = emotion_label(prediction.emotion)
    n_parameters = get_model(prediction.model).n_parameters()
    return {
        "model": prediction.model,
        "version": prediction.version,
        "prediction": f"not sure ({closest})" if prediction.abstain else closest,
        "confidence": round(prediction.confidence, 3),
        "differs": prediction.emotion != joint.emotion,
        "familiarity": prediction.familiarity,
        "latency ms": round(1000 * result.took_s),
        "parameters": n_parameters or None,
        "reason": prediction.reason,
        "performance": describe_performance(result.metrics),
    }


def _formats() -> dict:
    return {
        "confidence": st.column_config.NumberColumn(format="percent"),
        "differs": st.column_config.CheckboxColumn(
            help="Its most likely emotion is not that of the ensemble, or of the first model."
        ),
        "familiarity": st.column_config.TextColumn(
            help="Of the recording, compared with the training data; none where the model cannot tell."
        ),
        "latency ms": st.column_config.NumberColumn(
            help="Of the first run, features included; models with equal ones share them."
        ),
        "parameters": st.column_config.NumberColumn(format="localized", help="Empty: scikit-learn on functionals."),
    }


def _show_agreement(predictions: Sequence[Prediction]) -> None:
    """Pairwise agreement of the models."""
    rows, names = stack_probabilities(predictions), [prediction.model for prediction in predictions]
    st.markdown(f"Disagreement {ensemble_disagreement(rows):.2f}, 0 is full agreement.")
    chart(agreement_heatmap(pairwise_agreement(rows), names), key="agreement", alt="Agreement of every two models")
    st.caption(
        "The share of their probabilities that two models have in common, in percent: 100 for equal predictions. "
        "A column has the number of its row."
    )


def _show_features(prepared: PreparedClip, results: Sequence[ModelResult]) -> None:
    """Input features of one of the models, as its front end computes them."""
    predictions = {result.prediction.model: result.prediction for result in results}
    name = st.selectbox("Model", predictions, key="input-model")
    start_s = predictions[name].start_s
    end_s = min(predictions[name].end_s, start_s + get_model(name).config.window_s)
    window = prepared.waveform[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
    features = remember(
        lambda: frontend_features(get_model(name), window), prepared.id, "features", name, predictions[name].version
    )
    where = f"From {format_time(start_s)} to {format_time(end_s)}, its first window"
    if features.ndim == 2:
        st.image(features_png(features), alt=f"The features that {name} gets", width=FEATURES_WIDTH)
        st.caption(f"{where}. {_front_end(name)}")
    elif len(features) == len(window):
        st.caption(f"{where}. Input: the waveform itself.")
    else:
        rows = _functionals(features)
        show_rows(rows, f"The features of {name} that stand out most")
        st.caption(
            f"{where}. Input: {len(features)} functionals instead of a spectrogram; shown are the "
            f"{MOST_FUNCTIONALS} that are farthest from the average of the training clips, in standard deviations."
        )


def _front_end(name: str) -> str:
    config = get_model(name).config.frontend
    kind = f"{config.n_mfcc} cepstral coefficients" if config.n_mfcc else f"{config.n_mels} mel bands"
    hop_ms, window_ms = (1000 * n / config.sample_rate for n in (config.hop_length, config.win_length))
    more = " and ".join(f"{1000 * n / config.sample_rate:.0f} ms" for n in config.more_windows)
    others = f" The same from windows of {more} is added." if more else ""
    return (
        f"{kind}, the low ones at the bottom, every {hop_ms:.0f} ms from windows of {window_ms:.0f} ms.{others} "
        "The level is normalised."
    )


def _functionals(values: np.ndarray) -> list[dict]:
    order = np.argsort(-np.abs(values))[:MOST_FUNCTIONALS]
    names = functional_names()
    return [{"functional": names[i], "standard deviations": round(float(values[i]), 2)} for i in order]


def _show_exports(clip: SessionClip, rows: Sequence[Prediction], table: Sequence[dict]) -> None:
    lines = [
        {"file": clip.name, "model": row.model, "version": row.version, "not sure": row.abstain} | row.probabilities
        for row in rows
    ]
    content = {
        "file": clip.name,
        "predictions": [row.to_dict() for row in rows],
        "agreement": pairwise_agreement(stack_probabilities(rows)).round(4).tolist(),
        "models": table,
    }
    with st.container(horizontal=True):
        offer_export("CSV", rows_as_csv(lines), "text/csv", clip, "models")
        offer_export("JSON", content_as_json(content), "application/json", clip, "models")
