"""Views of the page "Listening test"."""

from collections.abc import Sequence

import streamlit as st

from pages.listening import state
from pages.listening.state import PERSON, Sample
from pages.ui.chart import chart
from pages.ui.export import rows_as_csv
from pages.ui.results import utterances
from pages.ui.text import plain
from ser_core.data import CORPUS_NAMES, Utterance
from ser_core.labels import EMOTIONS
from ser_core.plots import confusion_heatmap, emotion_label


def choose_models(names: Sequence[str]) -> list[str]:
    """Models to compare with."""
    if utterances():
        st.markdown(
            "Listen to recordings that the models were not trained on and choose the intended emotion; only then "
            "do you see the label and the models' predictions."
        )
    else:
        st.markdown(
            "Choose the emotion you perceive in a synthetic voice; only then do you see the models' predictions."
        )
        st.info(
            "These samples have no label: the test shows agreement, not accuracy. For the real test "
            "set `SER_CORPORA` to the folder with RAVDESS, CREMA-D, TESS or SAVEE and restart."
        )
    return st.multiselect("Models to compare with", names, names[:1], key="rivals") if len(names) > 1 else list(names)


def show_nothing(models: Sequence[str]) -> None:
    if not models:
        st.info("Choose at least one model.")
    else:
        st.info(
            "Every recording found was used to train one of the chosen models. Choose fewer models, or models "
            "trained under the same protocol.",
            title="No clip is unseen by all of them",
        )


def show_clip(models: Sequence[str], clips: Sequence[Utterance | Sample]) -> None:
    """The next clip with the buttons, or the label after the answer.

    Args:
        clips: unseen by these models.
    """
    state.drop_unusable(clips)
    now = state.listening_state()
    if now.problem:
        st.warning(plain(now.problem))
    if now.clip is None:
        if state.left(clips):
            label = "Continue" if now.guesses else "Start"
            st.button(label, type="primary", on_click=state.draw, args=(clips,), key="start")
        else:
            st.info("You have judged all clips available for these models.")
        return
    st.subheader(f"Clip {len(now.guesses) + (not now.is_guessed)}", anchor=False)
    st.audio(str(now.clip.path), autoplay=not now.is_guessed, alt="The clip in question")
    if now.answer:
        with st.spinner("Running the models"):
            state.run_models(models)
        st.rerun()
    if now.is_guessed:
        _show_answer(models, clips)
        return
    with st.container(horizontal=True, gap="small"):
        for i, emotion in enumerate(EMOTIONS, 1):
            key = f"guess-{emotion}"
            st.button(emotion_label(emotion), on_click=state.guess, args=(emotion,), key=key, shortcut=str(i))


def _show_answer(models: Sequence[str], clips: Sequence[Utterance | Sample]) -> None:
    now = state.listening_state()
    latest = now.guesses[-1]
    answer = emotion_label(latest.emotions[PERSON])
    if latest.label:
        right = "right" if latest.emotions[PERSON] == latest.label else "wrong"
        st.markdown(f"The label is **{emotion_label(latest.label)}**. Your answer, {answer}, is **{right}**.")
    else:
        st.markdown(f"Your answer: **{answer}**.")
    rivals = ", ".join(f"{name}: {emotion_label(latest.emotions[name])}" for name in models if name in latest.emotions)
    st.markdown(f"Predictions: {rivals}.")
    st.caption(_about(now.clip))
    st.button("Next clip", type="primary", on_click=state.draw, args=(clips,), key="next", shortcut="N")


def _about(clip: Utterance | Sample) -> str:
    """Shown after the guess."""
    if isinstance(clip, Sample):
        return f"Synthetic sample: {clip.corpus}"
    return f"{CORPUS_NAMES[clip.corpus]}, {clip.sex} actor {clip.speaker.split('-')[1]}"


def show_score() -> None:
    """The score of the person and the models, and confusion matrices."""
    guesses = state.listening_state().guesses
    if not guesses:
        return
    st.subheader("Score", anchor=False)
    rows = state.standings(guesses)
    st.dataframe(rows, hide_index=True, alt="Correct answers of the person and predictions of each model")
    if not guesses[-1].label:
        st.caption("Reference here: your own answers.")
    st.caption(
        "UAR is the mean recall over the emotions that occurred. The ranking is not meaningful "
        "before a few dozen clips."
    )
    names = [row["who"] for row in rows]
    for place, column in enumerate(st.columns(2, gap="medium")[: len(names)]):
        with column:
            who = st.selectbox("Confusion matrix of", names, min(place, len(names) - 1), key=f"matrix-of-{place}")
            chart(
                confusion_heatmap(state.matrix(guesses, who), EMOTIONS, counts=True),
                key=f"listening-{place}",
                alt=f"Confusion matrix of {who}, in clips",
            )
    with st.container(horizontal=True):
        text = rows_as_csv(state.table(guesses))
        st.download_button("Download CSV", text, "listening_test.csv", "text/csv")
        st.button("Start again", on_click=state.restart, key="again")
