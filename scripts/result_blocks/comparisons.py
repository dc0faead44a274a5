"""Comparisons of the models on a test part: with published results, with each other, with leakage."""

from collections import defaultdict

from scripts.result_blocks.text import MISSING, marked, note_on_weights, percent, points
from ser_core.data import CORPUS_NAMES, SPEAKER_INDEPENDENT, corpus_name, protocol_of_split
from ser_core.evaluation import (
    Comparison,
    LeakagePart,
    RankedModel,
    compare_results,
    left_out_uars,
    list_results,
    load_result,
    markdown_table,
    published_table,
)
from ser_core.metrics import format_percent
from ser_core.models import MODELS

RESONET, RAVDESS_RANDOM = "resonet", "ravdess-random"
RESONET_CORPORA = ("crema_d", "ravdess", "savee", "tess")  # in the order of the published table
RAVDESS_MEASURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
}
Comparisons = dict[str, Comparison]
"""Test part -> comparison of its results."""


def compare_all() -> Comparisons:
    """The comparisons of all test parts that have a result.

    Raises:
        ComparisonError, ProtocolError, ResultError: a result file that is damaged or does not fit the others.
    """
    found = defaultdict(list)
    for path in list_results():
        found[path.parent.name].append(load_result(path))
    ranked = {split: group for split, group in found.items() if not all(result.leak for result in group)}
    left_out = left_out_uars()
    return {split: compare_results(group, published_table(split), left_out) for split, group in ranked.items()}


def ranked_models(comparison: Comparison | None) -> dict[str, RankedModel]:
    """Model -> its scores, the best model first."""
    return {ranked.model: ranked for ranked in comparison.ranking} if comparison else {}


def table_resonet(found: Comparisons) -> str:
    """Every published row of the split `resonet`, and every other model evaluated on it."""
    table = published_table(RESONET)
    corpora = " / ".join(CORPUS_NAMES[name] for name in RESONET_CORPORA)
    header = ["model", "accuracy % [clips]", "macro-F1 % [clips]", "UAR %, mean of the corpora"]
    header += [f"accuracy % {corpora}", "published: accuracy, macro-F1", "difference, points"]
    rows = _rows(table, found.get(RESONET))
    return markdown_table(header, [_row_resonet(*row) for row in rows]) + note_on_weights(row[2] for row in rows)


def _rows(table: dict, comparison: Comparison | None) -> list[tuple[str, dict, RankedModel | None]]:
    """(title, published row, scores or None): in the published order, then the models without a published row."""
    found = ranked_models(comparison)
    names = [*table["rows"], *(name for name in found if name not in table["rows"])]
    return [
        (_title(name, table["rows"], found.get(name)), table["rows"].get(name, {}), found.get(name)) for name in names
    ]


def _title(name: str, rows: dict, ranked: RankedModel | None) -> str:
    return (f"{rows[name]['title']}, " if name in rows else "") + marked(name, ranked)


def _row_resonet(title: str, row: dict, ranked: RankedModel | None) -> list[str]:
    published = ", ".join(format_percent(row[m], row.get(f"{m}_ci")) for m in ("accuracy", "macro_f1") if m in row)
    if "corpora" in row:
        published += f" ({' / '.join(points(row['corpora'][name]) for name in RESONET_CORPORA)})"
    if ranked is None:
        return [title, MISSING, "", "", "", published or "-", ""]
    pooled = ranked.pooled
    own = " / ".join(percent(ranked.corpora.get(name), "accuracy") for name in RESONET_CORPORA)
    both = (format_percent(pooled[measure], pooled[f"{measure}_ci_clips"]) for measure in ("accuracy", "macro_f1"))
    return [title, *both, points(ranked.means["uar"]), own, published or "-", _difference(ranked)]


def _difference(ranked: RankedModel) -> str:
    difference = ranked.difference or {}
    return ", ".join(f"{100 * difference[m]:+.1f}" for m in ("accuracy", "macro_f1") if m in difference) or "-"


def table_ravdess(found: Comparisons) -> str:
    """Every published row of the split `ravdess-random`: ours, then the published value and the difference."""
    table = published_table(RAVDESS_RANDOM)
    header = ["model", *(f"{title} %" for title in RAVDESS_MEASURES.values())]
    rows = _rows(table, found.get(RAVDESS_RANDOM))
    cells = [[title, *_cells_ravdess(row, ranked)] for title, row, ranked in rows]
    return markdown_table(header, cells) + note_on_weights(row[2] for row in rows)


