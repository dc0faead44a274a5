"""Tables of a model card: scores and speakers."""

from collections.abc import Iterable

from ser_core.data import CORPUS_NAMES, ProtocolSplit, read_protocol
from ser_core.metrics import format_percent


def score_table(metrics: dict) -> str:
    """A Markdown table of UAR, macro-F1 and accuracy in percent, per corpus and pooled."""
    pooled = "speech and song pooled" if "ravdess_song" in metrics["pooled_corpora"] else "speech pooled"
    rows = [(_corpus_title(metrics, corpus), scores) for corpus, scores in metrics["corpora"].items()]
    header = "| corpus | clips | speakers | UAR % | macro-F1 % | accuracy % |\n|---|---|---|---|---|---|\n"
    return header + "\n".join(_score_row(title, scores) for title, scores in [*rows, (pooled, metrics["pooled"])])


def _corpus_title(metrics: dict, corpus: str) -> str:
    return f"{CORPUS_NAMES[corpus]}, {len(metrics['per_class'][corpus])} emotions"


def _score_row(title: str, scores: dict) -> str:
    cells = (format_percent(scores[m], scores[f"{m}_ci"]) for m in ("uar", "macro_f1", "accuracy"))
    return f"| {title} | {scores['n_clips']} | {scores['n_speakers']} | {' | '.join(cells)} |"


def speaker_table(protocol: str, parts: ProtocolSplit) -> str:
    """A Markdown table of the speakers of each corpus and part: how many, and which."""
    rows = {row["utterance"]: row for row in read_protocol(protocol)}
    lines = ["| corpus | training | development | test |", "|---|---|---|---|"]
    for corpus, title in CORPUS_NAMES.items():
        speakers = [
            {rows[i]["speaker"].split("-")[1] for i in ids if rows[i]["corpus"] == corpus}
            for ids in (parts.train, parts.dev, parts.test)
        ]
        if any(speakers):
            lines.append(f"| {title} | {' | '.join(_format_speakers(names) for names in speakers)} |")
    return "\n".join(lines)


def _format_speakers(names: Iterable[str]) -> str:
    """How many and which: "4: 01-03, 07"."""
    runs: list[list[str]] = []
    for name in sorted(names):
        if runs and name.isdigit() and int(name) == int(runs[-1][-1]) + 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    listed = ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"{sum(map(len, runs))}: {listed}" if runs else "none"
