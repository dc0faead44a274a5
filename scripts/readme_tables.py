"""Writes the figures of the README from the result files, between its <!-- name --> marks.

python -m scripts.readme_tables            writes README.md; with --check, exit code 1 when it is not up to date
"""

import json
import re
import sys
from collections import defaultdict

import numpy as np

from scripts.bench.benchmark import MODEL_COLUMNS, model_rows, sentences
from ser_core import paths
from ser_core.data import CORPUS_NAMES, SPEECH_CORPORA, ProtocolError
from ser_core.evaluation import (
    LEAVE_ONE_CORPUS_OUT,
    SPEAKER_INDEPENDENT,
    Comparison,
    ComparisonError,
    CrossValidationResult,
    LeakagePart,
    RankedModel,
    ResultError,
    compare_results,
    fold_table,
    list_results,
    load_cross_validation,
    load_result,
    markdown_table,
    published_table,
    score_table,
)
from ser_core.metrics import format_percent
from ser_core.models import METRICS_FILE, MODELS
from ser_core.training import Experiment, read_experiments

README = paths.ROOT / "README.md"
BENCHMARK = paths.RESULTS / "benchmark.json"
MISSING = "not trained yet"
TABLE_R, TABLE_V = "resonet", "ravdess-random"
R_CORPORA = ("crema_d", "ravdess", "savee", "tess")  # in the order of the published table
V_MEASURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
}


Compared = dict[str, Comparison]
"""Test part -> comparison of all results there; without those that have none."""


def compared() -> Compared:
    found = defaultdict(list)
    for path in list_results(folder=paths.RESULTS):
        found[path.parent.name].append(load_result(path))
    ranked = {split: group for split, group in found.items() if not all(result.leak for result in group)}
    return {split: compare_results(group, published_table(split)) for split, group in ranked.items()}


def standings(comparison: Comparison | None) -> dict[str, RankedModel]:
    """By model, the best one first."""
    return {standing.model: standing for standing in comparison.ranking} if comparison else {}


def scores() -> str:
    """One table for each checkpoint that was measured on speakers it has never heard."""
    blocks = []
    for path in sorted(paths.CHECKPOINTS.glob(f"*/{METRICS_FILE}")):
        metrics = json.loads(path.read_text())
        if metrics["protocol"] != SPEAKER_INDEPENDENT:
            continue
        title = f"`{path.parent.name}`, protocol `{metrics['protocol']}`, fold {metrics['fold']}:"
        common = (
            f"Six common emotions: {100 * metrics['common_pooled']['accuracy']:.1f} % accuracy pooled over the speech "
            f"corpora, {100 * metrics['common_accuracy_mean']:.1f} % averaged over them."
        )
        blocks.append(f"{title}\n\n{score_table(metrics)}\n\n{common}")
    return "\n\n".join(blocks)


def benchmark() -> str:
    """One row for each figure, then one for each model and test part."""
    figures = json.loads(BENCHMARK.read_text())
    models, yardstick = figures.pop("models", {}), figures.pop("yardstick", {})
    table = "| measured | |\n|---|---|\n" + "\n".join(f"| {name} | {value:.2f} |" for name, value in figures.items())
    if not models:
        return table
    said = "\n".join(f"- {sentence}" for sentence in sentences(yardstick))
    starred = "A star marks the models that no other one of their test part beats in both speed and UAR."
    return (
        f"{table}\n\n{markdown_table([*MODEL_COLUMNS], [[*row] for row in model_rows(models)])}\n\n{starred}\n\n{said}"
    )


def table_r(found: Compared) -> str:
    """Every published row of the split `resonet`, and every other model that was measured on it."""
    table = published_table(TABLE_R)
    corpora = " / ".join(CORPUS_NAMES[name] for name in R_CORPORA)
    header = ["model", "accuracy % [clips] [speakers]", "macro-F1 % [clips] [speakers]", "UAR % [speakers]"]
    header += [f"accuracy % {corpora}", "published: accuracy, macro-F1", "difference, points"]
    return markdown_table(header, [_row_r(*row) for row in _rows(table, found.get(TABLE_R))])


def _rows(table: dict, comparison: Comparison | None) -> list[tuple[str, dict, RankedModel | None]]:
    """(name, published row, standing or None): the published order first, then what else was measured."""
    found = standings(comparison)
    names = [*table["rows"], *(name for name in found if name not in table["rows"])]
    return [(_title(name, table["rows"]), table["rows"].get(name, {}), found.get(name)) for name in names]


def _title(name: str, rows: dict) -> str:
    return f"{rows[name]['title']}, `{name}`" if name in rows else f"`{name}`"


def _row_r(title: str, row: dict, standing: RankedModel | None) -> list[str]:
    told = ", ".join(format_percent(row[m], row.get(f"{m}_ci")) for m in ("accuracy", "macro_f1") if m in row)
    if "corpora" in row:
        told += f" ({' / '.join(_points(row['corpora'][name]) for name in R_CORPORA)})"
    if standing is None:
        return [title, MISSING, "", "", "", told or "-", ""]
    pooled = standing.pooled
    own = " / ".join(_of(standing.corpora.get(name), "accuracy") for name in R_CORPORA)
    both = (_with_both_intervals(pooled, measure) for measure in ("accuracy", "macro_f1"))
    return [title, *both, format_percent(pooled["uar"], pooled["uar_ci"]), own, told or "-", _distance(standing)]


