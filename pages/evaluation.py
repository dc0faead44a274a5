"""How good the models are, on recordings that they were not trained on: every figure down to the single clip."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Evaluation", anchor=False)
with st.spinner("Starting"):
    from pages import _evaluation_parts as parts, _measured
    from pages._result import show_problem
    from ser_core.data import ProtocolError
    from ser_core.evaluation import ComparisonError, ResultError

names = _measured.splits()
if not names:
    parts.show_empty()
    st.stop()
split = st.selectbox("Test part", names, key="split", bind="query-params")
try:
    found = _measured.measured(split)
except (ComparisonError, ProtocolError, ResultError) as error:
    show_problem(error)
    st.stop()

show = parts.choose_part()
if show == parts.RANKING:
    parts.show_ranking(found)
    parts.show_all_folds(split)
    parts.show_published(found)
elif show == parts.CONFUSION:
    parts.show_model(found)
elif show == parts.CERTAINTY:
    parts.show_certainty(found)
else:
    parts.show_against_each_other(found)