def _cells_ravdess(row: dict, ranked: RankedModel | None) -> list[str]:
    cells = []
    for measure in RAVDESS_MEASURES:
        published = f"published {100 * row[measure]:.2f}" if measure in row else ""
        if ranked is None:
            cells.append("; ".join(text for text in (MISSING, published) if text))
            continue
        interval = ranked.pooled.get(f"{measure}_ci")
        gain = f", {100 * ranked.difference[measure]:+.1f}" if published else ""
        cells.append(format_percent(ranked.pooled[measure], interval) + (f" ({published}{gain})" if published else ""))
    return cells


def leakage(found: Comparisons) -> str:
    """Scores of a model trained on test clips, next to those without leakage and the published ones."""
    leaks = found[RESONET].leaks if RESONET in found else ()
    blocks = [f"{_leakage_table(leak.parts)}\n\n{_leakage_macro_f1(leak.parts['pooled'])}" for leak in leaks]
    return "\n\n".join([*(blocks or [f"The model with leakage: {MISSING}."]), published_table(RESONET)["note"]])


def _leakage_table(parts: dict[str, LeakagePart]) -> str:
    header = ["corpus", "test clips", "of these in training, in development", "accuracy %: no leakage", "leakage"]
    header += ["published", "on training clips: leakage (none)", "on unseen clips: leakage (none)"]
    rows = []
    for name, part in parts.items():
        trained, unseen = part.groups["training"], part.groups["unseen"]
        accuracies = (percent(source, "accuracy") for source in (part.twin, part.leaked, part.published))
        groups = (f"{points(g.accuracy)} ({points(g.twin_accuracy)})" if g.n_clips else "-" for g in (trained, unseen))
        shares = ", ".join(f"{100 * part.groups[known].share:.0f} %" for known in ("training", "development"))
        rows.append([corpus_name(name), str(part.n_clips), shares, *accuracies, *groups])
    return markdown_table(header, rows)


def _leakage_macro_f1(pooled: LeakagePart) -> str:
    twin, leaked, published = (percent(s, "macro_f1") for s in (pooled.twin, pooled.leaked, pooled.published))
    return f"Macro-F1 pooled: no leakage {twin}, leakage {leaked}, published {published} %."


def speaker_independent(found: Comparisons) -> str:
    """One table for each fold with two models or more, and the models without a result."""
    own = [c for split, c in found.items() if protocol_of_split(split) == SPEAKER_INDEPENDENT]
    several = [comparison for comparison in own if len(ranked_models(comparison)) > 1]
    folds = [_fold(comparison) for comparison in several]
    return "\n\n".join(folds) or f"No model: {MISSING}."


def _fold(comparison: Comparison) -> str:
    found = ranked_models(comparison)
    corpora = list(dict.fromkeys(name for ranked in found.values() for name in ranked.corpora))
    header = [
        "model",
        "left-out corpora: UAR %",
        "mean of the corpora: UAR %",
        *(CORPUS_NAMES[c] for c in corpora),
        "ECE",
    ]
    rows = []
    for name, ranked in found.items():
        own = (percent(ranked.corpora.get(corpus), "uar") for corpus in corpora)
        means = (points(ranked.left_out), points(ranked.means["uar"]))
        rows.append([marked(name, ranked), *means, *own, f"{ranked.ece:.3f}"])
    missing = ", ".join(f"`{name}`" for name in MODELS if name not in found)
    pooled = ", ".join(f"`{name}` {points(ranked.pooled['uar'])}" for name, ranked in found.items())
    notes = f"Pooled over all clips, where TESS, one voice, decides: {pooled}." + note_on_weights(found.values())
    return f"`{comparison.split}`:\n\n{markdown_table(header, rows)}\n\n{notes}" + (
        f"\n\nNot evaluated: {missing}." if missing else ""
    )


def mcnemar(found: Comparisons) -> str:
    """Significance of all pairs of models on the same clips, for each test part with two models or more."""
    parts = [_pairs(comparison) for comparison in found.values() if comparison.pairs]
    return "\n".join(parts) or f"No two models: {MISSING}."


def _pairs(comparison: Comparison) -> str:
    alike = [f"`{p.first}` and `{p.second}` (p = {p.p_holm:.2f})" for p in comparison.pairs if not p.significant]
    n_pairs = len(comparison.pairs)
    rest = f" No significant difference: {', '.join(alike)}." if alike else ""
    return f"- `{comparison.split}`: {n_pairs - len(alike)} of {n_pairs} pairs differ.{rest}"
