"""The card and the files of a checkpoint."""

from pathlib import Path

import streamlit as st

from pages.models.verdict import show_table
from pages.ui.export import offer_download
from pages.ui.results import read_verdict
from ser_core import paths
from ser_core.models import CARD_FILE, available_models, checkpoint_folder


def show_cards() -> None:
    """The card of any model.

    Raises:
        CheckpointError: deleted while the app runs.
    """
    names = available_models()
    if names:
        name = st.selectbox("Model", names, key="model", bind="query-params")
        show_card(name)
        show_files(name)


def show_card(name: str) -> None:
    """The model card stored with the weights, without its title."""
    path = checkpoint_folder(name) / CARD_FILE
    if not path.is_file():
        st.warning(f"{name} has no model card: python -m scripts.evaluate {name} --write evaluates it and writes one.")
        return
    card = path.read_text(errors="replace")
    title, _, text = card.partition("\n")
    st.header(title.lstrip("# "), anchor=False)
    found = read_verdict(name)
    if found.left_out:
        st.markdown("**UAR on corpora left out of training**, beside unseen speakers of corpora it was trained on")
        show_table(found)
    for block in text.replace("\n## ", "\n### ").split("\n\n"):
        _show_block(block.strip())
    offer_download("Download the card", card, f"{name}.md", "text/markdown")


def _show_block(block: str) -> None:
    """A paragraph as it is; a table in a frame of its own, which scrolls where the screen is narrow."""
    if not block.startswith("|") or "\n" not in block:
        st.markdown(block)
        return
    head, _, *rows = ([cell.strip() for cell in line.strip()[1:-1].split("|")] for line in block.splitlines())
    table = [{name: r"\-" if cell == "-" else cell for name, cell in zip(head, row, strict=False)} for row in rows]
    st.table(table, width="content", hide_index=True)


def show_files(name: str) -> None:
    """Size and checksum of each file, to verify a copy."""
    st.subheader("Files", anchor=False)
    files = sorted(path for path in checkpoint_folder(name).iterdir() if path.is_file())
    rows = [
        {"file": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path, path.stat().st_mtime_ns)}
        for path in files
    ]
    st.dataframe(rows, hide_index=True, alt=f"The files of {name} with their sha256")


@st.cache_data(max_entries=128)
def _sha256(path: Path, modified_ns: int) -> str:
    return paths.file_sha256(path)
