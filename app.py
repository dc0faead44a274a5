"""The app: page settings and navigation. streamlit run app.py"""

from pathlib import Path

import streamlit as st

from pages._frame import draw_frame

ICON = Path(__file__).parent / "assets" / "icon.svg"  # an icon by name would be fetched from the internet

st.set_page_config(page_title="Speech emotion workbench", page_icon=ICON, layout="wide")
home = st.Page("pages/home.py", title="Home", icon=":material/home:", default=True)
record_and_analyse = st.Page("pages/record_and_analyse.py", title="Record & analyse", icon=":material/mic:")
live = st.Page("pages/live.py", title="Live", icon=":material/graphic_eq:")
compare_models = st.Page("pages/compare_models.py", title="Compare models", icon=":material/compare_arrows:")
upload_and_compare = st.Page("pages/upload_and_compare.py", title="Upload & compare", icon=":material/table_rows:")
trajectory = st.Page("pages/trajectory.py", title="Trajectory", icon=":material/timeline:")
listening_test = st.Page("pages/listening_test.py", title="Listening test", icon=":material/hearing:")
evaluation = st.Page("pages/evaluation.py", title="Evaluation", icon=":material/bar_chart:")
why = st.Page("pages/why.py", title="Why?", icon=":material/search_insights:")
embedding_map = st.Page("pages/embedding_map.py", title="Embedding map", icon=":material/scatter_plot:")
data_explorer = st.Page("pages/data_explorer.py", title="Data explorer", icon=":material/library_music:")
model_cards = st.Page("pages/model_cards.py", title="Model cards", icon=":material/description:")
training = st.Page("pages/training.py", title="Training", icon=":material/model_training:")
learn = st.Page("pages/learn.py", title="Learn", icon=":material/school:")
settings = st.Page("pages/settings.py", title="Settings & API", icon=":material/settings:")
draw_frame()
st.navigation(
    {
        "": [home],
        "Analyse": [record_and_analyse, live, trajectory, compare_models, upload_and_compare, listening_test],
        "Explore": [why, embedding_map, evaluation, data_explorer],
        "Train": [training],
        "About": [learn, model_cards, settings],
    },
    expanded=True,
).run()