def _with_both_intervals(scores: dict, measure: str) -> str:
    over_clips = format_percent(scores[measure], scores[f"{measure}_ci_clips"])
    over_speakers = format_percent(scores[measure], scores[f"{measure}_ci"])
    return f"{over_clips} {over_speakers.partition(' ')[2]}".strip()


def _distance(standing: RankedModel) -> str:
    difference = standing.difference or {}
    return ", ".join(f"{100 * difference[m]:+.1f}" for m in ("accuracy", "macro_f1") if m in difference) or "-"


def table_v(found: Compared) -> str:
    """Every published row of the split `ravdess-random`: ours, then the published value and the difference."""
    table = published_table(TABLE_V)
    header = ["model", *(f"{title} %" for title in V_MEASURES.values())]
    return markdown_table(
        header, [[title, *_cells_v(row, standing)] for title, row, standing in _rows(table, found.get(TABLE_V))]
    )


def _cells_v(row: dict, standing: RankedModel | None) -> list[str]:
    cells = []
    for measure in V_MEASURES:
        told = f"published {100 * row[measure]:.2f}" if measure in row else ""
        if standing is None:
            cells.append("; ".join(text for text in (MISSING, told) if text))
            continue
        interval = standing.pooled.get(f"{measure}_ci")
        gain = f", {100 * standing.difference[measure]:+.1f}" if told else ""
        cells.append(format_percent(standing.pooled[measure], interval) + (f" ({told}{gain})" if told else ""))
    return cells


def leak(found: Compared) -> str:
    """What training on test clips gives; beside it the honest model and the published one."""
    leaks = found[TABLE_R].leaks if TABLE_R in found else ()
    blocks = [f"{_leak_table(leak.parts)}\n\n{_leak_macro_f1(leak.parts['pooled'])}" for leak in leaks]
    return "\n\n".join([*(blocks or [f"The leaked model: {MISSING}."]), published_table(TABLE_R)["note"]])


def _leak_table(parts: dict[str, LeakagePart]) -> str:
    header = ["test clips", "clips", "of these trained on, developed on", "accuracy %: honest", "leaked", "published"]
    header += ["on clips it was trained on: leaked (honest)", "on clips it never met: leaked (honest)"]
    rows = []
    for name, part in parts.items():
        trained, unheard = part.groups["trained"], part.groups["unheard"]
        accuracies = (_of(source, "accuracy") for source in (part.honest, part.leaked, part.published))
        groups = (
            f"{_points(g.accuracy)} ({_points(g.honest_accuracy)})" if g.n_clips else "-" for g in (trained, unheard)
        )
        shares = ", ".join(f"{100 * part.groups[met].share:.0f} %" for met in ("trained", "development"))
        rows.append([CORPUS_NAMES.get(name, name), str(part.n_clips), shares, *accuracies, *groups])
    return markdown_table(header, rows)


def _leak_macro_f1(pooled: LeakagePart) -> str:
    honest, leaked, published = (_of(s, "macro_f1") for s in (pooled.honest, pooled.leaked, pooled.published))
    return f"Macro-F1 pooled: honest {honest}, leaked {leaked}, published {published} %."


def _of(source: dict | None, measure: str) -> str:
    return _points((source or {}).get(measure))


def _points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def speaker_independent(found: Compared) -> str:
    """One table for each fold on which models can be compared; those without a result are named below it."""
    several = [c for split, c in found.items() if split.startswith(SPEAKER_INDEPENDENT) and len(standings(c)) > 1]
    folds = [_fold(comparison) for comparison in several]
    return "\n\n".join(folds) or f"No model: {MISSING}."


def _fold(comparison: Comparison) -> str:
    found = standings(comparison)
    corpora = list(dict.fromkeys(name for standing in found.values() for name in standing.corpora))
    header = ["model", *(f"UAR %, {CORPUS_NAMES[name]}" for name in corpora), "UAR %, mean of the speech corpora"]
    header += [f"{measure} %, pooled" for measure in ("UAR", "macro-F1", "accuracy")]
    rows = []
    for name, standing in sorted(found.items(), key=lambda pair: -_mean_of_speech(pair[1])):
        pooled = (
            format_percent(standing.pooled[m], standing.pooled[f"{m}_ci"]) for m in ("uar", "macro_f1", "accuracy")
        )
        own = (_of(standing.corpora.get(corpus), "uar") for corpus in corpora)
        rows.append([f"`{name}`", *own, _points(_mean_of_speech(standing)), *pooled])
    missing = ", ".join(f"`{name}`" for name in MODELS if name not in found)
    return f"`{comparison.split}`:\n\n{markdown_table(header, rows)}" + (
        f"\n\nNot measured here: {missing}." if missing else ""
    )


def _mean_of_speech(standing: RankedModel) -> float:
    """UAR; pooled, TESS would weigh more than the three other corpora together."""
    return float(np.mean([s["uar"] for corpus, s in standing.corpora.items() if corpus in SPEECH_CORPORA]))


