"""Figures of a comparison, and the page with them."""

import re

from ser_core.evaluation.comparison.compare import compare_results
from ser_core.plots.reports.comparison import MAX_RADAR_MODELS, comparison_figures, comparison_page
from tests.make_results import three_results


def test_all_models_come_first_then_each_the_best_first():
    results = three_results()
    comparison = compare_results(results)
    figures = comparison_figures(comparison, results)
    titles = list(figures)
    assert (
        titles[:3] == ["UAR", "Accuracy", "Macro-F1"] and f"F1 of each emotion, the best {MAX_RADAR_MODELS}" in titles
    )
    per_model = [title.split(": ") for title in titles if ": " in title]
    assert [model for model, kind in per_model if kind == "ROC"] == ["best", "middle", "worst"]
    assert [kind for model, kind in per_model if model == "best"] == ["confusion", "ROC", "precision and recall"]
    assert all(figure.data for figure in figures.values())


def test_the_page_holds_every_figure_once():
    results = three_results()
    comparison = compare_results(results)
    page = comparison_page(comparison, results)
    assert len(re.findall("<h2>", page)) == len(comparison_figures(comparison, results))
    assert comparison.about in page and page.count("<title>Models on resonet</title>") == 1
