"""The lessons of the page "Learn": each has one idea, a control or two, a figure that follows it, three sentences."""

import streamlit as st

from pages.learn import corpora, voice
from pages.learn.sound import excerpt, first_model, sound
from pages.ui.chart import chart
from pages.ui.layout import opened
from pages.ui.session import remember
from ser_core.audio import SAMPLE_RATE
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, predict
from ser_core.interpret import (
    LESSON_HOP_LENGTH,
    LESSON_WINDOWS_MS,
    MODEL_FRONTEND,
    MODEL_FRONTEND_WINDOW_S,
    circumplex_position,
    frequency_resolution_hz,
    highest_variance_channels,
    logmel_db,
    mel_band_edges_hz,
    mfcc_explained_variance,
    mfcc_reconstruction,
    stage_feature_maps,
)
from ser_core.labels import format_number, format_probability
from ser_core.models import SERModel
from ser_core.plots import (
    circumplex_plot,
    feature_map_grid,
    format_time,
    log_mel_image,
    mel_filter_triangles,
    spectral_envelope_lines,
)

EXCERPT_S = 2.5
SHORT_S = 0.8  # short enough to see single periods of a voice
WINDOW_S, N_MELS = MODEL_FRONTEND_WINDOW_S, MODEL_FRONTEND.n_mels
N_MAPS = 12


def filterbank() -> None:
    """Number of bands and upper edge against what is left of the sound."""
    st.markdown(
        "A network does not process 16,000 samples a second. Each short-time spectrum is summed into a few **mel "
        "bands**, "
        "narrow and close below 1 kHz, wide above, much as the ear does. Few bands blur one voice into another; many "
        "keep every harmonic, also those without information about emotion."
    )
    with st.container(horizontal=True):
        n_mels = st.select_slider("Bands", (4, 8, 16, 32, 64, 128), N_MELS, key="bands")
        fmax = st.select_slider("Up to [Hz]", (2000, 4000, 8000), 8000, key="fmax")
    _show_filters(n_mels, fmax)
    part = excerpt(EXCERPT_S)
    level_db = logmel_db(part.waveform, n_mels, WINDOW_S, fmax)
    chart(
        log_mel_image(level_db, fmax, part.start_s, part.duration_s),
        key="through",
        numbers=False,
        alt=f"Spectrogram of the excerpt in {n_mels} bands up to {fmax} Hz",
    )


def _show_filters(n_mels: int, fmax: int) -> None:
    edges_hz = mel_band_edges_hz(n_mels, fmax)
    low_hz, high_hz = edges_hz[0, 2] - edges_hz[0, 0], edges_hz[-1, 2] - edges_hz[-1, 0]
    caption = f"{n_mels} filters: the lowest is {low_hz:.0f} Hz wide, the highest {high_hz:.0f} Hz"
    chart(mel_filter_triangles(n_mels, fmax), key="filters", alt=caption, numbers=False)
    st.caption(f"{caption}. Frequencies above {fmax} Hz are discarded.")
    if box := opened("Table", "filters-table"):
        with box:
            columns = ("from Hz", "highest at Hz", "to Hz")
            rows = [dict(zip(columns, edges, strict=True)) for edges in edges_hz.round(1).tolist()]
            st.dataframe(rows, alt="Where each filter begins, is highest and ends")


def window_length() -> None:
    """Time against frequency resolution."""
    st.markdown(
        "A spectrum needs a segment of sound, the **window**. A short one shows when something happens, down to single "
        "beats of the vocal folds; a long one shows which tones there are, as parallel lines. There is no window that "
        "shows both: what is gained in time is lost in frequency."
    )
    window_ms = st.select_slider("Window [ms]", LESSON_WINDOWS_MS, round(1000 * WINDOW_S), key="window")
    window_s = window_ms / 1000
    part = excerpt(SHORT_S)
    level_db = logmel_db(part.waveform, 128, window_s)
    caption = (
        f"Two sounds less than about {window_ms} ms apart melt into one, "
        f"and so do two tones less than about {frequency_resolution_hz(window_s):.0f} Hz apart."
    )
    chart(log_mel_image(level_db, 8000, part.start_s, part.duration_s), key="windowed", alt=caption, numbers=False)
    st.caption(f"{caption} ResoNet uses {1000 * WINDOW_S:.0f} ms.")


def cepstrum() -> None:
    """How much of a spectrum few coefficients keep."""
    st.markdown(
        "**MFCC** describe the bands of one moment by waves over frequency: the first coefficient is the level, the "
        "next ones the broad shape, the last ones the fine lines. Thirteen keep the shape of the mouth and drop "
        "most of the pitch. That suits speech recognition; for emotion, pitch matters, so the networks here use all "
        "bands."
    )
    _show_reconstruction(st.slider("Coefficients kept", 1, N_MELS, 13, key="coefficients"))


