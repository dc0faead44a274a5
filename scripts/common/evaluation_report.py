"""What evaluate prints of one model: its metrics, and how they compare with the recorded ones; and its predictions."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scripts.common.tables import print_table
from ser_core import paths
from ser_core.data import SPEAKER_OVERLAP, corpus_name
from ser_core.evaluation import EvaluationTask, Metrics, PredictionTable, Reproduction
from ser_core.inference import MIN_REFERENCE_CLIPS, Reference, guard_formula
from ser_core.labels import EMOTIONS
from ser_core.metrics import format_percent, round_floats

N_CHANGES_SHOWN = 5
ROUNDING_NOTE = "So small a difference may be the rounding of another processor than the recorded one."


def print_evaluation(task: EvaluationTask, metrics: Metrics) -> None:
    """Metrics of a model, and what is to be known of its test part."""
    print(f"\n{task.name} on {task.split}")
    print_metrics(metrics)
    if task.leak:
        print("LEAK: some of these recordings were in the training part; this is not a valid result.")
    elif task.protocol in SPEAKER_OVERLAP:
        print(f"This protocol {SPEAKER_OVERLAP[task.protocol]} between training and test.")


def print_metrics(metrics: Metrics) -> None:
    """One line per corpus: clips, speakers, and each metric in percent with its 95 % interval over speakers."""
    print_table(["", "clips", "speakers", "UAR", "macro-F1", "accuracy"], score_rows(metrics))
    print(f"pooled: {', '.join(corpus_name(c) for c in metrics.pooled_corpora)}")
    if metrics.common_accuracy_mean is not None:
        print(f"six emotions, accuracy averaged over corpora: {100 * metrics.common_accuracy_mean:.1f}")
    for when in ("before", "after"):
        c = getattr(metrics.calibration, when)
        print(f"{when:>6} temperature: ECE {c.ece:.3f}, NLL {c.nll:.3f}, Brier {c.brier:.3f}, AURC {c.aurc:.3f}")
    if v := metrics.votes:
        print(f"against the listeners' votes: {v.nll:.3f} nats, at best {v.entropy_floor:.3f} ({v.n_clips} clips)")
    on_these = f", accuracy on these {100 * metrics.accuracy_when_answered:.1f} %" if metrics.coverage else ""
    print(f"coverage {100 * metrics.coverage:.1f} %{on_these}")


def score_rows(metrics: Metrics) -> Iterator[tuple[str, ...]]:
    """Cells of the corpora, pooled, and of the six common emotions; rounded from what a result file holds."""
    for name, s in (*metrics.corpora.items(), ("pooled", metrics.pooled), ("six emotions", metrics.common_pooled)):
        if s:
            scores = ((s.uar, s.uar_ci), (s.macro_f1, s.macro_f1_ci), (s.accuracy, s.accuracy_ci))
            yield (name, str(s.n_clips), str(s.n_speakers), *(format_percent(*round_floats(score)) for score in scores))


def print_recalls(metrics: Metrics) -> None:
    """One line per emotion that occurs: clips, and recall in percent in each corpus and, of several, pooled."""
    names = list(metrics.corpora) if len(metrics.corpora) == 1 else [*metrics.corpora, "pooled"]
    rows = []
    for emotion, pooled in metrics.per_class["pooled"].items():
        found = [metrics.per_class[name].get(emotion) for name in names]
        recalls = (f"{100 * scores.recall:.1f}" if scores else "-" for scores in found)
        rows.append((emotion, str(pooled.support), *recalls))
    print_table(["recall", "clips", *names], rows)


def prediction_rows(table: PredictionTable, emotions: Sequence[str] = EMOTIONS) -> Iterator[dict[str, object]]:
    """A row for each clip, with the decimals from which the metrics are computed; a column for each probability.

    Args:
        emotions: that can occur; others have no probability.
    """
    table = table.rounded()
    for utterance, values, abstained in zip(table.utterances, table.probabilities, table.abstained, strict=True):
        probabilities = dict(zip(table.labels, values.tolist(), strict=True))
        predicted = max(probabilities, key=probabilities.__getitem__)
        labels = {
            "path": str(utterance.path),
            "corpus": utterance.corpus,
            "speaker": utterance.speaker.removeprefix(f"{utterance.corpus}-"),
            "emotion": utterance.emotion,
        }
        found = {"predicted": predicted, "confidence": probabilities[predicted], "abstained": bool(abstained)}
        yield labels | found | {emotion: probabilities[emotion] for emotion in emotions}


def write_predictions(path: Path, tables: Mapping[str, PredictionTable], emotions: Sequence[str] = EMOTIONS) -> None:
    """Writes the predictions of each model, by name, as CSV; of several with a column `model`.

    Raises:
        OSError: the file cannot be written.
    """
    columns = ("path", "corpus", "speaker", "emotion", "predicted", "confidence", "abstained", *EMOTIONS)
    several = ["model"] * (len(tables) > 1)
    with paths.atomic_file(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, [*several, *columns], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for name, table in tables.items():
            for row in prediction_rows(table, emotions):
                writer.writerow({column: guard_formula(value) for column, value in ({"model": name} | row).items()})


def print_reproduction(found: Reproduction) -> None:
    """Whether the recorded figures were reproduced, or which differ."""
    if found.is_equal:
        print(f"equal to {found.file}")
        return
    print(f"DIFFERENT FROM {found.file}")
    for name, (before, now) in [*found.changes.items()][:N_CHANGES_SHOWN]:
        recorded, measured = ("nothing" if value is None else value for value in (before, now))
        print(f"  {name}: {recorded} recorded, {measured} measured")
    if found.is_rounding:
        print(ROUNDING_NOTE)


def print_speakers(references: dict[str, Reference], speakers: Iterable[str]) -> None:
    """How many speakers have a reference, and who has none."""
    named = sorted(set(speakers))
    without = [speaker for speaker in named if speaker not in references]
    print(f"speakers with a reference: {len(named) - len(without)} of {len(named)}")
    if without:
        print(f"without, for fewer than {MIN_REFERENCE_CLIPS} clips with speech or no name: {', '.join(without)}")


def print_references(references: dict[str, Reference], corpora: Iterable[str]) -> None:
    """What the predictions for each corpus are relative to."""
    for corpus in corpora:
        n_clips = references[corpus].n_clips if corpus in references else 0
        made = (
            f"{n_clips} of its recordings are the reference of all" if n_clips else "too little speech for a reference"
        )
        print(f"{corpus}: {made}")
