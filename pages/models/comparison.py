"""Views of the comparison of models on one test part: significance, cost, leakage."""

import streamlit as st

from pages.ui import results
from pages.ui.chart import chart
from pages.ui.export import offer_table
from pages.ui.layout import show_rows
from pages.ui.results import EvaluationResults
from pages.ui.text import split_title
from ser_core.data import CORPUS_NAMES, corpus_name, split_name
from ser_core.evaluation import LeakageReport, PairwiseTest
from ser_core.plots import pareto_dots, score_bars, significance_heatmap

HOW_PAIRS_DIFFER = (
    "Difference in accuracy, row minus column, in points; columns are numbered as the rows. With a number where "
    "McNemar's exact test, Holm-corrected, gives p < 0.05; without one the difference is not significant. The test "
    "assumes independent clips; clips of one speaker are not, so small differences look more significant than they are."
)
UNSEEN = "speaker-independent-0"


def show_comparison(found: EvaluationResults) -> None:
    """Significance of differences, latency and size, and the effect of leakage."""
    if len(found.predictions) < 2:
        st.info("Only one model was evaluated on this test part: nothing to compare.")
    _show_differences(found)
    _show_cost(found)
    _show_leaks(found)


def _show_differences(found: EvaluationResults) -> None:
    """Pairwise significance (McNemar, Holm)."""
    pairs = found.comparison.pairs
    if not pairs:
        return
    st.subheader("Pairwise significance (McNemar, Holm)", anchor=False)
    st.caption(HOW_PAIRS_DIFFER)
    alike = sum(not pair.significant for pair in pairs)
    chart(
        significance_heatmap(found.comparison),
        key="pairs",
        numbers=False,
        alt=f"{len(pairs) - alike} of {len(pairs)} pairs of models differ; the table has the p-values.",
    )
    rows = [_pair_row(pair, found.comparison.n_clips) for pair in pairs]
    name = f"{found.comparison.split}_pairs.csv"
    offer_table(rows, "All pairs of models", "pairs-table", "Download the pairs", name)


def _pair_row(pair: PairwiseTest, n_clips: int) -> dict:
    return {
        "better": pair.first,
        "than": pair.second,
        "points": round(100 * (pair.n_only_first - pair.n_only_second) / n_clips, 1),
        "only the first is right": pair.n_only_first,
        "only the second is right": pair.n_only_second,
        "p, corrected": float(f"{pair.p_holm:.2g}"),
        "differ": pair.significant,
    }


def _show_cost(found: EvaluationResults) -> None:
    """Latency and size against UAR."""
    models = results.model_costs(found.comparison)
    if len(models) < 2:
        return
    st.subheader("Latency, size and accuracy", anchor=False)
    st.caption(
        "Dotted: the Pareto front (no other model is as fast and as good). Marker size: all files of weights that a "
        "model needs, with a shared encoder and the members of a fusion."
    )
    chart(
        pareto_dots(models),
        key="cost",
        alt="; ".join(f"{name}: {ms:.1f} ms, UAR {uar:.0%}, {mb:.1f} MB" for name, (ms, uar, mb) in models.items()),
    )


def _show_leaks(found: EvaluationResults) -> None:
    """Accuracy of a model trained on test clips: a warning, not a result."""
    for leak in found.comparison.leaks:
        st.subheader("Effect of leakage", anchor=False)
        st.caption(
            f"`{leak.model}` is the same network, trained on another draw of the actors: on some of these test clips. "
            "It is excluded from every ranking."
        )
        values = _under_each_protocol(leak, found.comparison.split)
        alt = "; ".join(f"{row}: {', '.join(f'{k} {v:.0%}' for k, v in bars.items())}" for row, bars in values.items())
        shared = f"; “{split_title(found.comparison.split)}” {found.comparison.note}" if found.comparison.note else ""
        st.caption(
            f"Accuracy of one network, trained under three protocols. “{split_title(UNSEEN)}” shares no speaker"
            f"{shared}; “{split_title(_trained_under(leak))}” has test clips in training, whose share the table states."
        )
        chart(score_bars(values), key=f"protocols-{leak.model}", alt=alt)
        rows = _leak_rows(leak, found.comparison.split)
        show_rows(rows, "Accuracy with and without test clips in training")


def _trained_under(leak: LeakageReport) -> str:
    """Name of the protocol whose training part holds some of the test clips."""
    return split_name(leak.trained_on["protocol"], leak.trained_on["fold"])


def _under_each_protocol(leak: LeakageReport, split: str) -> dict[str, dict[str, float]]:
    """Corpus -> title of the protocol that the network was trained under -> accuracy."""
    ranking = results.load_results(UNSEEN).comparison.ranking if UNSEEN in results.splits() else ()
    unseen = next((s.corpora for s in ranking if s.model == leak.model.removesuffix("-leak")), {})
    bars: dict[str, dict[str, float]] = {}
    for corpus in (name for name in leak.parts if name in CORPUS_NAMES):
        found = {UNSEEN: unseen.get(corpus), split: leak.parts[corpus].twin}
        found |= {_trained_under(leak): leak.parts[corpus].leaked}
        bars[CORPUS_NAMES[corpus]] = {split_title(name): scores["accuracy"] for name, scores in found.items() if scores}
    return bars


def _leak_rows(leak: LeakageReport, split: str) -> list[dict]:
    """A row a corpus; the columns name the protocols, as one without leaked clips may share speakers."""
    rows = []
    for name, part in leak.parts.items():
        trained = part.groups["training"]
        rows.append(
            {
                "test clips": corpus_name(name),
                "clips": part.n_clips,
                "in training %": round(100 * trained.share),
                f"accuracy %, {split_title(split)}": part.twin and round(100 * part.twin["accuracy"], 1),
                f"accuracy %, {split_title(_trained_under(leak))}": round(100 * part.leaked["accuracy"], 1),
                "accuracy %, published": part.published and round(100 * part.published["accuracy"], 1),
            }
        )
    return rows
