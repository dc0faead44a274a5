"""The app: page settings and navigation. streamlit run app.py"""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.layout import draw_layout
from pages.ui.server.memory import keep_in_memory_only
from ser_core.paths import ICON  # as a file: an icon by name would be fetched from the internet

MOVED = {
    "record_and_analyse": ("workspace", {"view": "answer"}),
    "trajectory": ("workspace", {"view": "over_time"}),
    "why": ("workspace", {"view": "why"}),
    "compare_models": ("workspace", {"view": "models"}),
    "embedding_map": ("workspace", {"view": "map"}),
    "listening_test": ("learn", {"lesson": "Listening test"}),
    "training": ("models", {"show": "Training"}),
}  # address of a page of earlier versions -> where it is now: folder of pages/, and what the address names there


def page(folder: str, title: str, icon: str, url_path: str | None = None) -> st.Page:
    """The page in a folder of pages/; its address is the name of the folder unless given."""
    path = f"pages/{folder}/page.py"
    icon = f":material/{icon}:"
    return st.Page(path, title=title, icon=icon, url_path=url_path or folder, default=folder == "home")


def moved(address: str, folder: str, named: dict[str, str]) -> st.Page:
    """Leads from an old address, with all that it names, to the page that is there now."""

    def lead() -> None:
        st.switch_page(f"pages/{folder}/page.py", query_params=st.query_params.to_dict() | named)

    return st.Page(lead, title="Moved", url_path=address, visibility="hidden")


def navigation() -> st.Page:
    """Draws the list of pages; the page to be shown."""
    pages = [
        page("home", "Home", "home"),
        page("workspace", "Clip", "graphic_eq", "clip"),
        page("many_files", "Many files", "table_rows"),
        page("live", "Live", "mic"),
        page("enrol", "My voice", "record_voice_over", "my_voice"),
        page("models", "Models", "bar_chart"),
        page("data", "Data", "library_music", "data_explorer"),
        page("learn", "Learn", "school"),
        page("settings", "Settings", "settings"),
    ]
    return st.navigation([*pages, *(moved(address, *place) for address, place in MOVED.items())], expanded=True)


if get_script_run_ctx(suppress_warning=True):
    st.set_page_config(page_icon=ICON, layout="wide")
    draw_layout()
    navigation().run()
else:  # imported before the server starts, by `streamlit run` and by scripts.serve
    # Otherwise the first session takes the folder pages/ for the list of pages, and finds none at the address of a
    # page.
    PagesManager.uses_pages_directory = False
    keep_in_memory_only()
    app = st.App(__file__)
