"""The app: page settings and navigation. streamlit run app.py"""

from pathlib import Path

import streamlit as st

ICON = Path(__file__).parent / "assets" / "icon.svg"  # an icon by name would be fetched from the internet

st.set_page_config(page_title="Speech emotion workbench", page_icon=ICON, layout="wide")
record_and_analyse = st.Page(
    "pages/record_and_analyse.py", title="Record & analyse", icon=":material/mic:", default=True
)
st.navigation({"Analyse": [record_and_analyse]}).run()
