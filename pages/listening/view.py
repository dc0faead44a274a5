"""The parts of the page "Listening test"."""

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
    """Whom the person wants to be measured against."""
    if utterances():
        st.markdown(
            "You hear recordings that the models were never trained on. Say which emotion the actor meant; only then "
            "you see what it was, and what the models heard."
        )
    else:
        st.markdown("Say which emotion you hear in a synthetic voice; only then you see what the models heard.")
        st.info(
            "Nobody meant anything by these samples, so nobody is right: you see who hears alike. For the real test "
            "set `SER_CORPORA` to the folder with RAVDESS, CREMA-D, TESS or SAVEE and start again."
        )
    return st.multiselect("Against", names, names[:1], key="rivals") if len(names) > 1 else list(names)


def show_nothing(models: Sequence[str]) -> None:
    if not models:
        st.info("Choose at least one model.")
    else:
        st.info(
            "There is no recording here that none of the chosen models was trained on. Choose fewer models, or some "
            "that were trained under the same protocol.",
            title="No clip is new to all of them",
        )


def show_clip(models: Sequence[str], clips: Sequence[Utterance | Sample]) -> None:
    """The question, or the answer to it.

    Args:
        clips: what may be asked of these models.
    """
    state.drop_unfit(clips)
    now = state.listening_state()
    if now.problem:
        st.warning(plain(now.problem))
    if now.clip is None:
        if state.left(clips):
            label = "Start" if not now.guesses else "Go on"
            st.button(label, type="primary", on_click=state.draw, args=(clips,), key="start")
        else:
            st.info("You have heard every clip that there is for these models.")
        return
    st.subheader(f"Clip {len(now.guesses) + (not now.is_guessed)}", anchor=False)
    st.audio(str(now.clip.path), autoplay=not now.is_guessed, alt="The clip in question")
    if now.said:
        with st.spinner("Asking the models"):
            state.ask(models)
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
    said = emotion_label(latest.heard[PERSON])
    if latest.meant:
        right = "right" if latest.heard[PERSON] == latest.meant else "not what was meant"
        st.markdown(f"The actor meant **{emotion_label(latest.meant)}**. You said {said}: **{right}**.")
    else:
        st.markdown(f"You said **{said}**.")
    rivals = ", ".join(f"{name}: {emotion_label(latest.heard[name])}" for name in models if name in latest.heard)
    st.markdown(f"What the models heard: {rivals}.")
    st.caption(_about(now.clip))
    st.button("Next clip", type="primary", on_click=state.draw, args=(clips,), key="next", shortcut="N")


def _about(clip: Utterance | Sample) -> str:
    """Told after the guess."""
    if isinstance(clip, Sample):
        return f"Synthetic sample: {clip.corpus}"
    return f"{CORPUS_NAMES[clip.corpus]}, {clip.sex} actor {clip.speaker.split('-')[1]}"


def show_score() -> None:
    """How the person stands, and what was taken for what."""
    guesses = state.listening_state().guesses
    if not guesses:
        return
    st.subheader("The score", anchor=False)
    rows = state.standings(guesses)
    st.dataframe(rows, hide_index=True, alt="Right answers of the person and of each model")
    if not guesses[-1].meant:
        st.caption("Right is here what you heard.")
    st.caption(
        "UAR is the mean of the recalls of the emotions that came up. Few clips say little: the ranking is chance "
        "until there are dozens."
    )
    names = [row["who"] for row in rows]
    for place, column in enumerate(st.columns(2, gap="medium")[: len(names)]):
        with column:
            who = st.selectbox("Taken for what by", names, min(place, len(names) - 1), key=f"matrix-of-{place}")
            chart(
                confusion_heatmap(state.matrix(guesses, who), EMOTIONS, counts=True),
                key=f"listening-{place}",
                alt=f"What {who} took for what, in clips",
            )
    with st.container(horizontal=True):
        text = rows_as_csv(state.table(guesses))
        st.download_button("Download CSV", text, "listening_test.csv", "text/csv")
        st.button("Start again", on_click=state.restart, key="again")
