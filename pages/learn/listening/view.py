"""Views of the listening test on the page "Learn"."""

from collections.abc import Sequence

import streamlit as st

from pages.learn.listening import state
from pages.learn.listening.state import LISTENERS, PERSON, ROUND, Guess, Sample
from pages.ui.chart import chart
from pages.ui.clip import open_in_workspace
from pages.ui.export import offer_download, rows_as_csv
from pages.ui.layout import show_rows
from pages.ui.results import utterances
from pages.ui.session import UploadedSource
from pages.ui.text import corpus_actor, plain
from ser_core.data import CORPUS_NAMES, Utterance
from ser_core.labels import EMOTIONS, format_probability
from ser_core.plots import confusion_heatmap, emotion_label

FIRST_CHOICE = f"guess-{EMOTIONS[0]}"  # key of its button


def show_intro(clips: Sequence[Utterance | Sample]) -> None:
    """What is asked, and of which recordings."""
    if clips and isinstance(clips[0], Sample):
        st.markdown("Choose the emotion you perceive in a synthetic voice; then you see the predictions of the models.")
        st.info(
            "These samples have no label: the test shows agreement, not accuracy. For the real test "
            "set `SER_CORPORA` to the folder with RAVDESS, CREMA-D, TESS or SAVEE and restart."
        )
        return
    st.markdown(
        "Recordings of speakers that the models were not trained on, ten in a round: which emotion does the actor "
        "play? After your answer you see the label and the predictions of the models."
    )
    if clips and not utterances():
        st.caption(
            f"{len(clips)} recordings come with the program: that is the round. For more set `SER_CORPORA` and restart."
        )


def choose_models(names: Sequence[str]) -> list[str]:
    """Models to compare with."""
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
        _show_start(clips)
        return
    _show_progress(now, min(ROUND, len(clips)))
    is_back = now.shown == now.clip.id and FIRST_CHOICE not in st.session_state  # from another page or lesson
    now.shown = now.clip.id
    st.audio(str(now.clip.path), autoplay=not (now.is_guessed or is_back), alt="The clip in question")
    if now.answer:
        with st.spinner("Running the models"):
            state.run_models(models)
        st.rerun()
    if now.is_guessed:
        _show_answer(models, clips)
    else:
        _show_choices()


def _show_start(clips: Sequence[Utterance | Sample]) -> None:
    if state.left(clips):
        label = "Continue" if state.listening_state().guesses else "Start"
        st.button(label, type="primary", on_click=state.draw, args=(clips,), key="start")
    else:
        st.info("You have judged all clips available for these models.")


def _show_progress(now: state.ListeningState, n_round: int) -> None:
    n = len(now.guesses) + (not now.is_guessed)
    st.subheader(f"Clip {(n - 1) % ROUND + 1} of {n_round}", anchor=False)
    st.markdown(_marks(now.round if now.is_guessed or len(now.guesses) % ROUND else [], n_round))


def _show_choices() -> None:
    with st.container(horizontal=True, gap="small"):
        for i, emotion in enumerate(EMOTIONS, 1):
            key = f"guess-{emotion}"
            st.button(emotion_label(emotion), on_click=state.guess, args=(emotion,), key=key, shortcut=str(i))


def _marks(guesses: Sequence[Guess], n_round: int) -> str:
    """The round so far: right, wrong, to come."""
    marks = [_mark(guess.emotions[PERSON] == guess.label) if guess.label else "●" for guess in guesses]
    return " ".join([*marks, *[":gray[○]"] * (n_round - len(marks))])


def _mark(is_right: bool) -> str:
    return ":green[:material/check_circle:]" if is_right else ":red[:material/cancel:]"


def _show_answer(models: Sequence[str], clips: Sequence[Utterance | Sample]) -> None:
    now = state.listening_state()
    latest = now.guesses[-1]
    _show_verdict(latest)
    for name in models:
        if name in latest.emotions:
            st.markdown(_prediction_line(latest, name))
    if latest.listeners is not None:
        st.markdown(f"Of the listeners of {CORPUS_NAMES['crema_d']}, {latest.listeners:.0%} chose the label.")
    st.caption(_about(now.clip))
    with st.container(horizontal=True):
        is_over = now.is_round_over or not state.left(clips)
        label = "Next round" if is_over else "Next clip"
        st.button(label, type="primary", on_click=state.draw, args=(clips,), key="next", shortcut="N")
        open_in_workspace(_source(now.clip), "why", "Why?", view="why")
    if is_over and latest.label:
        _show_round(now.round)


