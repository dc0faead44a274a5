"""What the models are worth: a verdict, rankings down to single clips, groups of speakers, cards, training."""

import streamlit as st

st.title("Models", anchor=False)
with st.spinner("Starting"):
    from pages.models import card, comparison, fairness, parts, predictions, ranking, verdict
    from pages.models.training import view as training
    from pages.ui import results
    from pages.ui.problems import show_problem
    from ser_core.data import ProtocolError
    from ser_core.evaluation import ComparisonError, ResultError
    from ser_core.models import CheckpointError

try:
    verdict.show_verdict()
    show = parts.choose_part()
    if show == parts.SUMMARY:
        verdict.show_by_corpus()
    elif show == parts.CARD:
        card.show_cards()
    elif show == parts.TRAINING:
        training.show_training()
    elif split := parts.choose_split(results.splits()):
        found = results.load_results(split)
        parts.warn_of_shared_speakers(found.comparison)
        if show == parts.RANKING:
            ranking.show_ranking(found)
            ranking.show_all_folds(split)
            ranking.show_published(found)
        elif show == parts.CONFUSION:
            predictions.show_model(found)
        elif show == parts.CONFIDENCE:
            predictions.show_confidence(found)
        elif show == parts.FAIRNESS:
            fairness.show_groups(found)
        else:
            comparison.show_comparison(found)
except (CheckpointError, ComparisonError, ProtocolError, ResultError) as error:
    show_problem(error)
