"""Views of the page "Settings"."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from pages.ui.clip import chosen
from pages.ui.layout import opened
from pages.ui.problems import show_no_model
from pages.ui.results import recordings
from pages.ui.session import session
from pages.ui.text import counted, plain
from ser_core import paths
from ser_core.data import (
    FEEDBACK_FILE,
    FeedbackError,
    audio_cache_folder,
    delete_feedback,
    feedback_folder,
    read_feedback,
)
from ser_core.evaluation import citation_bibtex, folder_bytes, required_packages, resident_bytes, system_info
from ser_core.inference import loaded_models, unload_models
from ser_core.models import available_models
from ser_core.serving import API_PATH, LIVE_PATH, is_serving

ROW_HEIGHT = 26  # pixels
README_ADDRESS = "http://localhost:8501"
COMMANDS = """\
python -m scripts.predict assets/samples/story.ogg --format text
python -m scripts.predict assets/samples/story.ogg --windows --format csv
"""


def show_session() -> None:
    """Contents of this session, and a button that deletes them."""
    st.subheader("Data of this session", anchor=False)
    kept = _kept()
    if not kept:
        st.caption("Nothing: no recording, no result.")
        return
    st.markdown("\n".join(f"- {plain(line)}" for line in kept))
    st.button("Delete all of it", icon=":material/delete:", on_click=session().clear, key="delete-all")
    st.caption("It is deleted anyway when the session ends, and never written to disk.")


def _kept() -> list[str]:
    """One line for each kind of content; a file name was chosen by the person."""
    now, clip = session(), chosen()
    counts = [state.contents() for state in now.pages.values()]
    counts.append({"models adapted to your voice": len(now.adapters), "clips of your voice": len(now.voice_clips)})
    n_earlier = sum(other is not clip and other.id not in now.voice_clips for other in now.latest.values())
    counts.append({"earlier clips, kept for your voice": n_earlier})
    own = [f"the clip {clip.name}; results computed from it: {len(now.memory)}"] if clip else []
    return own + [f"{content}: {n}" for page in counts for content, n in page.items() if n]


def show_models() -> None:
    """Models in memory: shared by all sessions, and loaded again when asked for."""
    st.subheader("Models in memory", anchor=False)
    if not loaded_models():
        st.caption("None. A model is loaded at its first use, and shared by all sessions.")
        return
    rows = [{"model": name, "parameters": model.n_parameters() or None} for name, model in loaded_models().items()]
    st.dataframe(
        rows,
        hide_index=True,
        row_height=ROW_HEIGHT,
        placeholder="",
        column_config={"parameters": st.column_config.NumberColumn(format="localized")},
        alt="Models in memory and their size",
    )
    st.button("Unload all", on_click=unload_models, key="unload", help="The next prediction of a model loads it again.")


def show_folders() -> None:
    """Where models, recordings and decoded recordings are looked for."""
    st.subheader("Folders", anchor=False)
    there = recordings()
    corpora = counted(len(there), "recording") if there else "none: set it and restart"
    size = folder_bytes(audio_cache_folder())
    decoded = f"{size / 1e6:,.0f} MB" if size else "empty: python -m scripts.prepare_corpora"
    rows = [
        {"what": "models", "where": _short(paths.CHECKPOINTS), "there": counted(len(available_models()), "model")},
        {"what": "recordings", "where": "SER_CORPORA", "there": corpora},
        {"what": "decoded recordings", "where": _short(audio_cache_folder()), "there": decoded},
    ]
    folder = feedback_folder()
    if folder:
        rows.append({"what": "saved labels", "where": "SER_FEEDBACK", "there": _saved_labels(folder)})
    st.dataframe(rows, hide_index=True, row_height=ROW_HEIGHT, alt="Folders and what is in them")
    if folder and (folder / FEEDBACK_FILE).is_file():
        st.button("Delete my labels", icon=":material/delete:", on_click=_delete_labels, args=(folder,), key="labels")


def _saved_labels(folder: Path) -> str:
    """How many this visitor saved, or why they cannot be read."""
    try:
        return f"{counted(len(read_feedback(folder, session().visitor)), 'label')} of yours, in {FEEDBACK_FILE}"
    except FeedbackError as error:
        return str(error)


def _delete_labels(folder: Path) -> None:
    try:
        delete_feedback(folder, session().visitor)
    except FeedbackError as error:  # a callback may not raise
        st.toast(plain(str(error)), icon=":material/warning:")


def _short(folder: Path) -> str:
    """Relative to the program where it lies there."""
    return str(folder.relative_to(paths.ROOT) if folder.is_relative_to(paths.ROOT) else folder)


def show_code() -> None:
    """How to ask a model without this app: the functions that the pages call."""
    st.subheader("From Python", anchor=False)
    if not available_models():
        show_no_model()
    st.code(python_example(), language="python", wrap_lines=True)
    st.subheader("From the command line", anchor=False)
    st.code(COMMANDS, language="bash", wrap_lines=True)
    st.caption(
        "Run in the folder of the program, with `.venv/bin/python` or after `source .venv/bin/activate`. "
        "`python -m scripts.predict --help` lists everything; a file that cannot be read gets a line with the reason."
    )


def show_api() -> None:
    """Commands to use the REST interface of this server, where it is enabled."""
    st.subheader("From other programs", anchor=False)
    if not is_serving.is_set():
        st.caption("This server has no REST API. `make app` starts one that has.")
        return
    address = _address()
    for example in api_examples():
        st.code(example.replace(README_ADDRESS, address), language="python", wrap_lines=True)
    st.markdown(f"[API documentation, to try out]({address}{API_PATH}/docs) · [the live page]({address}{LIVE_PATH}/)")


def _address() -> str:
    """Of this server, as the browser calls it."""
    parts = urlsplit(st.context.url or README_ADDRESS)
    return f"{parts.scheme}://{parts.netloc}"


@st.cache_data
def _readme_examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (paths.ROOT / "README.md").read_text(), re.DOTALL)


def python_example() -> str:
    """The example of the README that needs no server."""
    return _readme_examples()[0]


def api_examples() -> list[str]:
    """Those that ask a server at README_ADDRESS: by REST, and by gradio_client."""
    return [example for example in _readme_examples() if README_ADDRESS in example]


def show_machine() -> None:
    """Versions, device, threads, memory."""
    st.subheader("Software and hardware", anchor=False)
    with st.container(horizontal=True, gap="medium"):
        for title, value in _system().items():
            st.metric(title, value, width="content")
        size = resident_bytes()
        st.metric("process memory", f"{size / 1e6:,.0f} MB" if size else "unknown", width="content")
    rows = [
        {"package": name, "installed": installed, "required": required if installed != required else ""}
        for name, installed, required in required_packages()
    ]
    if box := opened("Packages", "packages"):
        with box:
            st.dataframe(rows, hide_index=True, row_height=ROW_HEIGHT, alt="Version of each package")
            st.caption("The required version is shown where a different one is installed.")


@st.cache_data
def _system() -> dict[str, str]:
    return system_info()


def show_citation() -> None:
    """How to cite the program."""
    if entry := citation_bibtex():
        st.subheader("Cite", anchor=False)
        st.code(entry, language="bibtex", wrap_lines=True)
