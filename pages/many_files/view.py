"""Views of the page "Many files"."""

import json
from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.typing import UploadedFile

from pages.many_files import state
from pages.many_files.state import BatchItem
from pages.ui.chart import chart
from pages.ui.clip_input import FORMATS, show_expired_files
from pages.ui.emotion import show_expectation
from pages.ui.export import prediction_label, rows_as_csv
from pages.ui.model_picker import get_model, versions
from pages.ui.text import plain
from ser_core.inference import ENSEMBLE_NAME, NO_SPEECH, Prediction
from ser_core.labels import EMOTIONS
from ser_core.metrics import accuracy, uar
from ser_core.models import CheckpointError
from ser_core.plots import confusion_heatmap, emotion_label, stacked_probability_bars

MOST_FILES = 1000


def choose_files() -> list[UploadedFile]:
    """Files one by one, or a folder; with those from before a visit to another page."""
    turn = state.upload_state().round
    is_back = f"files-{turn}" not in st.session_state
    one_by_one, folder = st.tabs(["Files", "A folder"])
    with one_by_one:
        uploaded = st.file_uploader("Sound files", FORMATS, accept_multiple_files=True, key=f"files-{turn}")
    with folder:
        uploaded += st.file_uploader("A folder", FORMATS, accept_multiple_files="directory", key=f"folder-{turn}")
    show_expired_files(state.forget, f"files-{turn}", f"folder-{turn}")
    state.keep(uploaded, is_back)
    if is_back:
        _go(False)
    files = list(state.files().values())
    if n_kept := len(files) - len(uploaded):
        st.caption(f"{n_kept} of {len(files)} files are from before you left this page. “Delete all” drops them.")
    if len(files) > MOST_FILES:
        st.warning(
            f"{len(files)} files are more than a page can show: only the first {MOST_FILES} are analysed. For "
            "thousands "
            "use `python -m scripts.predict_archive FOLDER`."
        )
    return files[:MOST_FILES]


def show_empty() -> None:
    st.markdown(
        "Choose files, or a folder. Every model is run on every file, and the table can be sorted by any column. "
        "Where a "
        "name is that of a recording of RAVDESS, CREMA-D, TESS or SAVEE, its label is read from it, and you get "
        "a confusion matrix."
    )
    st.caption("Everything runs on your machine. Your files are kept in this session only.")


def work(files: Sequence[UploadedFile], models: Sequence[str]) -> None:
    """Process the remaining files one by one; Stop keeps the results so far."""
    todo, going = state.unprocessed(files, models), state.upload_state().running
    with st.container(horizontal=True):
        place = st.empty()  # otherwise the button of before stays next to the other one until all is done
        if todo and not going:
            label = f"Analyse {len(todo)} files" if len(todo) > 1 else "Analyse the file"
            place.button(label, type="primary", on_click=_go, args=(True,), key="go")
        elif todo:
            place.button("Stop", on_click=_go, args=(False,), key="stop")
        st.button("Delete all", icon=":material/delete:", on_click=state.forget, key="delete-batch")
    if not todo or not going:
        return
    bar = st.progress(0.0, "Analysing")
    for done, file in enumerate(todo):
        bar.progress(done / len(todo), f"{done + 1} of {len(todo)}: {plain(file.name)}")
        try:
            state.process_file(file, models)
        except CheckpointError:  # deleted in the meantime: the page starts again without it
            break
    _go(False)
    st.rerun()


def _go(going: bool) -> None:
    state.upload_state().running = going


def show_problems(items: Sequence[BatchItem]) -> None:
    """The files that could not be read, each with the reason."""
    broken = [h for h in items if h.problem]
    if not broken:
        return
    title = f"{len(broken)} of {len(items)} files could not be read"
    with st.expander(title, icon=":material/warning:", expanded=True):
        rows = [{"file": h.name, "reason": h.problem} for h in broken]
        st.dataframe(rows, hide_index=True, alt="Files that could not be read, and why")


