"""The view "Files": an overview, the table of all files in order of doubt, and a player that walks through it."""

import io
from collections.abc import Callable, Iterable, Sequence

import streamlit as st

from pages.many_files import state
from pages.many_files.batch import Batch, BatchRow, predictions_of
from pages.many_files.overview import label_scores, show_overview
from pages.ui.chart import chart
from pages.ui.clip import open_in_workspace
from pages.ui.emotion import show_expectation
from pages.ui.export import content_as_json, offer_download, rows_as_csv
from pages.ui.layout import show_rows
from pages.ui.model_picker import ensemble_members, get_model
from pages.ui.session import UploadedSource
from pages.ui.text import plain
from ser_core.audio import read_audio
from ser_core.inference import ENSEMBLE_NAME, NO_SPEECH, Prediction, label_in_words, prediction_label
from ser_core.labels import EMOTIONS, format_probability
from ser_core.plots import ReportRow, batch_report, emotion_label, probability_bars, stacked_probability_bars

ROW_HEIGHT, SCROLL_BAR, N_ROWS = 33, 8, 16  # pixels; rows in sight
CONFIDENCE_SUFFIX = ", confidence"  # of the column with the confidence of a model
WIDTHS = {"file": 155, "label": 85, "recording of": 115}  # pixels: with the next two they fit beside the player
PREDICTION_WIDTH, CONFIDENCE_WIDTH = 145, 85
TITLES = {"seconds": "duration (s)", "speech s": "speech (s)"}  # of columns, where there is room for them
TABLE_SHARE, TABLE_SHARE_ALONE = 1.5, 3.2  # of the width, to 1 for the player; alone while no file is chosen


def choose_view(names: Sequence[str]) -> str:
    """One view at a time."""
    return st.segmented_control(
        "View", names, default=names[0], required=True, key="batch-view", label_visibility="collapsed", wrap=True
    )


def show(batch: Batch) -> None:
    """The overview, the table, the chosen file, and the downloads."""
    with st.container():
        show_overview(batch)
    ordered = batch.by_doubt()
    _follow_visits()
    is_chosen = any(row.file_id == state.upload_state().current for row in ordered)
    left, right = st.columns([TABLE_SHARE if is_chosen else TABLE_SHARE_ALONE, 1], gap="medium")
    with right:
        _show_walk(batch, ordered)
    with left:
        _show_table(batch, ordered)
    several = " Disagreement: mean distance of the models from the ensemble, 0 to 1." if len(batch.models) > 1 else ""
    used = [n for n in batch.models if any(n in row.item.predictions for row in batch.rows)]
    st.caption(f"The most doubtful first. Analysed by {', '.join(map(plain, used))}.{several}")
    rows = [table_row(row, batch) for row in ordered]
    with st.container(horizontal=True):
        lines = [line | _provenance(row, batch) for line, row in zip(rows, ordered, strict=True)]
        _download("CSV", rows_as_csv(lines), "text/csv")
        _download("JSON", as_json(ordered, batch.models), "application/json")
        _offer_report(batch, ordered)


def _follow_visits() -> None:
    """A file that was chosen before a visit to another page or view is silent: nobody asked for its sound now."""
    now = state.upload_state()
    if now.table == _table_key() and now.table not in st.session_state:
        now.plays = False
    now.table = _table_key()


def _table_key() -> str:
    return f"batch-table-{state.upload_state().n_walks}"


def _provenance(row: BatchRow, batch: Batch) -> dict[str, str]:
    """Columns with the version of each model, what its prediction is relative to, and the emotions, if not all."""
    columns = {f"{name}, version": get_model(name).version for name in batch.models}
    if batch.possible != EMOTIONS:
        columns["possible emotions"] = ", ".join(batch.possible)
    relative = [name for name in batch.models if state.model_now(name).reference]
    return columns | {f"{name}, reference": _reference(row.item.predictions.get(name)) for name in relative}


def _reference(prediction: Prediction | None) -> str:
    """A file of the reference is not compared with itself: its prediction has one clip less."""
    used = bool(prediction and prediction.reference_clips)
    return f"{prediction.reference_source}, {prediction.reference_clips} clips" if used else ""


def _offer_report(batch: Batch, ordered: Sequence[BatchRow]) -> None:
    """One HTML file with the overview, the table and the sounds, made when the button is clicked."""
    model = batch.models[0]
    found = predictions_of(ordered, model)
    if not found:
        return
    content, metrics = [_report_row(row, p) for row, p in found], get_model(model).metrics
    scores = label_scores(batch, model)
    offer_download(
        "Download report",
        lambda: batch_report("Many files", content, metrics, scores),
        "many_files_report.html",
        "text/html",
        icon=":material/description:",
        key="batch-report",
        help="One HTML file with the figures, the sounds, the model, its limits and the citation.",
    )


def _report_row(row: BatchRow, prediction: Prediction) -> ReportRow:
    file, label = state.files()[row.file_id], (row.label and row.label.emotion) or ""
    return ReportRow(row.item.name, prediction, lambda: read_audio(io.BytesIO(file.getvalue())).waveform, label)


def _show_table(batch: Batch, ordered: Sequence[BatchRow]) -> None:
    rows = [_titled(table_row(row, batch, emotion_label)) for row in ordered]
    chosen = [i for i, row in enumerate(ordered) if row.file_id == state.upload_state().current]
    key = _table_key()
    show_rows(
        rows,
        "Every file with the prediction of each model",
        _columns(rows[0], batch.models),
        column_order=_order(list(rows[0])),
        height=ROW_HEIGHT * (min(len(rows), N_ROWS) + 1) + SCROLL_BAR,
        key=key,
        on_select=lambda: _choose_row(key, ordered),
        selection_mode="single-row",
        selection_default={"selection": {"rows": chosen}},
    )


