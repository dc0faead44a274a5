"""Further sections of a model card, as Markdown: cross-validation, robustness, non-speech sounds, speaker enrolment.

Every figure comes from a file in assets/results, which names the command that reproduces it.
"""

from collections import Counter
from collections.abc import Sequence

from ser_core import paths
from ser_core.data import CORPUS_NAMES, LEAVE_ONE_CORPUS_OUT, SPEAKER_INDEPENDENT, corpus_name, is_speech
from ser_core.evaluation.comparison.published import published_table
from ser_core.evaluation.cross_validation import Confidence, CrossValidationResult, load_cross_validation
from ser_core.metrics import format_percent

PUBLISHED_CORPORA = ("ravdess", "crema_d", "savee")  # with published scores on unseen speakers
NON_SPEECH_OUTCOMES = {
    "no speech": "no speech detected",
    "unknown": "out of distribution",
    "uncertain": "low confidence",
    "an emotion": "an emotion",
}
"""Key of the result file -> column title."""


def evaluation_sections(name: str) -> str:
    """Sections with the further results of one model; empty when there are none.

    Args:
        name: name of a checkpoint.
    """
    parts = {
        "Left-out corpora": _fold_section(name, LEAVE_ONE_CORPUS_OUT),
        "Unseen speakers, all folds": _fold_section(name, SPEAKER_INDEPENDENT),
        "Robustness": _results_section(name, "robustness", robustness_table),
        "Non-speech sounds": ood_section(_read_results(name, "novelty")),
        "With speaker enrolment": _results_section(name, "enrolled", enrolment_table),
    }
    return "".join(f"\n## {title}\n\n{text}\n" for title, text in parts.items() if text)


def _fold_section(name: str, protocol: str) -> str:
    found = load_cross_validation(protocol).get(name)
    return fold_table(found) if found else ""


def _results_section(name: str, kind: str, render) -> str:
    found = _read_results(name, kind)
    return f"{render(found)}\n\n`{found['command']}`" if found else ""


def _read_results(name: str, kind: str) -> dict:
    """Results of one model; empty when there are none."""
    return paths.read_json(paths.RESULTS / f"{kind}.json").get(name, {})


def fold_table(model: CrossValidationResult) -> str:
    """UAR and worth of the confidence on each corpus over the folds, and their means over the corpora."""
    several = any(spreads["uar"].n_folds > 1 for spreads in model.corpora.values())
    over_folds = ["folds", "UAR %, mean over folds [lowest, highest]"] if several else []
    confidence = ["ECE", "AUROC of the confidence", "answered %", "right when answered %"] if model.confidence else []
    rows = [
        [corpus_name(corpus), *_fold_cells(model, corpus, several), *_confidence_cells(model, corpus)]
        for corpus in model.corpora
    ]
    missing = f"\n\nFolds that were not evaluated: {', '.join(model.missing)}." if model.missing else ""
    table = markdown_table(["corpus", *over_folds, "UAR %, all speakers", *confidence], rows)
    return f"{table}\n\n{_means(model)}{missing}"


def _fold_cells(model: CrossValidationResult, corpus: str, several: bool) -> list[str]:
    uar, every = model.corpora[corpus]["uar"], model.pooled_by_corpus[corpus]
    limits = (uar.lowest, uar.highest) if uar.n_folds > 1 else None
    over_folds = [str(uar.n_folds), format_percent(uar.mean, limits)] if several else []
    return [*over_folds, format_percent(every.uar, every.uar_ci)]


def _confidence_cells(model: CrossValidationResult, corpus: str) -> list[str]:
    if not model.confidence:
        return []
    found = model.confidence.get(corpus)
    return _format_confidence(found) if found else ["-"] * 4


def _format_confidence(found: Confidence) -> list[str]:
    shares = (f"{100 * share:.0f}" for share in (found.coverage, found.accuracy_when_answered))
    return [f"{found.ece:.3f}", f"{found.auroc:.2f}", *shares]


