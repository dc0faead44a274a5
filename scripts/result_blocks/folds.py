"""Scores over folds and over left-out corpora."""

import json

from scripts.result_blocks.text import MISSING, points
from ser_core import paths
from ser_core.data import SPEAKER_INDEPENDENT, SPEAKER_INDEPENDENT_8
from ser_core.evaluation import (
    CrossValidationResult,
    fold_table,
    load_cross_validation,
    markdown_table,
    mean_over_corpora,
    published_section,
    score_table,
)
from ser_core.metrics import format_percent
from ser_core.models import DEFAULT_MODEL, METRICS_FILE

LISTENERS = paths.RESULTS / "listeners.json"
FROM_SCRATCH = "prosonet"  # the best model without pre-trained parts
CrossValidations = dict[str, CrossValidationResult]
"""Model -> its scores over the folds of a protocol."""


def scores() -> str:
    """One table for each checkpoint evaluated on unseen speakers."""
    blocks = []
    for path in sorted(paths.CHECKPOINTS.glob(f"*/{METRICS_FILE}")):
        metrics = json.loads(path.read_text())
        if metrics["protocol"] != SPEAKER_INDEPENDENT:
            continue
        title = f"`{path.parent.name}`, protocol `{metrics['protocol']}`, fold {metrics['fold']}:"
        common = (
            f"Mean of the speech corpora: UAR {100 * mean_over_corpora(metrics, 'uar'):.1f} %, accuracy on the six "
            f"common emotions {100 * metrics['common_accuracy_mean']:.1f} %."
        )
        blocks.append(f"{title}\n\n{score_table(metrics)}\n\n{common}")
    return "\n\n".join(blocks)


def all_folds(measured: CrossValidations) -> str:
    """One table for each model evaluated on several folds, then published scores."""
    blocks = [f"`{name}`:\n\n{fold_table(model)}" for name, model in measured.items()] or [f"All folds: {MISSING}."]
    return "\n\n".join([*blocks, published_section(SPEAKER_INDEPENDENT)])


def default_folds() -> str:
    """The default model over the folds of eight corpora."""
    found = load_cross_validation(SPEAKER_INDEPENDENT_8).get(DEFAULT_MODEL)
    return fold_table(found) if found else f"`{DEFAULT_MODEL}`: {MISSING}."


def default_mean() -> str:
    """Its means over the speech corpora, in a sentence."""
    return default_folds().split("\n\n")[-1]


def cross_corpus(measured: CrossValidations) -> str:
    """Scores on each corpus of a model trained on the others."""
    blocks = [f"`{name}`:\n\n{fold_table(model)}" for name, model in measured.items()]
    return "\n\n".join(blocks) or f"No model: {MISSING}."


def listeners(measured: CrossValidations) -> str:
    """UAR of people and of the model from scratch on CREMA-D, which it was not trained on."""
    if not LISTENERS.is_file() or FROM_SCRATCH not in measured:
        return f"Listeners: {MISSING}."
    people, model = json.loads(LISTENERS.read_text()), measured[FROM_SCRATCH].pooled_by_corpus["crema_d"]
    rows = [
        [f"`{FROM_SCRATCH}`, trained without CREMA-D", format_percent(model.uar, model.uar_ci)],
        ["one listener", points(people["single_listener"])],
        ["the most frequent vote of about ten listeners", points(people["plurality"])],
    ]
    return markdown_table(["CREMA-D", "UAR %"], rows)