def _show_verdict(guess: Guess) -> None:
    answer = emotion_label(guess.emotions[PERSON])
    if not guess.label:
        st.markdown(f"Your answer: **{answer}**.")
    elif guess.emotions[PERSON] == guess.label:
        st.success(f"**Right:** {emotion_label(guess.label)}", icon=":material/check_circle:")
    else:
        st.error(f"**Wrong:** you chose {answer}; the label is {emotion_label(guess.label)}", icon=":material/cancel:")


def _prediction_line(guess: Guess, model: str) -> str:
    """The prediction of one model, marked where there is a label."""
    emotion, confidence = guess.emotions[model], guess.confidences.get(model)
    mark = _mark(emotion == guess.label) + " " if guess.label else ""
    sure = "" if confidence is None else f", confidence {format_probability(confidence)}"
    return f"{mark}{plain(model)}: {emotion_label(emotion)}{sure}"


def _show_round(guesses: Sequence[Guess]) -> None:
    """The score of a round of ten, and its clips to hear again."""
    scores = state.round_scores(guesses)
    right, n_clips = scores[PERSON]
    with st.container(border=True):
        st.subheader(f"Round over: {right:.0f} of {n_clips}", anchor=False)
        with st.container(horizontal=True):
            for name, (n_right, n) in scores.items():
                st.metric(
                    name, f"{n_right:.0f} of {n}" if n_right == int(n_right) else f"{n_right:.1f} of {n}", width=200
                )
        if outcome := _outcome(scores):
            st.markdown(outcome)
        rows = [_round_row(guess) for guess in guesses]
        event = st.dataframe(
            rows, hide_index=True, key="round", on_select="rerun", selection_mode="single-row", alt="The ten clips"
        )
        for i in event.selection.rows:
            st.audio(str(guesses[i].sound.path), autoplay=True, alt=f"Clip {i + 1} of the round")


def _outcome(scores: dict[str, tuple[float, int]]) -> str:
    """Who wins, among the models that judged every clip of the round; "" without any."""
    right, n_clips = scores[PERSON]
    rivals = {
        name: n_right for name, (n_right, n) in scores.items() if n == n_clips and name not in (PERSON, LISTENERS)
    }
    if not rivals:
        return ""
    best = max(rivals, key=lambda name: rivals[name])
    if right == rivals[best]:
        return "A tie."
    return "You win this round." if right > rivals[best] else f"{plain(best)} wins this round."


def _round_row(guess: Guess) -> dict:
    answers = {name: emotion_label(emotion) for name, emotion in guess.emotions.items()}
    return {"": "✓" if guess.emotions[PERSON] == guess.label else "✗", "label": emotion_label(guess.label)} | answers


def _source(clip: Utterance | Sample) -> UploadedSource:
    """The clip for the other pages."""
    if isinstance(clip, Sample):
        return UploadedSource("sample", clip.corpus, str(clip.path))
    return UploadedSource("corpus", _about(clip), str(clip.path), utterance=clip)


def _about(clip: Utterance | Sample) -> str:
    """Shown after the guess."""
    if isinstance(clip, Sample):
        return f"Synthetic sample: {clip.corpus}"
    return corpus_actor(clip)


def show_score() -> None:
    """The score of the person and the models, and confusion matrices."""
    guesses = state.listening_state().guesses
    if not guesses:
        return
    with st.expander("Score and confusion matrices"):  # a label that changes would close it after each answer
        st.caption(f"Over all clips so far: {len(guesses)}.")
        _show_matrices(guesses)


def _show_matrices(guesses: Sequence[Guess]) -> None:
    rows = state.standings(guesses)
    show_rows(rows, "Correct answers of the person and predictions of each model")
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
            matrix = confusion_heatmap(state.matrix(guesses, who), EMOTIONS, counts=True)
            chart(matrix, key=f"listening-{place}", alt=f"Confusion matrix of {who}, in clips")
    with st.container(horizontal=True):
        offer_download("Download CSV", rows_as_csv(state.table(guesses)), "listening_test.csv", "text/csv")
        st.button("Start again", on_click=state.restart, key="again")