def _means(model: CrossValidationResult) -> str:
    """Averages over the speech corpora, as sentences; pooled figures last."""
    n_corpora = sum(is_speech(corpus) for corpus in model.corpora)
    six = model.common_accuracy_mean
    common = "" if six is None else f", accuracy on the six common emotions {100 * six:.1f} %"
    text = f"Mean of the {n_corpora} speech corpora: UAR **{100 * model.mean_uar:.1f} %**{common}"
    if model.mean_confidence:
        ece, auroc, answered, right = _format_confidence(model.mean_confidence)
        text += f", ECE {ece}, AUROC of the confidence {auroc}, {answered} % answered, {right} % of these right"
    if not model.calibrated:
        text += (
            ". These models have no development speakers and so no threshold of their own: the figures of the "
            "confidence are for temperature and threshold of the shipped checkpoint"
            if model.confidence
            else ". These models have no development speakers and so no threshold: no figure of abstention"
        )
    return f"{text}. (Pooled over all clips: UAR {100 * model.pooled.uar:.1f} %; the largest corpus decides it.)"


def published_section(protocol: str) -> str:
    """Published scores on the corpora of a protocol, which are of other divisions of the speakers."""
    published = published_table(protocol)
    if not published:
        return ""
    rows = [
        [row["title"], *(f"{100 * row['uar'][c]:.1f}" if c in row["uar"] else "-" for c in PUBLISHED_CORPORA)]
        for row in published["rows"].values()
    ]
    return (
        f"{markdown_table(['published', *(CORPUS_NAMES[c] for c in PUBLISHED_CORPORA)], rows)}\n\n{published['note']}"
    )


def robustness_table(found: dict) -> str:
    """One row for each degradation."""
    header = ["degradation", "UAR %", "lost, points", "same label %", "coverage %"]
    rows = [
        [name, *(f"{100 * values[key]:.1f}" for key in ("uar", "lost", "unchanged", "answered"))]
        for name, values in found["conditions"].items()
    ]
    return markdown_table(header, rows)


def ood_section(found: dict) -> str:
    """What the model answers to sounds that are not speech, and by which test they were rejected."""
    parts = [_synthetic_sounds(found)] if "kinds" in found else []
    return "\n\n".join(parts + ([_recorded_sounds(found["recorded"])] if "recorded" in found else []))


def _recorded_sounds(found: dict) -> str:
    totals: Counter[str] = sum(map(Counter, found["classes"].values()), Counter())
    return (
        f"Of {found['n_sounds']} recorded sounds (ESC-50, fold 5: animals, weather, machines, and people who laugh, "
        f"cry, cough, snore) an emotion is named for {100 * found['emotion_named']:.1f} %; speech detection rejects "
        f"{totals['no speech']}. AUROC against {found['n_speech']} clips of unseen speakers {found['auroc']:.3f} by "
        f"the distance alone, {found['auroc_with_vad']:.3f} together with speech detection, which misses the speech in "
        f"{100 * found['speech_missed']:.1f} % of the clips.\n\n`{found['command']}`"
    )


def _synthetic_sounds(found: dict) -> str:
    header = ["sound", "AUROC of the embedding distance", *NON_SPEECH_OUTCOMES.values()]
    rows, totals = [], Counter[str]()
    for kind, values in found["kinds"].items():
        totals.update(values["answers"])
        counts = (str(values["answers"].get(outcome, 0)) for outcome in NON_SPEECH_OUTCOMES)
        rows.append([kind, f"{values['auroc']:.3f}", *counts])
    return (
        f"Of {totals.total()} synthetic sounds the speech detector, which is no part of the model, rejected "
        f"{totals['no speech']}; the embedding distance was the reason for abstaining {totals['unknown']} times. That "
        f"distance alone separates them from {found['n_speech']} clips of unseen speakers with AUROC "
        f"{found['auroc']:.4f} ({found['auroc_with_vad']:.4f} together with the detector). At a detection rate of 95 % "
        f"it rejects {100 * found['fpr95']:.1f} % of the speech; at the threshold of the program "
        f"{100 * found['speech_called_unknown']:.1f} %. None of this measures whether speech of a new "
        f"corpus is recognised as such.\n\n"
        f"{markdown_table(header, rows)}\n\n`{found['command']}`"
    )


def enrolment_table(found: dict) -> str:
    """UAR without and with reference clips of the speaker."""
    rows = [
        [corpus_name(corpus), f"{100 * before:.1f}", f"{100 * found['uar_enrolled'][corpus]:.1f}"]
        for corpus, before in found["uar"].items()
    ]
    header = ["corpus", "UAR %", f"UAR % with {found['n_enrolled']} unlabelled clips of the speaker"]
    return markdown_table(header, rows)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
