"""What was measured of a model besides the table of its own card, as Markdown: all folds, worse recordings, and more.

Every figure comes from a file in assets/results, which names the command that made it.
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


def evaluation_sections(name: str, folder: Path | None = None) -> str:
    """All there is about one model, each part under its heading; empty when nothing more was measured.

    Args:
        name: of a checkpoint.
        folder: of the results.
    """
    parts = {
        "All folds": _fold_section(name, SPEAKER_INDEPENDENT, folder),
        "A corpus it has never heard": _fold_section(name, LEAVE_ONE_CORPUS_OUT, folder),
        "Worse recordings": _results_section(name, "robustness", robustness_table, folder),
        "Sounds that are no speech": _results_section(name, "novelty", ood_section, folder),
        "When ten other clips of the person are there": _results_section(name, "enrolled", enrolment_table, folder),
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
    """UAR of each corpus over the folds, and what others published."""
    published = published_table(model.protocol)
    others = published["rows"].values() if published else ()
    several = any(spreads["uar"].n_folds > 1 for spreads in model.corpora.values())
    over = "UAR %, mean over folds [lowest, highest]" if several else "UAR %"
    header = ["corpus", "folds", over, "UAR % of all speakers together"]
    rows = []
    for corpus, spreads in model.corpora.items():
        uar, every = spreads["uar"], model.pooled_by_corpus[corpus]
        over_folds = format_percent(uar.mean, (uar.lowest, uar.highest) if uar.n_folds > 1 else None)
        told = "; ".join(f"{row['title']} {100 * row['uar'][corpus]:.1f}" for row in others if corpus in row["uar"])
        rows.append(
            [CORPUS_NAMES[corpus], str(uar.n_folds), over_folds, format_percent(every.uar, every.uar_ci), told or "-"]
        )
    missing = f" Folds that were not measured: {', '.join(model.missing)}." if model.missing else ""
    six = model.common_accuracy_mean
    common = "" if six is None else f"Six common emotions: {100 * six:.1f} % accuracy averaged over the corpora. "
    answered, right = 100 * model.coverage, 100 * model.accuracy_when_answered
    said = (
        f"{common}Expected calibration error {model.ece:.3f}. It answered {answered:.0f} % of the clips, of these "
        f"{right:.0f} % right.{missing}"
    )
    return f"{markdown_table([*header, 'published'], rows)}\n\n{said}"


def robustness_table(found: dict) -> str:
    """One row for each condition."""
    header = ["recording", "UAR %", "lost, points", "same answer %", "answered %"]
    rows = [
        [name, *(f"{100 * values[key]:.1f}" for key in ("uar", "lost", "unchanged", "answered"))]
        for name, values in found["conditions"].items()
    ]
    return markdown_table(header, rows)


def ood_section(found: dict) -> str:
    """How well sounds that are no speech are told from it, and what the program says to them."""
    header = ["sound", "AUROC of the embedding's distance", "no speech", "unknown", "uncertain", "an emotion"]
    rows = []
    for kind, values in found["kinds"].items():
        said = (str(values["answers"].get(word, 0)) for word in header[2:])
        rows.append([kind, f"{values['auroc']:.3f}", *said])
    return (
        f"Against {found['n_speech']} clips of unseen speakers, {found['n_sounds']} sounds of each kind: AUROC "
        f"{found['auroc']:.4f} by the distance alone, {found['auroc_with_vad']:.4f} together with the detection of "
        f"speech. Where 95 % of the sounds are told, {100 * found['fpr95']:.1f} % of the speech is taken for one; as "
        f"the program draws the line, {100 * found['speech_called_unknown']:.1f} %.\n\n"
        f"{markdown_table(header, rows)}"
    )


def enrolment_table(found: dict) -> str:
    """UAR without and with the clips of the person."""
    rows = [
        [CORPUS_NAMES.get(corpus, corpus), f"{100 * before:.1f}", f"{100 * found['uar_enrolled'][corpus]:.1f}"]
        for corpus, before in found["uar"].items()
    ]
    header = ["corpus", "UAR %", f"UAR % with {found['n_enrolled']} other clips of the person, without their labels"]
    return markdown_table(header, rows)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
