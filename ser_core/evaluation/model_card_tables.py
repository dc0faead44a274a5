"""Further sections of a model card, as Markdown: cross-validation, robustness, non-speech sounds, speaker enrolment.

Every figure comes from a file in assets/results, which names the command that reproduces it.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from ser_core import paths
from ser_core.data import CORPUS_NAMES
from ser_core.evaluation.comparison import published_table
from ser_core.evaluation.cross_validation import CrossValidationResult, load_cross_validation
from ser_core.metrics import format_percent

SPEAKER_INDEPENDENT, LEAVE_ONE_CORPUS_OUT = "speaker-independent", "leave-one-corpus-out"
NON_SPEECH_OUTCOMES = {
    "no speech": "no speech detected",
    "unknown": "out of distribution",
    "uncertain": "low confidence",
    "an emotion": "an emotion",
}
"""Key of the result file -> column title."""


def evaluation_sections(name: str, folder: Path | None = None) -> str:
    """Sections with the further results of one model; empty when there are none.

    Args:
        name: name of a checkpoint.
        folder: folder of the results, by default assets/results.
    """
    parts = {
        "Cross-validation, all folds": _fold_section(name, SPEAKER_INDEPENDENT, folder),
        "Cross-corpus evaluation": _fold_section(name, LEAVE_ONE_CORPUS_OUT, folder),
        "Robustness": _results_section(name, "robustness", robustness_table, folder),
        "Non-speech sounds": _results_section(name, "novelty", ood_section, folder),
        "With speaker enrolment": _results_section(name, "enrolled", enrolment_table, folder),
    }
    return "".join(f"\n## {title}\n\n{text}\n" for title, text in parts.items() if text)


def _fold_section(name: str, protocol: str, folder: Path | None) -> str:
    found = load_cross_validation(protocol, folder).get(name)
    return fold_table(found) if found else ""


def _results_section(name: str, kind: str, render, folder: Path | None) -> str:
    path = (folder or paths.RESULTS) / f"{kind}.json"
    found = json.loads(path.read_text()).get(name) if path.is_file() else None
    return f"{render(found)}\n\n`{found['command']}`" if found else ""


def fold_table(model: CrossValidationResult) -> str:
    """UAR of each corpus over the folds, next to published scores."""
    published = published_table(model.protocol)
    others = published["rows"].values() if published else ()
    several = any(spreads["uar"].n_folds > 1 for spreads in model.corpora.values())
    over = "UAR %, mean over folds [lowest, highest]" if several else "UAR %"
    header = ["corpus", "folds", over, "UAR %, all speakers pooled"]
    rows = []
    for corpus, spreads in model.corpora.items():
        uar, every = spreads["uar"], model.pooled_by_corpus[corpus]
        over_folds = format_percent(uar.mean, (uar.lowest, uar.highest) if uar.n_folds > 1 else None)
        reported = "; ".join(f"{row['title']} {100 * row['uar'][corpus]:.1f}" for row in others if corpus in row["uar"])
        rows.append(
            [
                CORPUS_NAMES[corpus],
                str(uar.n_folds),
                over_folds,
                format_percent(every.uar, every.uar_ci),
                reported or "-",
            ]
        )
    missing = f" Folds that were not evaluated: {', '.join(model.missing)}." if model.missing else ""
    six = model.common_accuracy_mean
    common = "" if six is None else f"Six common emotions: {100 * six:.1f} % accuracy averaged over the corpora. "
    summary = (
        f"{common}Expected calibration error {model.ece:.3f}. Coverage {100 * model.coverage:.0f} % of the clips, "
        f"accuracy {100 * model.accuracy_when_answered:.0f} % on these.{missing}"
    )
    return f"{markdown_table([*header, 'published'], rows)}\n\n{summary}"


def robustness_table(found: dict) -> str:
    """One row for each degradation."""
    header = ["degradation", "UAR %", "lost, points", "same label %", "coverage %"]
    rows = [
        [name, *(f"{100 * values[key]:.1f}" for key in ("uar", "lost", "unchanged", "answered"))]
        for name, values in found["conditions"].items()
    ]
    return markdown_table(header, rows)


def ood_section(found: dict) -> str:
    """How well non-speech sounds are separated from speech, and the model's predictions for them."""
    header = ["sound", "AUROC of the embedding distance", *NON_SPEECH_OUTCOMES.values()]
    rows = []
    for kind, values in found["kinds"].items():
        counts = (str(values["answers"].get(outcome, 0)) for outcome in NON_SPEECH_OUTCOMES)
        rows.append([kind, f"{values['auroc']:.3f}", *counts])
    return (
        f"{found['n_sounds']} sounds of each kind against {found['n_speech']} clips of unseen speakers: AUROC "
        f"{found['auroc']:.4f} by the embedding distance alone, {found['auroc_with_vad']:.4f} combined with voice "
        f"activity detection. At a detection rate of 95 %, {100 * found['fpr95']:.1f} % of the speech is rejected; at "
        f"the threshold of the program, {100 * found['speech_called_unknown']:.1f} %.\n\n"
        f"{markdown_table(header, rows)}"
    )


def enrolment_table(found: dict) -> str:
    """UAR without and with reference clips of the speaker."""
    rows = [
        [CORPUS_NAMES.get(corpus, corpus), f"{100 * before:.1f}", f"{100 * found['uar_enrolled'][corpus]:.1f}"]
        for corpus, before in found["uar"].items()
    ]
    header = ["corpus", "UAR %", f"UAR % with {found['n_enrolled']} unlabelled clips of the speaker"]
    return markdown_table(header, rows)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
