"""The app: page settings and navigation. streamlit run app.py"""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.layout import draw_layout
from pages.ui.server.memory import keep_in_memory_only
from ser_core.paths import ICON  # as a file: an icon by name would be fetched from the internet


def page(folder: str, title: str, icon: str, url_path: str | None = None) -> st.Page:
    """The page in a folder of pages/; its address is the name of the folder unless given."""
    path = f"pages/{folder}/page.py"
    icon = f":material/{icon}:"
    return st.Page(path, title=title, icon=icon, url_path=url_path or folder, default=folder == "home")


def navigation() -> st.Page:
    """Draws the list of pages; the page to be shown."""
    analyse = [
        page("record", "Record & analyse", "mic", "record_and_analyse"),
        page("live", "Live", "graphic_eq"),
        page("trajectory", "Trajectory", "timeline"),
        page("compare", "Compare models", "compare_arrows", "compare_models"),
        page("many_files", "Many files", "table_rows"),
        page("listening", "Listening test", "hearing", "listening_test"),
    ]
    explore = [
        page("explain", "Why?", "search_insights", "why"),
        page("embedding_map", "Embedding map", "scatter_plot"),
        page("models", "Models", "bar_chart"),
        page("data", "Data explorer", "library_music", "data_explorer"),
    ]
    about = [
        page("learn", "Learn", "school"),
        page("settings", "Settings & API", "settings"),
    ]
    train = [page("training", "Training", "model_training")]
    sections = {"": [page("home", "Home", "home")], "Analyse": analyse, "Explore": explore, "Train": train}
    return st.navigation(sections | {"About": about}, expanded=True)


if get_script_run_ctx(suppress_warning=True):
    st.set_page_config(page_title="Speech emotion workbench", page_icon=ICON, layout="wide")
    draw_layout()
    navigation().run()
else:  # imported before the server starts, by `streamlit run` and by scripts.serve
    # Otherwise the first session takes the folder pages/ for the list of pages, and finds none at the address of a
    # page.
    PagesManager.uses_pages_directory = False
    keep_in_memory_only()
    app = st.App(__file__)