def show_table(read: Sequence[BatchItem], files: Sequence[UploadedFile], models: Sequence[str]) -> None:
    """One row a file; the chosen one with player and bars."""
    rows = [state.table_row(h, models) for h in read]
    columns = {
        name: st.column_config.NumberColumn(
            name.removesuffix(state.CERTAINTY_SUFFIX) + ", confidence", format="percent"
        )
        for name in rows[0]
        if name.endswith(state.CERTAINTY_SUFFIX)
    }
    columns |= {"meant": st.column_config.TextColumn("label")}
    event = st.dataframe(
        [state.table_row(h, models, emotion_label) for h in read],
        hide_index=True,
        placeholder="",
        key="batch-table",
        on_select="rerun",
        selection_mode="single-row",
        column_config=columns,
        alt="Every file with the prediction of each model",
    )
    several = " Disagreement: mean distance of the models from the ensemble, 0 to 1." if len(models) > 1 else ""
    seconds, used = sum(h.duration_s for h in read), [n for n in models if any(n in h.predictions for h in read)]
    st.caption(f"{seconds:.0f} s of audio, analysed by {versions(used)}. Click a column to sort by it.{several}")
    with st.container(horizontal=True):
        by = {f"{name}, version": get_model(name).version for name in models}
        _download("CSV", rows_as_csv([row | by for row in rows]), "text/csv")
        _download("JSON", _as_json(read, models), "application/json")
    chosen = [read[i] for i in event.selection.rows if i < len(read)]
    if not chosen:
        st.caption("Choose a row to play the file and to see all probabilities.")
        return
    item = chosen[0]
    st.text(item.name)
    st.audio(next(file for file in files if state.results().get(file.file_id) is item), alt="The chosen file")
    for note in item.notes:
        st.warning(plain(note))
    _show_predictions(list(item.with_ensemble(models).values()))


def _show_predictions(predictions: Sequence[Prediction]) -> None:
    """The predictions for the chosen file; none without speech or without a model."""
    for prediction in predictions:
        if prediction.abstain:
            st.caption(plain(f"{prediction.model} is not sure: {prediction.reason}"))
        if prediction.model != ENSEMBLE_NAME:
            show_expectation(prediction, get_model(prediction.model).metrics)
    spoken = [prediction for prediction in predictions if prediction_label(prediction) != NO_SPEECH]
    if spoken:
        alt = "; ".join(f"{p.model}: {p.emotion} {p.confidence:.0%}" for p in spoken)
        chart(stacked_probability_bars(spoken), key="batch-bars", alt=alt)


def show_truth(read: Sequence[BatchItem], models: Sequence[str]) -> None:
    """UAR, accuracy and confusion matrix where the file names hold the labels."""
    matrices = state.confusions(read, models)
    if not matrices:
        return
    st.subheader("Evaluation against the labels in the file names", anchor=False)
    rows = [
        {"model": name, "UAR %": _percent(uar(m)), "accuracy %": _percent(accuracy(m)), "files": int(m.sum())}
        for name, m in matrices.items()
    ]
    st.dataframe(rows, hide_index=True, alt="UAR and accuracy of each model on these files")
    st.caption(
        "Files named as in a known corpus; “not sure” counts as the most likely emotion. The models "
        "were trained on such recordings: figures on training files are meaningless. The page "
        "Evaluation has results on unseen speakers."
    )
    name = st.selectbox("Model", matrices, key="batch-confusion") if len(matrices) > 1 else next(iter(matrices))
    chart(
        confusion_heatmap(matrices[name], EMOTIONS, counts=True),
        key="batch-matrix",
        alt=f"Confusion matrix of {name} on {int(matrices[name].sum())} files",
    )


def _percent(value: np.ndarray) -> float:
    return round(100 * float(value), 1)


def _as_json(read: Sequence[BatchItem], models: Sequence[str]) -> str:
    content = [
        {
            "file": h.name,
            "meant": h.label,
            "notes": h.notes,
            "predictions": [prediction.to_dict() for prediction in h.with_ensemble(models).values()],
        }
        for h in read
    ]
    return json.dumps(content, indent=1, ensure_ascii=False)


def _download(kind: str, content: str, mime: str) -> None:
    st.download_button(f"Download {kind}", content, f"emotions.{kind.lower()}", mime, icon=":material/download:")
