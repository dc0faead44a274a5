"""All figures of a comparison of models, and one HTML page with them that works offline."""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from plotly import graph_objects as go

from ser_core.data import CORPUS_NAMES
from ser_core.evaluation import pooled_predictions
from ser_core.labels import EMOTIONS
from ser_core.metrics import precision_recall_curves, risk_coverage, roc_curves
from ser_core.plots.curves import class_score_radar, precision_recall_lines, risk_coverage_lines, roc_lines
from ser_core.plots.evaluation import class_score_dots, ranking_plot
from ser_core.plots.heatmaps import confusion_heatmap, score_heatmap, significance_heatmap
from ser_core.plots.reports.figures import fit_to_report

if TYPE_CHECKING:
    from ser_core.evaluation import Comparison, EvaluationResult, PredictionTable

MAX_RADAR_MODELS = 3
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px system-ui, sans-serif; max-width: 1000px; margin: 2rem auto; padding: 0 1rem }}
.js-plotly-plot text:not(.heatmap-label text) {{ fill: CanvasText !important }}
.js-plotly-plot .bg {{ fill: Canvas !important; fill-opacity: 0 !important }}
</style></head><body><h1>{title}</h1>
<p>{about}</p>
{body}
</body></html>
"""


def comparison_figures(comparison: "Comparison", results: Sequence["EvaluationResult"]) -> dict[str, go.Figure]:
    """Title -> figure, in the order of the page: all models together, then each model, the best first.

    Args:
        results: those that were compared.
    """
    tables = {result.model: pooled_predictions(result) for result in results}
    figures = _ranking_figures(comparison) | _class_figures(comparison)
    figures["Accuracy points by which the row beats the column; McNemar, Holm-corrected p < 0.05"] = (
        significance_heatmap(comparison)
    )
    certain = {
        s.model: risk_coverage(tables[s.model].probabilities, tables[s.model].y_true) for s in comparison.ranking
    }
    figures["Risk and coverage"] = risk_coverage_lines(certain)
    for s in comparison.ranking:
        figures[f"{s.model}: confusion"] = confusion_heatmap(s.confusion, comparison.labels)
        figures |= _curve_figures(s.model, tables[s.model])
    return figures


def _ranking_figures(comparison: "Comparison") -> dict[str, go.Figure]:
    ranking = comparison.ranking
    corpora = {s.model: {CORPUS_NAMES[name]: scores["uar"] for name, scores in s.corpora.items()} for s in ranking}
    return {
        "UAR": ranking_plot(ranking, "uar"),
        "Accuracy": ranking_plot(ranking, "accuracy"),
        "Macro-F1": ranking_plot(ranking, "macro_f1"),
        "UAR of each corpus": score_heatmap(corpora),
    }


def _class_figures(comparison: "Comparison") -> dict[str, go.Figure]:
    ranking = comparison.ranking
    f1 = {s.model: {e: s.per_class[e]["f1"] for e in EMOTIONS if e in s.per_class} for s in ranking}
    best = [s.model for s in ranking[:MAX_RADAR_MODELS]]
    return {
        "F1 of each emotion": class_score_dots(f1),
        f"F1 of each emotion, the best {len(best)}": class_score_radar({model: f1[model] for model in best}),
    }


def _curve_figures(model: str, table: "PredictionTable") -> dict[str, go.Figure]:
    roc = roc_curves(table.probabilities, table.y_true)
    precision_recall = precision_recall_curves(table.probabilities, table.y_true)
    return {
        f"{model}: ROC": roc_lines({table.labels[k]: curve for k, curve in roc.items()}),
        f"{model}: precision and recall": precision_recall_lines(
            {table.labels[k]: curve for k, curve in precision_recall.items()}
        ),
    }


def comparison_page(comparison: "Comparison", results: Sequence["EvaluationResult"]) -> str:
    """HTML page with all figures and plotly.js. Arguments as for comparison_figures."""
    parts: list[str] = []
    for title, figure in comparison_figures(comparison, results).items():
        fit_to_report(figure)
        drawn = figure.to_html(full_html=False, include_plotlyjs=not parts, config={"displaylogo": False})
        parts.append(f"<h2>{html.escape(title)}</h2>\n{drawn}")
    title, about = (html.escape(text) for text in (f"Models on {comparison.split}", comparison.about))
    return PAGE.format(title=title, about=about, body="\n".join(parts))