def _titled(row: dict) -> dict:
    return {TITLES.get(name, name): value for name, value in row.items()}


def _order(names: Sequence[str]) -> list[str]:
    """A phone shows the first prediction, before the label."""
    confidence = next(name for name in names if name.endswith(CONFIDENCE_SUFFIX))
    first = ("file", confidence.removesuffix(CONFIDENCE_SUFFIX), confidence, "label")
    return [name for name in dict.fromkeys([*first, *names]) if name in names]


def _columns(names: Iterable[str], models: Sequence[str]) -> dict:
    """Titles and widths: the prediction and its confidence, by which files are sorted, are in sight."""
    columns = {name: st.column_config.Column(width=width) for name, width in WIDTHS.items()}
    for name in names:
        model = name.removesuffix(CONFIDENCE_SUFFIX)
        if model != name:
            title = "confidence" if len(models) == 1 else name
            columns[name] = st.column_config.NumberColumn(title, width=CONFIDENCE_WIDTH, format="percent")
            columns[model] = st.column_config.Column(width=PREDICTION_WIDTH)
    return columns


def _choose_row(key: str, ordered: Sequence[BatchRow]) -> None:
    rows, now = st.session_state[key]["selection"]["rows"], state.upload_state()
    now.current, now.plays = ordered[rows[0]].file_id if rows and rows[0] < len(ordered) else "", True


def _show_walk(batch: Batch, ordered: Sequence[BatchRow]) -> None:
    """The chosen file with its player, and the buttons to the next one."""
    current = next((i for i, row in enumerate(ordered) if row.file_id == state.upload_state().current), None)
    with st.container(horizontal=True, vertical_alignment="center"):
        _step("Previous", ":material/skip_previous:", "Up", ordered, None if current is None else current - 1)
        _step("Next", ":material/skip_next:", "Down", ordered, 0 if current is None else current + 1)
        if current is not None:
            st.caption(f"{current + 1} of {len(ordered)}")
    if current is None:
        st.caption("Choose a row, or press ↓, to play files one after the other.")
        return
    row = ordered[current]
    file = state.files()[row.file_id]
    st.markdown(f"**{plain(row.item.name)}**")
    st.audio(file, autoplay=state.upload_state().plays, alt=f"The file {row.item.name}")
    for note in row.item.notes:
        st.warning(plain(note))
    _show_predictions(list(row.item.with_ensemble(batch.models).values()))
    open_in_workspace(UploadedSource("upload", row.item.name, file.getvalue()), key="batch-open")


def _step(title: str, icon: str, shortcut: str, ordered: Sequence[BatchRow], to: int | None) -> None:
    is_there = to is not None and 0 <= to < len(ordered)
    args = (ordered[to].file_id,) if is_there else ()
    st.button(title, icon=icon, shortcut=shortcut, disabled=not is_there, on_click=walk_to, args=args, key=title)


def walk_to(file_id: str) -> None:
    """Make a file the one that is played; the table is drawn again, as its selection cannot be changed."""
    now = state.upload_state()
    now.current, now.plays = file_id, True
    now.n_walks += 1


def _show_predictions(predictions: Sequence[Prediction]) -> None:
    """The predictions for the chosen file; none without speech or without a model."""
    spoken = [prediction for prediction in predictions if prediction_label(prediction) != NO_SPEECH]
    if spoken:
        alt = "; ".join(f"{p.model}: {p.emotion} {format_probability(p.confidence)}" for p in spoken)
        figure = probability_bars(spoken[0]) if len(spoken) == 1 else stacked_probability_bars(spoken)
        chart(figure, key="batch-bars", alt=alt, numbers=len(spoken) > 1)
    for prediction in predictions:
        if prediction.abstain:
            st.caption(plain(f"{prediction.model} is not sure: {prediction.reason}"))
        if prediction.model != ENSEMBLE_NAME:
            show_expectation(prediction, get_model(prediction.model).metrics)


def table_row(row: BatchRow, batch: Batch, written: Callable[[str], str] = str) -> dict:
    """A row of the table and of the CSV; `written` formats an emotion."""
    item, models = row.item, batch.models
    found = item.with_ensemble(models)
    line: dict = {"file": item.name}
    if batch.has_labels:
        line["label"] = written(row.label.emotion) if row.label and row.label.emotion else ""
    if len(models) > 1:
        line["disagreement"] = item.disagreement(models)
    for name in [ENSEMBLE_NAME, *models] if len(models) > 1 < len(ensemble_members(models)) else models:
        line[name], line[name + CONFIDENCE_SUFFIX] = _prediction_cells(found.get(name), written)
    if batch.has_corpus_recordings:
        line["recording of"] = batch.part(row, models[0])
    return line | {"seconds": round(item.duration_s, 2), "speech s": round(item.speech_s, 2)}


def _prediction_cells(prediction: Prediction | None, written: Callable[[str], str]) -> tuple[str | None, float | None]:
    """Prediction and confidence; None for a model that was not run."""
    if prediction is None:
        return None, None
    label = prediction_label(prediction)
    if label == NO_SPEECH:
        return label, None
    return label_in_words(label, written(prediction.emotion)), round(prediction.confidence, 3)


def as_json(rows: Sequence[BatchRow], models: Sequence[str]) -> str:
    """All probabilities of all files."""
    content = [
        {
            "file": row.item.name,
            "label": row.label and row.label.emotion,
            "notes": row.item.notes,
            "predictions": [prediction.to_dict() for prediction in row.item.with_ensemble(models).values()],
        }
        for row in rows
    ]
    return content_as_json(content)


def _download(kind: str, content: str, mime: str) -> None:
    offer_download(f"Download {kind}", content, f"many_files_emotion.{kind.lower()}", mime)
