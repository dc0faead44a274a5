"""Evaluation results of all models, from the ranking down to single clips."""

import streamlit as st

st.title("Evaluation", anchor=False)
with st.spinner("Starting"):
    from pages.evaluation import comparison, view
    from pages.ui import results
    from pages.ui.problems import show_problem
    from ser_core.data import ProtocolError
    from ser_core.evaluation import ComparisonError, ResultError

names = results.splits()
if not names:
    view.show_empty()
    st.stop()
split = st.selectbox("Test part", names, key="split", bind="query-params")
try:
    found = results.load_results(split)
except (ComparisonError, ProtocolError, ResultError) as error:
    show_problem(error)
    st.stop()

show = view.choose_part()
if show == view.RANKING:
    view.show_ranking(found)
    view.show_all_folds(split)
    view.show_published(found)
elif show == view.CONFUSION:
    view.show_model(found)
elif show == view.CONFIDENCE:
    view.show_confidence(found)
else:
    comparison.show_comparison(found)
