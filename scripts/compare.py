"""Compares all models evaluated on the same clips: ranking, pairwise tests, published figures.

python -m scripts.compare                              every test part with two result files or more
python -m scripts.compare --split resonet              one of them
python -m scripts.compare --split resonet --json x.json    default: assets/results/comparison-<split>.json
python -m scripts.compare --html figures               also figures, one page for each test part; works offline
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.common.errors import explains
from scripts.common.flags import command_parser, writable_path
from scripts.common.tables import print_table
from scripts.result_blocks.text import points
from ser_core import paths
from ser_core.data import CORPUS_NAMES, ProtocolError, corpus_name
from ser_core.evaluation import (
    Comparison,
    ComparisonError,
    EvaluationResult,
    LeakageReport,
    PairwiseTest,
    RankedModel,
    ResultError,
    compare_results,
    left_out_uars,
    list_results,
    load_result,
    published_table,
)
from ser_core.metrics import format_percent
from ser_core.plots import comparison_page

MIN_P_SHOWN = 0.0001


def show(comparison: Comparison) -> None:
    """All tables of one test part."""
    c = comparison
    print(f"\n=== {c.split}: {c.about}")
    measures = ("uar", "macro_f1", "accuracy")
    rows = ([f"{i}", s.model, points(s.left_out), points(s.means["uar"])] for i, s in enumerate(c.ranking, 1))
    title = (
        "Ranking by the mean UAR of left-out corpora, where all were evaluated, then by that of the corpora of the test"
    )
    print_table(["", "model", "left out %", "mean UAR %"], rows, title, n_left=2)
    header = ["model", "UAR % [speakers]", "[clips]", "macro-F1 %", "[clips]", "accuracy %", "[clips]", "published"]
    cells = ([s.model, *_intervals(s, measures), _distance(s)] for s in c.ranking)
    print_table(header, cells, "Pooled over all clips; 95 % intervals over speakers, and clips")
    corpora = list(dict.fromkeys(name for s in c.ranking for name in s.corpora))
    cells = ([s.model, *(_of_corpus(s, name) for name in corpora)] for s in c.ranking)
    print_table(["model", *(CORPUS_NAMES[name] for name in corpora)], cells, "UAR / accuracy % of each corpus")
    emotions = [label for label in c.labels if label in c.ranking[0].per_class]
    cells = ([s.model, *(f"{100 * s.per_class[e]['f1']:.1f}" for e in emotions)] for s in c.ranking)
    print_table(["model", *emotions], cells, "F1 % of each class")
    print_table(
        ["first", "second", "only first correct", "only second correct", "p", "p (Holm)", ""],
        (_pair_row(pair) for pair in c.pairs),
        f"McNemar's exact test of all {len(c.pairs)} pairs, p-values corrected by Holm's method",
        n_left=2,
    )
    for leak in c.leaks:
        show_leak(leak)


def _intervals(standing: RankedModel, measures: Sequence[str]) -> list[str]:
    cells = []
    for measure in measures:
        pooled = standing.pooled
        low, high = pooled[f"{measure}_ci_clips"]
        cells += [format_percent(pooled[measure], pooled[f"{measure}_ci"]), f"[{100 * low:.1f}, {100 * high:.1f}]"]
    return cells


def _distance(standing: RankedModel) -> str:
    """Difference to the published accuracy and macro-F1, in points."""
    if standing.reached is None:
        return "-"
    differences = (f"{name} {100 * standing.difference[name]:+.1f}" for name in ("accuracy", "macro_f1"))
    return f"{'reached' if standing.reached else 'missed'}: {', '.join(differences)}".replace("macro_f1", "macro-F1")


def _of_corpus(standing: RankedModel, corpus: str) -> str:
    scores = standing.corpora.get(corpus)
    return f"{100 * scores['uar']:.1f} / {100 * scores['accuracy']:.1f}" if scores else "-"


def _pair_row(pair: PairwiseTest) -> list[str]:
    counts = (str(pair.n_only_first), str(pair.n_only_second))
    verdict = "differ" if pair.significant else ""
    return [pair.first, pair.second, *counts, p_text(pair.p_value), p_text(pair.p_holm), verdict]


def p_text(p_value: float) -> str:
    return f"{p_value:.4f}" if p_value >= MIN_P_SHOWN else f"< {MIN_P_SHOWN}"


def show_leak(leak: LeakageReport) -> None:
    """Accuracy of a leaked model and of its valid twin on training clips and on unseen ones."""
    rows = []
    for name, part in leak.parts.items():
        trained, unseen = part.groups["training"], part.groups["unseen"]
        shares = (trained.share, part.groups["development"].share, unseen.share)
        accuracies = (trained.accuracy, trained.twin_accuracy, unseen.accuracy, unseen.twin_accuracy)
        values = (*shares, part.leaked["accuracy"], *accuracies)
        rows.append([corpus_name(name), str(part.n_clips), *(points(value) for value in values)])
    shares = ["training %", "development %", "unseen %"]
    header = ["", "clips", *shares, "accuracy %", "training", "valid twin", "unseen", "valid twin"]
    title = (
        f"Leak, not ranked: {leak.model} was trained under {leak.trained_on['protocol']}, on some of these test clips"
    )
    print_table(header, rows, title)


def write_page(comparison: Comparison, results: Sequence[EvaluationResult], folder: Path) -> Path:
    """Writes the page with all figures, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{comparison.split}.html"
    paths.write_text(path, comparison_page(comparison, results))
    return path


def splits_to_compare(wanted: str | None) -> list[str]:
    """The named test part, or every one with two results or more.

    Raises:
        ResultError: no such test part, or none with two results.
    """
    counts = Counter(path.parent.name for path in list_results())
    if wanted is None and (found := sorted(name for name, n in counts.items() if n > 1)):
        return found
    if wanted in counts:
        return [wanted]
    available = ", ".join(f"{name} ({n})" for name, n in sorted(counts.items())) or "none"
    problem = "no test part with two results" if wanted is None else f"no result of {wanted!r}"
    raise ResultError(f"There is {problem}. There are: {available}. Evaluate: python -m scripts.evaluate all --write")


def compare(split: str, options: argparse.Namespace) -> None:
    """Writes and prints the comparison of one test part.

    Raises:
        ComparisonError, ProtocolError, ResultError: a result file that is damaged or does not fit the others.
    """
    results = [load_result(path) for path in list_results(split)]
    comparison = compare_results(results, published_table(split), left_out_uars())
    path = options.json or paths.RESULTS / f"comparison-{split}.json"
    paths.write_json(path, comparison.to_dict())  # before the table, whose reader may have enough of it
    show(comparison)
    if options.html:
        print(f"\n{write_page(comparison, results, options.html)}")


@explains(ComparisonError, ProtocolError, ResultError, cure="Name another file or folder.")
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--split", help="name of a folder in assets/results")
    parser.add_argument("--json", type=writable_path, help="where to write the comparison; needs --split")
    parser.add_argument("--html", type=Path, metavar="FOLDER", help="write figures there")
    options = parser.parse_args(arguments)
    if options.json and not options.split:
        parser.error("--json names one file: choose the comparison with --split")
    for name in splits_to_compare(options.split):
        compare(name, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
