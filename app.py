"""The app: page settings and navigation. streamlit run app.py"""

from pathlib import Path

import streamlit as st

from pages._frame import draw_frame

ICON = Path(__file__).parent / "assets" / "icon.svg"  # an icon by name would be fetched from the internet

st.set_page_config(page_title="Speech emotion workbench", page_icon=ICON, layout="wide")
record_and_analyse = st.Page(
    "pages/record_and_analyse.py", title="Record & analyse", icon=":material/mic:", default=True
)
compare_models = st.Page("pages/compare_models.py", title="Compare models", icon=":material/compare_arrows:")
upload_and_compare = st.Page("pages/upload_and_compare.py", title="Upload & compare", icon=":material/table_rows:")
trajectory = st.Page("pages/trajectory.py", title="Trajectory", icon=":material/timeline:")
listening_test = st.Page("pages/listening_test.py", title="Listening test", icon=":material/hearing:")
evaluation = st.Page("pages/evaluation.py", title="Evaluation", icon=":material/bar_chart:")
data_explorer = st.Page("pages/data_explorer.py", title="Data explorer", icon=":material/library_music:")
model_cards = st.Page("pages/model_cards.py", title="Model cards", icon=":material/description:")
training = st.Page("pages/training.py", title="Training", icon=":material/model_training:")
draw_frame()
st.navigation(
    {
        "Analyse": [record_and_analyse, trajectory, compare_models, upload_and_compare, listening_test],
        "Explore": [evaluation, data_explorer],
        "Train": [training],
        "About": [model_cards],
    }
).run()