def all_folds(found: Compared) -> str:
    """One table for each model that was measured on several folds; beside it what others published."""
    measured = load_cross_validation(SPEAKER_INDEPENDENT, paths.RESULTS)
    blocks = [f"`{name}`:\n\n{fold_table(model)}" for name, model in measured.items()] or [f"All folds: {MISSING}."]
    return "\n\n".join([*blocks, published_table(SPEAKER_INDEPENDENT)["note"]])


def left_out(found: Compared) -> str:
    """Each corpus, heard by a model that was trained on the others."""
    measured = load_cross_validation(LEAVE_ONE_CORPUS_OUT, paths.RESULTS)
    blocks = [f"`{name}`:\n\n{fold_table(model)}\n\n{_mean_uar(model)}" for name, model in measured.items()]
    return "\n\n".join(blocks) or f"No model: {MISSING}."


def _mean_uar(model: CrossValidationResult) -> str:
    uars = [spreads["uar"].mean for corpus, spreads in model.corpora.items() if corpus in SPEECH_CORPORA]
    return f"UAR averaged over {len(uars)} speech corpora: {_points(float(np.mean(uars)))} %."


def worse_recordings() -> str:
    """UAR of each model that was tried on worse recordings, and what each condition costs it."""
    measured = json.loads((paths.RESULTS / "robustness.json").read_text())
    header = ["recording", *(f"`{name}`: UAR % (lost), same answer %" for name in measured)]
    conditions = dict.fromkeys(name for found in measured.values() for name in found["conditions"])
    rows = [[name, *(_under(found["conditions"].get(name)) for found in measured.values())] for name in conditions]
    return markdown_table(header, rows)


def _under(values: dict | None) -> str:
    if values is None:
        return "-"
    return f"{_points(values['uar'])} ({100 * values['lost']:+.1f}), {100 * values['unchanged']:.0f}"


def tried() -> str:
    """The log of experiments, one table for each schedule of a model."""
    kinds = defaultdict(list)
    for experiment in read_experiments():
        kinds[experiment.model, experiment.protocol, experiment.epochs].append(experiment)
    return "\n\n".join(_tried(*kind, found) for kind, found in kinds.items())


def _tried(model: str, protocol: str, epochs: int, found: list[Experiment]) -> str:
    """One row for what was tried, the mean over the folds on which everything was."""
    by_said = defaultdict(dict)
    for experiment in found:
        by_said[experiment.said][experiment.fold] = experiment
    folds = sorted(set.intersection(*(set(runs) for runs in by_said.values())))
    corpora = list(found[0].dev_uar)
    rows = {said: [runs[fold] for fold in folds] for said, runs in by_said.items()}
    means = {said: float(np.mean([run.mean_uar for run in runs])) for said, runs in rows.items()}
    header = ["what was tried", *(f"UAR %, {CORPUS_NAMES[name]}" for name in corpora), "mean of speech", "minutes"]
    table = [
        [
            f"**{said}**" if means[said] == max(means.values()) else said,
            *(_points(float(np.mean([run.dev_uar[name] for run in runs]))) for name in corpora),
            _points(means[said]),
            f"{np.mean([run.seconds for run in runs]) / 60:.0f}",
        ]
        for said, runs in rows.items()
    ]
    device = ", ".join(sorted({run.device for run in found}))
    where = f"fold {folds[0]}" if len(folds) == 1 else f"mean of folds {', '.join(folds)}"
    return f"`{model}`, {protocol}, {where}, {epochs} epochs ({device}):\n\n{markdown_table(header, table)}"


def mcnemar(found: Compared) -> str:
    """Which pairs of models differ on the same clips, for each test part with two models or more."""
    parts = [_pairs(comparison) for comparison in found.values() if comparison.pairs]
    return "\n".join(parts) or f"No two models: {MISSING}."


def _pairs(comparison: Comparison) -> str:
    alike = [f"`{p.first}` and `{p.second}` (p = {p.p_holm:.2f})" for p in comparison.pairs if not p.significant]
    n_pairs = len(comparison.pairs)
    rest = f" Not told apart: {', '.join(alike)}." if alike else ""
    return f"- `{comparison.split}`: {n_pairs - len(alike)} of {n_pairs} pairs differ.{rest}"


def filled(text: str) -> str:
    """The README with each block replaced by what the result files say now."""
    found = compared()
    blocks = {block.__name__: block() for block in (scores, benchmark, tried, worse_recordings)}
    compared_blocks = (table_r, table_v, leak, speaker_independent, all_folds, left_out, mcnemar)
    blocks |= {block.__name__: block(found) for block in compared_blocks}
    for name, block in blocks.items():
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
        text = marks.sub(lambda m, b=block: f"{m[1]}{b}\n{m[2]}", text)
    return text


def main() -> int:
    text = README.read_text()
    try:
        new = filled(text)
    except (ComparisonError, ProtocolError, ResultError) as error:
        print(error, file=sys.stderr)
        return 2
    if "--check" in sys.argv:
        return int(text != new)
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
