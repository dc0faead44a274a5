"""The models run over the files, a few seconds at a time, so that the page grows while they do."""

import time
from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.many_files import state
from pages.ui.text import plain
from ser_core.models import CheckpointError
from ser_core.plots import format_duration

MOST_FILES = 1000
SLICE_S = 4  # then what is done is drawn


def work(models: Sequence[str], tools: DeltaGenerator) -> None:
    """Process the remaining files for a moment; `go_on` continues once the page is drawn. Stop keeps the results.

    Args:
        tools: the place of the buttons.
    """
    files, going = state.sound_files()[:MOST_FILES], state.upload_state().running
    todo = state.unprocessed(files, models)
    with tools:
        _show_buttons(len(todo), going)
    if not todo or not going:
        set_running(False)
        return
    n, started, bar = len(files), time.monotonic(), st.empty()
    n_done = n - len(todo)
    for i, file in enumerate(todo):
        spent_s = time.monotonic() - started
        left = f", {format_duration(spent_s / i * (len(todo) - i))} left" if i else ""
        bar.progress((n_done + i) / n, f"{n_done + i + 1} of {n}: {plain(file.name)}{left}")
        try:
            state.process_file(file, models)
        except CheckpointError:  # deleted in the meantime: the page starts again without it
            set_running(False)
            st.rerun()
        if spent_s > SLICE_S:
            break


def _show_buttons(n_todo: int, going: bool) -> None:
    place = st.empty()  # otherwise the button of before stays next to the other one until all is done
    if n_todo and not going:
        label = f"Analyse {n_todo} files" if n_todo > 1 else "Analyse the file"
        place.button(label, type="primary", on_click=set_running, args=(True,), key="go")
    elif n_todo:
        place.button("Stop", on_click=set_running, args=(False,), key="stop")
    st.button("Delete all", icon=":material/delete:", on_click=state.forget, key="delete-batch")


def go_on() -> None:
    """Run the script again while there is something to do."""
    if state.upload_state().running:
        st.rerun()


def set_running(running: bool) -> None:
    state.upload_state().running = running
