"""Writes the tables of docs/results.md and of the README from the result files, between their <!-- name --> marks.

python -m scripts.results_tables                writes both; with --check, exit code 1 when one of them is out of date
python -m scripts.results_tables --recompute    first computes all metrics again, from the recorded predictions
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from scripts.bench.benchmark.costs import COST_KEYS, MODEL_COLUMNS, model_rows, sentences
from scripts.head_tables import left_out_summary, recorded_tables
from ser_core import paths
from ser_core.data import (
    CORPUS_NAMES,
    CorpusError,
    ProtocolError,
    Utterance,
    corpora_root,
    parse_filename,
    protocol_of_split,
    read_listener_votes,
)
from ser_core.evaluation import (
    LEFT_OUT_PROTOCOL,
    SPEAKER_INDEPENDENT,
    Comparison,
    ComparisonError,
    CrossValidationResult,
    LeakagePart,
    RankedModel,
    ResultError,
    compare_results,
    compare_with_baseline,
    cost_table,
    fold_table,
    left_out_uars,
    list_results,
    load_cross_validation,
    load_result,
    markdown_table,
    mean_over_corpora,
    published_section,
    published_table,
    recompute_result,
    score_listeners,
    score_table,
)
from ser_core.labels import EMOTIONS
from ser_core.metrics import format_percent, round_floats
from ser_core.models import DEFAULT_MODEL, METRICS_FILE, MODELS
from ser_core.training import Experiment, read_experiments

DOCUMENTS = (paths.ROOT / "README.md", paths.ROOT / "docs" / "results.md")
BENCHMARK = paths.RESULTS / "benchmark.json"
LISTENERS = paths.RESULTS / "listeners.json"
MISSING = "not trained yet"
NOT_SHIPPED = "\u2020"
NOT_SHIPPED_NOTE = f"{NOT_SHIPPED} The weights are not part of the repository: the figures cannot be repeated from it."
FROM_SCRATCH = "prosonet"  # the best model without pre-trained parts
RESONET, RAVDESS_RANDOM, EIGHT_CORPORA = "resonet", "ravdess-random", "speaker-independent-8"
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
CrossValidations = dict[str, CrossValidationResult]
"""Model -> its scores over the folds of a protocol."""


def compare_all() -> Comparisons:
    """The comparisons of all test parts that have a result.

    Raises:
        ComparisonError, ProtocolError, ResultError: a result file that is damaged or does not fit the others.
    """
    found = defaultdict(list)
    for path in list_results(folder=paths.RESULTS):
        found[path.parent.name].append(load_result(path))
    ranked = {split: group for split, group in found.items() if not all(result.leak for result in group)}
    left_out = left_out_uars(paths.RESULTS)
    return {split: compare_results(group, published_table(split), left_out) for split, group in ranked.items()}


def ranked_models(comparison: Comparison | None) -> dict[str, RankedModel]:
    """Model -> its scores, the best model first."""
    return {ranked.model: ranked for ranked in comparison.ranking} if comparison else {}


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


def benchmark() -> str:
    """One row for each figure, one for each model, and the comparison with the SVM on each test part."""
    figures = json.loads(BENCHMARK.read_text())
    measured = figures.pop("models", {})
    figures.pop("yardstick", None)
    table = "| measured | |\n|---|---|\n" + "\n".join(f"| {name} | {value:.2f} |" for name, value in figures.items())
    if not measured:
        return table
    models = cost_table({name: {key: m[key] for key in COST_KEYS if key in m} for name, m in measured.items()})
    costs = markdown_table([*MODEL_COLUMNS], [[*row] for row in model_rows(models)])
    comparisons = "\n".join(f"- {sentence}" for sentence in sentences(compare_with_baseline(models)))
    return f"{table}\n\n{costs}\n\n{comparisons}"


def table_resonet(found: Comparisons) -> str:
    """Every published row of the split `resonet`, and every other model evaluated on it."""
    table = published_table(RESONET)
    corpora = " / ".join(CORPUS_NAMES[name] for name in RESONET_CORPORA)
    header = ["model", "accuracy % [clips]", "macro-F1 % [clips]", "UAR %, mean of the corpora"]
    header += [f"accuracy % {corpora}", "published: accuracy, macro-F1", "difference, points"]
    rows = _rows(table, found.get(RESONET))
    return markdown_table(header, [_row_resonet(*row) for row in rows]) + _note_on_weights(row[2] for row in rows)


def _rows(table: dict, comparison: Comparison | None) -> list[tuple[str, dict, RankedModel | None]]:
    """(title, published row, scores or None): in the published order, then the models without a published row."""
    found = ranked_models(comparison)
    names = [*table["rows"], *(name for name in found if name not in table["rows"])]
    return [
        (_title(name, table["rows"], found.get(name)), table["rows"].get(name, {}), found.get(name)) for name in names
    ]


def _title(name: str, rows: dict, ranked: RankedModel | None) -> str:
    return (f"{rows[name]['title']}, " if name in rows else "") + _marked(name, ranked)


def _marked(name: str, ranked: RankedModel | None) -> str:
    """The name, marked where the weights are not shipped."""
    return f"`{name}`" + (f" {NOT_SHIPPED}" if ranked and not ranked.shipped else "")


def _note_on_weights(ranking: Iterable[RankedModel | None]) -> str:
    return f"\n\n{NOT_SHIPPED_NOTE}" if any(ranked and not ranked.shipped for ranked in ranking) else ""


def _row_resonet(title: str, row: dict, ranked: RankedModel | None) -> list[str]:
    published = ", ".join(format_percent(row[m], row.get(f"{m}_ci")) for m in ("accuracy", "macro_f1") if m in row)
    if "corpora" in row:
        published += f" ({' / '.join(_points(row['corpora'][name]) for name in RESONET_CORPORA)})"
    if ranked is None:
        return [title, MISSING, "", "", "", published or "-", ""]
    pooled = ranked.pooled
    own = " / ".join(_percent(ranked.corpora.get(name), "accuracy") for name in RESONET_CORPORA)
    both = (format_percent(pooled[measure], pooled[f"{measure}_ci_clips"]) for measure in ("accuracy", "macro_f1"))
    return [title, *both, _points(ranked.means["uar"]), own, published or "-", _difference(ranked)]


def _difference(ranked: RankedModel) -> str:
    difference = ranked.difference or {}
    return ", ".join(f"{100 * difference[m]:+.1f}" for m in ("accuracy", "macro_f1") if m in difference) or "-"


def table_ravdess(found: Comparisons) -> str:
    """Every published row of the split `ravdess-random`: ours, then the published value and the difference."""
    table = published_table(RAVDESS_RANDOM)
    header = ["model", *(f"{title} %" for title in RAVDESS_MEASURES.values())]
    rows = _rows(table, found.get(RAVDESS_RANDOM))
    cells = [[title, *_cells_ravdess(row, ranked)] for title, row, ranked in rows]
    return markdown_table(header, cells) + _note_on_weights(row[2] for row in rows)


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
        trained, unseen = part.groups["trained"], part.groups["unheard"]
        accuracies = (_percent(source, "accuracy") for source in (part.honest, part.leaked, part.published))
        groups = (
            f"{_points(g.accuracy)} ({_points(g.honest_accuracy)})" if g.n_clips else "-" for g in (trained, unseen)
        )
        shares = ", ".join(f"{100 * part.groups[known].share:.0f} %" for known in ("trained", "development"))
        rows.append([CORPUS_NAMES.get(name, name), str(part.n_clips), shares, *accuracies, *groups])
    return markdown_table(header, rows)


def _leakage_macro_f1(pooled: LeakagePart) -> str:
    honest, leaked, published = (_percent(s, "macro_f1") for s in (pooled.honest, pooled.leaked, pooled.published))
    return f"Macro-F1 pooled: no leakage {honest}, leakage {leaked}, published {published} %."


def _percent(source: dict | None, measure: str) -> str:
    return _points((source or {}).get(measure))


def _points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


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
        own = (_percent(ranked.corpora.get(corpus), "uar") for corpus in corpora)
        means = (_points(ranked.left_out), _points(ranked.means["uar"]))
        rows.append([_marked(name, ranked), *means, *own, f"{ranked.ece:.3f}"])
    missing = ", ".join(f"`{name}`" for name in MODELS if name not in found)
    pooled = ", ".join(f"`{name}` {_points(ranked.pooled['uar'])}" for name, ranked in found.items())
    notes = f"Pooled over all clips, where TESS, one voice, decides: {pooled}." + _note_on_weights(found.values())
    return f"`{comparison.split}`:\n\n{markdown_table(header, rows)}\n\n{notes}" + (
        f"\n\nNot evaluated: {missing}." if missing else ""
    )


def all_folds(measured: CrossValidations) -> str:
    """One table for each model evaluated on several folds, then published scores."""
    blocks = [f"`{name}`:\n\n{fold_table(model)}" for name, model in measured.items()] or [f"All folds: {MISSING}."]
    return "\n\n".join([*blocks, published_section(SPEAKER_INDEPENDENT)])


def default_folds() -> str:
    """The default model over the folds of eight corpora."""
    found = load_cross_validation(EIGHT_CORPORA, paths.RESULTS).get(DEFAULT_MODEL)
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
        ["one listener", _points(people["single_listener"])],
        ["the most frequent vote of about ten listeners", _points(people["plurality"])],
    ]
    return markdown_table(["CREMA-D", "UAR %"], rows)


def robustness() -> str:
    """UAR of each model under each degradation, and the points lost; a table for each protocol."""
    by_protocol: defaultdict[str, dict[str, dict]] = defaultdict(dict)
    for name, found in json.loads((paths.RESULTS / "robustness.json").read_text()).items():
        by_protocol[found["protocol"]][name] = found["conditions"]
    return "\n\n".join(f"`{protocol}`:\n\n{_robustness_table(models)}" for protocol, models in by_protocol.items())


def _robustness_table(models: dict[str, dict]) -> str:
    """models: name -> condition -> scores."""
    header = ["degradation", *(f"`{name}`: mean UAR % (lost), same label %" for name in models)]
    conditions = dict.fromkeys(name for found in models.values() for name in found)
    rows = [[name, *(_degraded_scores(model.get(name)) for model in models.values())] for name in conditions]
    return markdown_table(header, rows)


def _degraded_scores(values: dict | None) -> str:
    if values is None:
        return "-"
    return f"{_points(values['uar'])} ({100 * values['lost']:+.1f}), {100 * values['unchanged']:.0f}"


def non_speech() -> str:
    """Answers of each model to recorded sounds, and their separation from speech."""
    measured = {name: found["recorded"] for name, found in _read_novelty().items() if "recorded" in found}
    if not measured:
        return "Not measured yet: python -m scripts.ood --recorded."
    header = [
        "model",
        "sounds",
        "emotion named %",
        "speech missed %",
        "AUROC, distance",
        "AUROC, with speech detection",
    ]
    rows = [
        [
            f"`{name}`",
            str(found["n_sounds"]),
            *(f"{100 * found[key]:.1f}" for key in ("emotion_named", "speech_missed")),
            *(f"{found[key]:.3f}" for key in ("auroc", "auroc_with_vad")),
        ]
        for name, found in measured.items()
    ]
    return markdown_table(header, rows)


def _read_novelty() -> dict[str, dict]:
    path = paths.RESULTS / "novelty.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def experiments() -> str:
    """The log of experiments, one table for each schedule of a model."""
    kinds = defaultdict(list)
    for experiment in read_experiments():
        kinds[experiment.model, experiment.protocol, experiment.epochs].append(experiment)
    return "\n\n".join(_experiment_table(*kind, found) for kind, found in kinds.items())


def _experiment_table(model: str, protocol: str, epochs: int, found: list[Experiment]) -> str:
    """One row for each variant: the mean over the folds on which all variants were trained."""
    by_variant = defaultdict(dict)
    for experiment in found:
        by_variant[experiment.purpose][experiment.fold] = experiment
    folds = sorted(set.intersection(*(set(runs) for runs in by_variant.values())))
    corpora = list(found[0].dev_uar)
    rows = {name: [runs[fold] for fold in folds] for name, runs in by_variant.items()}
    means = {name: float(np.mean([run.mean_uar for run in runs])) for name, runs in rows.items()}
    header = ["variant", *(f"UAR %, {CORPUS_NAMES[name]}" for name in corpora), "mean of speech", "minutes"]
    table = [
        [
            f"**{name}**" if means[name] == max(means.values()) else name,
            *(_points(float(np.mean([run.dev_uar[corpus] for run in runs]))) for corpus in corpora),
            _points(means[name]),
            f"{np.mean([run.seconds for run in runs]) / 60:.0f}",
        ]
        for name, runs in rows.items()
    ]
    device = ", ".join(sorted({run.device for run in found}))
    where = f"fold {folds[0]}" if len(folds) == 1 else f"mean of folds {', '.join(folds)}"
    return f"`{model}`, {protocol}, {where}, {epochs} epochs ({device}):\n\n{markdown_table(header, table)}"


def mcnemar(found: Comparisons) -> str:
    """Significance of all pairs of models on the same clips, for each test part with two models or more."""
    parts = [_pairs(comparison) for comparison in found.values() if comparison.pairs]
    return "\n".join(parts) or f"No two models: {MISSING}."


def _pairs(comparison: Comparison) -> str:
    alike = [f"`{p.first}` and `{p.second}` (p = {p.p_holm:.2f})" for p in comparison.pairs if not p.significant]
    n_pairs = len(comparison.pairs)
    rest = f" No significant difference: {', '.join(alike)}." if alike else ""
    return f"- `{comparison.split}`: {n_pairs - len(alike)} of {n_pairs} pairs differ.{rest}"


def render_blocks() -> dict[str, str]:
    """Block name -> its Markdown, from the result files.

    Raises:
        ComparisonError, ProtocolError, ResultError: a result file that is damaged or does not fit the others.
    """
    found = compare_all()
    speakers, corpora = (
        load_cross_validation(protocol, paths.RESULTS) for protocol in (SPEAKER_INDEPENDENT, LEFT_OUT_PROTOCOL)
    )
    blocks = {block.__name__: block() for block in (scores, benchmark, experiments, robustness, non_speech)}
    compared = (table_resonet, table_ravdess, leakage, speaker_independent, mcnemar)
    blocks |= {block.__name__: block(found) for block in compared}
    folds = {"all_folds": all_folds(speakers)}
    blocks["left_out_summary"] = left_out_summary(paths.RESULTS)
    blocks |= {block.__name__: block() for block in (default_folds, default_mean)}
    blocks["left_out"] = recorded_tables(paths.RESULTS, "left-out")
    blocks["unseen_speakers"] = recorded_tables(paths.RESULTS, EIGHT_CORPORA)
    return blocks | folds | {"cross_corpus": cross_corpus(corpora), "listeners": listeners(corpora)}


def recompute() -> None:
    """The metrics of all result files and of the checkpoints, from the recorded predictions; the listeners' scores.

    Raises:
        ResultError: a damaged file.
    """
    try:
        votes = read_listener_votes(corpora_root(), EMOTIONS)
    except CorpusError:
        votes = None
    if votes:
        utterances = [clip for clip in map(parse_filename, map(Path, votes)) if isinstance(clip, Utterance)]
        LISTENERS.write_text(json.dumps(round_floats(score_listeners(votes, utterances, EMOTIONS)), indent=1) + "\n")
    for path in list_results(folder=paths.RESULTS):
        if recompute_result(path):
            print(f"recomputed: {path.parent.name}/{path.name}")


def fill_blocks(text: str, blocks: dict[str, str]) -> str:
    """The text with the content between each pair of marks replaced."""
    for name, block in blocks.items():
        marks = re.compile(rf"(<!-- {name} -->).*?(<!-- /{name} -->)", re.S)
        text = marks.sub(lambda found, block=block: f"{found[1]}\n\n{block}\n\n{found[2]}", text)
    return text


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a table is out of date")
    parser.add_argument("--recompute", action="store_true", help="compute the metrics again from the predictions")
    options = parser.parse_args(arguments)
    try:
        if options.recompute:
            recompute()
        blocks = render_blocks()
    except (ComparisonError, ProtocolError, ResultError) as error:
        print(error, file=sys.stderr)
        return 2
    outdated = {path: new for path in DOCUMENTS if (new := fill_blocks(path.read_text(), blocks)) != path.read_text()}
    if options.check:
        return int(bool(outdated))
    for path, text in outdated.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