def _show_reconstruction(n_kept: int) -> None:
    """The excerpt and its loudest moment from some of the coefficients."""
    part = excerpt(EXCERPT_S)
    level_db = logmel_db(part.waveform, N_MELS, WINDOW_S)
    kept_db = mfcc_reconstruction(level_db, n_kept)
    share = mfcc_explained_variance(level_db, n_kept)
    loudest = int(level_db.mean(axis=0).argmax())
    chart(
        log_mel_image(kept_db, 8000, part.start_s, part.duration_s),
        key="kept",
        numbers=False,
        alt=f"Spectrogram from {n_kept} of {N_MELS} coefficients; they keep {share:.0%} of the differences of bands",
    )
    time_s = part.start_s + loudest * LESSON_HOP_LENGTH / SAMPLE_RATE
    alt = f"The spectrum at {time_s:.2f} s and what {n_kept} coefficients keep of it"
    chart(spectral_envelope_lines(level_db[:, loudest], kept_db[:, loudest], 8000), key="envelope", alt=alt)
    st.caption(
        f"Above: the sound as {n_kept} of {N_MELS} coefficients represent it; they keep {share:.0%} of the variance "
        f"between bands. Below: its loudest moment, at {format_time(time_s)}."
    )


def layers() -> None:
    """Feature maps of a ResoNet."""
    st.markdown(
        "A **convolutional layer** slides small patterns over the spectrogram; each gives one map that is bright where "
        "it fits. First layers find edges: a sound that starts, a tone that rises. Deeper maps are smaller and respond "
        "to a larger receptive field, and few of them can be interpreted."
    )
    judge = first_model(with_stages=True)
    if judge is None:
        return
    stages = list(range(1, len(judge.stages) + 1))
    stage = st.segmented_control("After stage", stages, default=1, required=True, key="stage", wrap=True)
    _show_feature_maps(judge, stage)


def _show_feature_maps(judge: SERModel, stage: int) -> None:
    """Input and maps of one stage of a ResoNet."""
    part = excerpt(min(EXCERPT_S, judge.config.window_s))
    features, *steps = stage_feature_maps(judge, part.waveform)
    maps = steps[stage - 1]
    shown = [("input", features[0])]
    shown += [(f"map {channel + 1}", maps[channel]) for channel in highest_variance_channels(maps, N_MAPS - 1)]
    n_maps, n_bands, n_columns = maps.shape
    caption = (
        f"The {len(shown) - 1} of {n_maps} maps that vary most, each {n_bands} bands high and {n_columns} steps long"
    )
    chart(feature_map_grid(shown), key="maps", alt=caption, numbers=False)
    st.caption(
        f"{judge.name}, stage {stage} of {len(judge.stages)}. {caption}; the first image is the input. Each has its "
        "own scale: brightness cannot be compared between maps."
    )


def dimensions() -> None:
    """Eight names against two axes."""
    words, image = st.columns([1, 1.5], gap="large")
    with words:
        st.markdown(
            "The models here predict eight **categories**. Many psychologists describe emotion by two **dimensions** "
            "instead: valence, how pleasant, and arousal, how excited. Arousal is easy to infer from a voice, valence "
            "hard: anger and joy are both loud and high, so models confuse them."
        )
        placed = st.toggle("Place a model's prediction for the clip", value=True, key="placed")
        probabilities = _circumplex_prediction() if placed else None
        st.caption(
            "The places are a sketch after Russell, “A circumplex model of affect” (1980), not measured here: disgust "
            "is not on his circle, and neutral is put in the middle. A prediction is placed at the mean of the "
            "emotions, each weighted by its probability: an illustration, as no model here was trained on dimensions. "
            "Clip and Live put the emotions at other places, so their arousal and valence differ from these."
        )
    with image:
        where = circumplex_position(probabilities) if probabilities else None
        valence, arousal = (format_number(value, "z.2f") for value in where or (0, 0))
        caption = f" The prediction is at valence {valence}, arousal {arousal}." if where else ""
        alt = f"Eight emotions on a circle of valence and arousal.{caption}"
        chart(circumplex_plot(probabilities, where), key="circle", alt=alt)


def _circumplex_prediction() -> dict[str, float] | None:
    """The probabilities of the first model; None, with the reason, where there is no prediction."""
    judge, audio = first_model(with_stages=False), sound()
    if judge is None:
        return None
    with st.spinner("Analysing"):
        prediction = remember(lambda: predict(judge, audio.waveform), audio.id, "lesson", judge.name, judge.version)
    st.text(audio.name)
    if prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        st.caption("No speech was detected, so there is no prediction to place.")
        return None
    st.caption(f"{judge.name}: " + ", ".join(f"{name} {format_probability(p)}" for name, p in prediction.top3))
    return prediction.probabilities


LESSONS = {
    "What is in a voice?": voice.show,
    "Mel filterbank": filterbank,
    "Window length": window_length,
    "MFCC": cepstrum,
    "Feature maps": layers,
    "Categories and dimensions": dimensions,
    "Acted corpora": corpora.show,
}
"""Title -> the function that draws it."""
