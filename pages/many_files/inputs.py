"""Files and tables of the person: chosen, with labels that are unknown or missing, and what cannot be read."""

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile

from pages.many_files import run, state
from pages.many_files.batch import Batch
from pages.many_files.together import describe_together, is_together
from pages.ui.clip_input import FORMATS, show_expired_files
from pages.ui.session import session
from pages.ui.text import plain
from pages.ui.voice.clips import has_voice
from pages.ui.voice.personal import PersonalModel, describe_voice
from pages.ui.voice.switch import draw_switch
from ser_core.data import TABLE_SUFFIXES
from ser_core.evaluation import describe_collection
from ser_core.inference import MIN_REFERENCE_CLIPS
from ser_core.labels import EMOTIONS, describe_choice
from ser_core.models import models_with_reference
from ser_core.plots import emotion_label

LEAVE_OUT = "leave out"
MOST_WORDS = 24
EXAMPLE = "path,emotion,speaker\nanna/01.wav,happy,anna\nben/01.wav,angry,ben\n"


def choose_files() -> None:
    """Files one by one, or a folder; those from before a visit to another page are still there."""
    turn = state.upload_state().round
    is_back = f"files-{turn}" not in st.session_state
    formats = [*FORMATS, *(suffix.removeprefix(".") for suffix in TABLE_SUFFIXES)]
    n_files = len(state.sound_files())
    box = st.expander("Add files", icon=":material/add:") if n_files else st.container()
    with box:
        one_by_one, folder = st.columns(2)
        uploaded = one_by_one.file_uploader("Sound files", formats, accept_multiple_files=True, key=f"files-{turn}")
        uploaded += folder.file_uploader("A folder", formats, accept_multiple_files="directory", key=f"folder-{turn}")
        show_expired_files(state.forget, f"files-{turn}", f"folder-{turn}")
        uploaded = [file for file in uploaded if not isinstance(file, DeletedFile)]
        state.keep(uploaded, is_back)
        if is_back:
            run.set_running(False)
    if n_kept := len(state.files()) - len(uploaded):
        st.caption(f"{n_kept} of {len(state.files())} files are from before you left this page.")
    if bool(n_files) != bool(state.sound_files()):
        st.rerun()  # with or without the expander
    _warn_of_too_many(len(state.sound_files()))


def _warn_of_too_many(n_files: int) -> None:
    if n_files > run.MOST_FILES:
        st.warning(
            f"{n_files:,} files are more than a page can show: only the first {run.MOST_FILES:,} are analysed. For "
            "thousands use `python -m scripts.predict_archive FOLDER`."
        )


def choose_reference(models: Sequence[str]) -> None:
    """Switches for the files together and for the enrolled voice."""
    able = [name for name in models if name in models_with_reference()]
    together = state.upload_state().together
    if able and len(state.sound_files()) >= MIN_REFERENCE_CLIPS:
        key = state.together_key()
        st.session_state.setdefault(key, together.on)
        together.on = st.toggle(
            "Relative to each other",
            key=key,
            help=f"Some of the files show the model what is ordinary for them. {describe_collection(able[0])}",
        )
    draw_switch(next(filter(has_voice, models), None))


def show_reference(models: Sequence[str]) -> None:
    """What the predictions are relative to, and among which emotions the models choose.

    Raises:
        SpeakerReferenceError: a clip of the voice cannot be used.
        CheckpointError: a model cannot be used.
    """
    state.follow_reference(models)
    now = [state.model_now(name) for name in models]
    able = any(name in models_with_reference() for name in models)
    if able and len(state.sound_files()) >= MIN_REFERENCE_CLIPS and state.upload_state().together.on:
        st.caption(describe_together(now))
    _show_voice([model for model in now if not is_together(model)])
    if choice := describe_choice(session().possible_emotions):
        st.caption(f"Chosen {choice}.")


def _show_voice(models: Sequence[PersonalModel]) -> None:
    """Which of the models predict relative to the enrolled voice."""
    if about := describe_voice(models):
        speaker = " That is right for recordings of the enrolled speaker only."
        st.caption(about + speaker * any(model.reference for model in models))


def show_empty() -> None:
    """What can be done here, and how labels are given."""
    st.markdown(
        f"Choose up to {run.MOST_FILES:,} files, or a folder of them. You get an overview, a table that "
        "starts with the most doubtful files, and a player that walks through it."
    )
    st.markdown(
        "**Do you have labels?** Then you also get the accuracy of each model, what predicts your labels without any "
        "emotion, doubtful labels, duplicates, a map, and a classifier of your own. Labels are read from"
    )
    st.markdown(
        "- folders named after emotions: `anna/happy/01.wav`\n"
        "- a table (CSV) chosen together with the files; the column `speaker` is optional\n"
        "- the file names of RAVDESS, CREMA-D, TESS, SAVEE and the other known corpora"
    )
    st.code(EXAMPLE.rstrip(), language=None)
    st.caption(
        "Everything runs on your machine. Your files are kept in this session only: reloading the page deletes them."
    )


def show_problems(batch: Batch) -> None:
    """Files that cannot be read, rows and columns of a table that are not used, words that are no emotion."""
    _show_words(batch)
    for note in batch.labels.notes:
        st.caption(plain(note))
    rows = [{"file or row": item.name, "reason": item.problem} for item in batch.unreadable]
    rows += [{"file or row": where, "reason": reason} for where, reason in batch.labels.problems]
    if not rows:
        return
    n_files, n_labels = len(batch.unreadable), len(batch.labels.problems)
    parts = [f"files that cannot be read: {n_files}"] * bool(n_files)
    parts += [f"labels that cannot be used: {n_labels}"] * bool(n_labels)
    with st.expander(", ".join(parts).capitalize(), icon=":material/warning:", expanded=n_files + n_labels < 20):
        st.dataframe(rows, hide_index=True, alt="Files and labels that cannot be used, and why")


def _show_words(batch: Batch) -> None:
    """Words of tables and folders that are no emotion here, each with a box to choose one."""
    words, chosen = batch.labels.unknown_words, state.upload_state().words
    if chosen:
        listed = ", ".join(f"{word} as {emotion}" for word, emotion in chosen.items())
        st.button(f"{plain(listed)}: undo", on_click=chosen.clear, type="tertiary", icon=":material/undo:", key="undo")
    if not words:
        return
    label = f"Words that are no emotion here: {len(words)}. Choose one for each"
    with st.expander(label, bool(chosen), icon=":material/translate:"):  # another label makes another expander
        with st.container(horizontal=True):
            for word, n_rows in list(words.items())[:MOST_WORDS]:
                _show_word(word, n_rows)
        st.caption("Until then, files with these words count as files without a label.")


def _show_word(word: str, n_rows: int) -> None:
    st.selectbox(
        f"{plain(word)} ({n_rows})",
        (LEAVE_OUT, *EMOTIONS),
        format_func=emotion_label,
        key=f"word-{word}",
        on_change=_choose_word,
        args=(word,),
        width=180,
    )


def _choose_word(word: str) -> None:
    chosen = st.session_state[f"word-{word}"]
    if chosen != LEAVE_OUT:
        state.upload_state().words[word] = chosen
