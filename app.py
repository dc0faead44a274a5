"""The app: page settings and navigation. streamlit run app.py"""

from pathlib import Path

import streamlit as st

from pages._frame import draw_frame

ICON = Path(__file__).parent / "assets" / "icon.svg"  # an icon by name would be fetched from the internet

st.set_page_config(page_title="Speech emotion workbench", page_icon=ICON, layout="wide")
record_and_analyse = st.Page(
    "pages/record_and_analyse.py", title="Record & analyse", icon=":material/mic:", default=True
)
draw_frame()
evaluation = st.Page("pages/evaluation.py", title="Evaluation", icon=":material/bar_chart:")
st.navigation({"Analyse": [record_and_analyse], "Explore": [evaluation]}).run()
