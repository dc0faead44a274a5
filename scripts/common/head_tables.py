"""Tables of scripts.train_heads and scripts.fuse: one row for each corpus."""

import json
from collections.abc import Sequence

from scripts.result_blocks.text import points
from ser_core import paths
from ser_core.data import LEFT_OUT, SPEECH_CORPORA, corpus_name
from ser_core.evaluation import (
    COLLECTION_CLIPS,
    ENROLLED_CLIPS,
    LABELLED_CLIPS,
    N_REFERENCE_CLIPS,
    markdown_table,
    mean_report,
)

UNLIKE = "auroc_unlike_training"  # of the distance: a left-out corpus against unseen speakers of known ones


def table(by_corpus: dict[str, dict]) -> str:
    """Three tables by corpus: UAR in percent, alone and enrolled, and how far the confidence can be trusted."""
    reports = [*by_corpus.items(), *mean_rows(by_corpus)]
    tables = ([row(name, report) for name, report in reports] for row in (_scores, _references, _doubt))
    return "\n\n".join(map(_markdown, tables))


def choice_table(by_corpus: dict[str, dict]) -> str:
    """One table by corpus of a choice among some emotions: UAR in percent, abstention and calibration."""
    return _markdown([_choice(corpus, report) for corpus, report in [*by_corpus.items(), *mean_rows(by_corpus)]])


def _markdown(rows: Sequence[dict[str, str]]) -> str:
    return markdown_table(list(rows[0]), [list(row.values()) for row in rows])


def _scores(corpus: str, report: dict) -> dict[str, str]:
    """UAR over the common emotions, alone and with references."""
    return {
        "corpus": corpus_name(corpus),
        "all emotions": points(report["uar"]),
        "common, alone": points(report["uar_common"]),
        **{"1 clip" if n == 1 else f"{n} clips": _enrolled(report, str(n)) for n in N_REFERENCE_CLIPS},
        f"{COLLECTION_CLIPS} of any speaker": _enrolled(report, "collection"),
    }


def _references(corpus: str, report: dict) -> dict[str, str]:
    """UAR over the common emotions with references of several kinds, without and with what is known of them."""
    kinds = {"in any mood": (ENROLLED_CLIPS, "labelled")}
    kinds |= {name: (name, f"{name}_labelled") for name in ("neutral", "everyday")}
    return {
        f"{LABELLED_CLIPS} clips, unlabelled, labelled:": corpus_name(corpus),
        **{kind: ", ".join(_enrolled(report, name) for name in names) for kind, names in kinds.items()},
        f"{COLLECTION_CLIPS} neutral of any speaker": _enrolled(report, "collection_neutral"),
    }


def _doubt(corpus: str, report: dict) -> dict[str, str]:
    """Abstention and calibration over all emotions, without and with ten clips of the speaker."""
    pairs = (report, report["enrolled"][ENROLLED_CLIPS])
    return {
        "alone, with 10 clips:": corpus_name(corpus),
        "answered": ", ".join(points(part["coverage"]) for part in pairs),
        "of these right": ", ".join(points(part["accuracy_answered"]) for part in pairs),
        "ECE": ", ".join(f"{part['ece']:.3f}" for part in pairs),
        "AUROC right/wrong": ", ".join(f"{part['auroc_correct']:.2f}" for part in pairs),
        **({"AUROC unlike training": f"{report[UNLIKE]:.2f}"} if UNLIKE in report else {}),
    }


def _choice(corpus: str, report: dict) -> dict[str, str]:
    uars = ", ".join(points(part["uar"]) for part in (report, report["enrolled"][ENROLLED_CLIPS]))
    (title, name), *confidence = _doubt(corpus, report).items()
    return {title: name, "UAR": uars, **dict(confidence)}


def _enrolled(report: dict, reference: str) -> str:
    return points(report["enrolled"][reference]["uar_common"]) if reference in report["enrolled"] else "-"


def mean_rows(by_corpus: dict[str, dict]) -> list[tuple[str, dict]]:
    """The means over the English corpora and over all."""
    english = [report for corpus, report in by_corpus.items() if corpus in SPEECH_CORPORA]
    return [("mean of the English ones", mean_report(english)), ("mean of all", mean_report(list(by_corpus.values())))]


def _recorded(protocol: str) -> list[dict]:
    """The result files of all models under a protocol."""
    return [json.loads(path.read_text()) for path in sorted(paths.RESULTS.glob(f"{protocol}-*.json"))]


def recorded_tables(protocol: str) -> str:
    """The tables of all models under a protocol, from their result files."""
    found = _recorded(protocol)
    if not found:
        return "Not measured yet: python -m scripts.train_heads."
    return "\n\n".join(f"`{result['model']}`{sample_note(result)}:\n\n{table(result['corpora'])}" for result in found)


def left_out_summary() -> str:
    """One row for each model that was measured on the eight left-out corpora: UAR in percent, alone and enrolled."""
    kinds = ("alone", "10 clips of the speaker", "10 labelled neutral", f"{COLLECTION_CLIPS} clips of any speaker")
    header = ["model", *(f"{corpora}: {kind}" for corpora in ("English", "all eight") for kind in kinds)]
    rows = []
    for result in reversed(_recorded(LEFT_OUT)):
        means = [report for _, report in mean_rows(result["corpora"])]
        rows.append([f"`{result['model']}`{sample_note(result)}", *_summary_row(means)])
        if sample_note(result) and "whisper_alone" in means[0]:
            rows.append(["`whisper`, the same clips", *_summary_row([mean["whisper_alone"] for mean in means])])
    return markdown_table(header, rows)


def _summary_row(means: Sequence[dict]) -> list[str]:
    names = (ENROLLED_CLIPS, "neutral_labelled", "collection")
    return [cell for mean in means for cell in (points(mean["uar_common"]), *(_enrolled(mean, name) for name in names))]


def sample_note(result: dict) -> str:
    """Of a result that is not of all clips; empty otherwise."""
    return f", on one in {result['every']} clips" if result.get("every", 1) > 1 else ""
