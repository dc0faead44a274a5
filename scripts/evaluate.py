"""Evaluates models on the test part of a protocol; several models share the decoding of each recording.

python -m scripts.evaluate resonet                      under the protocol of its training; needs SER_CORPORA
python -m scripts.evaluate all --protocol resonet       every checkpoint that may be tested on it
python -m scripts.evaluate runs/x/checkpoint --protocol resonet --write --name my-model
python -m scripts.evaluate prosonet --folder my-recordings --map joy=happy      recordings of your own
python -m scripts.evaluate prosonet --folder my-recordings --predictions found.csv      and the prediction of each
python -m scripts.evaluate prosonet --folder my-recordings --emotions neutral,happy,sad,angry   others cannot occur
python -m scripts.evaluate whisper --folder my-recordings --by-speaker  each speaker's other clips are the reference
python -m scripts.evaluate whisper --folder my-recordings --together    each corpus of them is its own reference

Compares with the recorded result (exit code 1 if a figure differs); --write records it in assets/results/, and for a
checkpoint under its own protocol in its metrics.json and model card. Without --write, some recordings may be missing.
Files of --folder that cannot be read are listed and left out (exit code 2).
"""

import argparse
import shlex
import sys
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scripts.common.errors import check_writable, explains
from scripts.common.evaluation_report import (
    print_evaluation,
    print_metrics,
    print_recalls,
    print_references,
    print_reproduction,
    print_speakers,
    write_predictions,
)
from scripts.common.flags import evaluate_parser
from scripts.common.folders import print_listed, read_folders
from scripts.common.tables import clip_bar
from ser_core.audio import AudioError
from ser_core.data import (
    CORPUS_NAMES,
    CorpusError,
    ListenerVotes,
    ProtocolError,
    Utterance,
    content_digest,
    corpora_root,
    parse_filename,
    read_listener_votes,
)
from ser_core.evaluation import (
    EvaluationTask,
    Metrics,
    PredictionTable,
    ResultError,
    build_result,
    check_recordable,
    compare_with_recorded,
    compute_metrics,
    corpus_references,
    evaluation_sections,
    evaluation_task,
    own_metrics,
    predict_utterances_per_model,
    read_test_part,
    render_model_card,
    result_path,
    save_result,
    speaker_references,
)
from ser_core.inference import Reference, SpeakerReferenceError
from ser_core.labels import EMOTIONS, describe_choice
from ser_core.models import (
    METRICS_FILE,
    CheckpointError,
    SERModel,
    available_models,
    checkpoint_folder,
    limit_emotions,
    load_model,
    save_metrics_and_card,
    training_record,
)
from ser_core.training import leaked_clips, training_history

ERRORS = (AudioError, CheckpointError, CorpusError, ProtocolError, ResultError, SpeakerReferenceError)
OwnReferences = dict[str, Reference]
"""Corpus or speaker -> reference, where there is one."""


def new_task(checkpoint: str, name: str | None, options: argparse.Namespace) -> EvaluationTask:
    """Task of evaluating one of the given checkpoints.

    Raises:
        one of ERRORS, or OSError: it cannot be evaluated, or its result cannot be recorded.
    """
    task = evaluation_task(checkpoint, options.protocol, options.fold, name, options.leak)
    if options.write:
        check_recordable(task, is_named=name is not None)
        check_writable(result_path(task.split, task.name))
        if task.is_own_result:
            check_writable(task.folder / METRICS_FILE)
    return replace(task, command=reproducing_command(task, checkpoint, name, options.leak))


def reproducing_command(task: EvaluationTask, checkpoint: str, name: str | None, leak: bool) -> str:
    """Command that repeats the result, without the folders of this machine."""
    what = Path(checkpoint).name if Path(checkpoint).is_absolute() else checkpoint
    words = ["python", "-m", "scripts.evaluate", what, "--protocol", task.protocol]
    words += ["--fold", task.fold] if task.fold is not None else []
    words += ["--leak"] if leak else []
    return shlex.join([*words, *(["--name", name] if name else []), "--write"])


def new_tasks(options: argparse.Namespace) -> list[EvaluationTask]:
    """All tasks; for `all`, the reason of each checkpoint that is left out is printed."""
    if options.models != ["all"]:
        names = options.name or [None] * len(options.models)
        return [new_task(checkpoint, name, options) for checkpoint, name in zip(options.models, names, strict=True)]
    found = []
    for name in available_models():
        try:
            found.append(new_task(name, None, options))
        except (CheckpointError, ProtocolError, ResultError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    if not found:
        raise CheckpointError("No checkpoint can be evaluated.")
    return found


def read_votes(utterances: Sequence[Utterance]) -> ListenerVotes | None:
    """The listeners' votes; a missing file is reported if some clips have votes."""
    found = read_listener_votes(corpora_root())
    if found is None and any(utterance.corpus == "crema_d" for utterance in utterances):
        print("crema_d/voice_votes.csv is not in the corpora folder: no figure against the listeners' votes.")
    return found


def record(task: EvaluationTask, predictions: PredictionTable, metrics: Metrics) -> Path:
    """Writes the result file; for a checkpoint under its own protocol also its metrics and model card."""
    result = build_result(task, predictions, metrics)
    path = save_result(result)
    if task.is_own_result:
        own, sections = own_metrics(result), evaluation_sections(task.name)
        card = render_model_card(task.name, task.config, own, task.model.n_parameters(), sections)
        save_metrics_and_card(task.folder, own, card)
    return path


def is_reproduced(
    task: EvaluationTask, predictions: PredictionTable, metrics: Metrics, votes: ListenerVotes | None
) -> bool:
    """Compares with the recorded result and prints the outcome; True without one."""
    found = compare_with_recorded(task, predictions, metrics, votes)
    if not found:
        print(f"There is no result {task.split}/{task.name}.json to compare with.")
    for reproduction in found:
        print_reproduction(reproduction)
    return all(reproduction.is_equal for reproduction in found)


def run(tasks: Sequence[EvaluationTask], writing: bool) -> bool:
    """Evaluates models on one test part; False if a recorded figure was not reproduced."""
    utterances, note = read_test_part(tasks[0].protocol, tasks[0].fold, complete=writing)
    if note:
        print(note)
    votes, equal = read_votes(utterances), True
    with clip_bar(tasks[0].split, len(utterances)) as show:
        tables = predict_utterances_per_model([task.model for task in tasks], utterances, show)
    found = [(*pair, compute_metrics(pair[1], votes)) for pair in zip(tasks, tables, strict=True)]
    written = [record(*measured) for measured in found if writing]  # before the tables, whose reader may have enough
    for task, predictions, metrics in found:
        print_evaluation(task, metrics)
        equal &= writing or is_reproduced(task, predictions, metrics, votes)
    for path in written:
        print(f"written: {path.parent.name}/{path.name}")
    return equal


def check_labels(model: SERModel, utterances: Sequence[Utterance]) -> None:
    """Checks that a model can predict every emotion of the recordings.

    Raises:
        CheckpointError: it has no class for one.
    """
    if absent := {u.emotion for u in utterances} - set(model.config.labels):
        raise CheckpointError(f"{model.name} has no class {', '.join(sorted(absent))}: leave these recordings out.")


def run_folders(options: argparse.Namespace) -> bool:
    """Evaluates models on recordings of one's own; nothing is recorded or compared. False if a file cannot be read.

    Raises:
        one of ERRORS, or OSError.
    """
    if options.predictions and options.predictions.exists():
        raise ResultError(f"{options.predictions} already exists. Delete it, or name another file with --predictions.")
    utterances = read_folders(options, options.emotions)
    names = available_models() if options.models == ["all"] else options.models
    models = [limit_emotions(load_model(name, "cpu"), options.emotions) for name in names]
    for model in models:
        check_labels(model, utterances)
    references = {model: own_references(model, utterances, options) for model in models}
    tables, failed, notes = predict_folders(models, utterances, references)
    if options.predictions and len(failed) < len(utterances):  # before the tables, whose reader may have enough
        save_predictions(options.predictions, dict(zip(names, tables, strict=True)), options.emotions)
    print_listed("could not be read", failed)
    print_listed("read with a note", notes)
    if len(failed) == len(utterances):
        raise AudioError("No recording of --folder can be read: repair the files, or give another folder.")
    for name, model, predictions in zip(names, models, tables, strict=True):
        print(f"\n{', '.join(filter(None, (name, describe_choice(options.emotions))))}")
        print_own_result(predictions, references[model], options)
        print_leaks(name, predictions.utterances)
    print_choice({utterance.emotion for utterance in utterances}, options.emotions)
    return not failed


def print_choice(emotions: Collection[str], possible: Sequence[str]) -> None:
    """How to choose among the emotions of the recordings alone, where models chose among more."""
    named = ",".join(emotion for emotion in EMOTIONS if emotion in emotions)
    if 1 < len(emotions) < len(possible):
        n_emotions = f"{len(emotions)} of {len(possible)} emotions"
        print(f"\nThe recordings have {n_emotions}. Among these alone: --emotions {named}")


def print_own_result(predictions: PredictionTable, references: OwnReferences, options: argparse.Namespace) -> None:
    """Metrics of a model on recordings of one's own, and what its predictions are relative to."""
    metrics = compute_metrics(predictions)
    if options.together:
        print_references(references, metrics.corpora)
    if options.by_speaker:
        print_speakers(references, (utterance.speaker for utterance in predictions.utterances))
    print_metrics(metrics)
    print_recalls(metrics)


def print_leaks(checkpoint: str, utterances: Sequence[Utterance]) -> None:
    """Which recordings of one's own a checkpoint was trained on, for certain or by their names."""
    if known := trained_on(checkpoint, utterances):
        corpora = ", ".join(sorted({u.corpus for u in known}))
        print(f"LEAK: it was trained on {len(known)} of these recordings ({corpora}); this is not a valid result.")
    if named := named_as_trained_on(checkpoint, utterances):
        corpora = ", ".join(sorted({CORPUS_NAMES[u.corpus] for u in named}))
        print(
            f"LEAK? {len(named)} of these recordings have the name and emotion of clips that it was trained on "
            f"({corpora}). If they are those clips, this is not a valid result: leave them out."
        )


def save_predictions(path: Path, tables: Mapping[str, PredictionTable], emotions: Sequence[str]) -> None:
    """Writes the predictions of each model, among the emotions that can occur.

    Raises:
        ResultError: the file cannot be written.
    """
    try:
        write_predictions(path, tables, emotions)
    except OSError as error:
        raise ResultError(f"{path} cannot be written: {error.strerror}. Name another file.") from None
    print(f"predictions in {path}")


def own_references(model: SERModel, utterances: Sequence[Utterance], options: argparse.Namespace) -> OwnReferences:
    """Corpus or speaker -> reference, as the flags want it; empty without.

    Raises:
        SpeakerReferenceError: the model takes no reference.
    """
    if options.by_speaker:
        return speaker_references(model, utterances)
    return corpus_references(model, utterances) if options.together else {}


def predict_folders(
    models: Sequence[SERModel], utterances: Sequence[Utterance], references: Mapping[SERModel, OwnReferences]
) -> tuple[list[PredictionTable], dict[str, str], dict[str, str]]:
    """Predictions of each model, the files that cannot be read, with the reasons, and the notes on others.

    Args:
        references: of each model.
    """
    failed: dict[str, str] = {}
    notes: defaultdict[str, list[str]] = defaultdict(list)
    with clip_bar("folder", len(utterances)) as show:
        tables = predict_utterances_per_model(
            models,
            utterances,
            show,
            # a speaker has a hyphen in its name, a corpus has none
            reference=lambda m, utterance: references[m].get(utterance.speaker) or references[m].get(utterance.corpus),
            unreadable=lambda utterance, error: failed.update({str(utterance.path): str(error)}),
            noted=lambda utterance, note: notes[str(utterance.path)].append(note),
        )
    return tables, failed, {path: " ".join(of_file) for path, of_file in notes.items()}


def trained_on(checkpoint: str, utterances: Sequence[Utterance]) -> list[Utterance]:
    """Recordings of one's own that a checkpoint, or one it builds on, was trained on, however their folder is named."""
    training = training_record(checkpoint_folder(checkpoint))
    # A config of an earlier version has names of folders alone.
    named = {} if "folder_clips" in training else training.get("folders", {})
    known = {digest for part in training_history(training) for digest in part.get("folder_clips", "").split()}
    return [u for u in utterances if u.corpus in named or content_digest(u.id) in known]


def named_as_trained_on(checkpoint: str, utterances: Sequence[Utterance]) -> list[Utterance]:
    """Published clips, by name and emotion, of the training or development part of a checkpoint or one it builds on."""
    parsed = ((u, parse_filename(u.path)) for u in utterances)
    clips = {p.id: p for u, p in parsed if isinstance(p, Utterance) and p.emotion == u.emotion}
    history = training_history(training_record(checkpoint_folder(checkpoint)))
    return [clips[i] for i in sorted(leaked_clips(history, clips))]


def run_protocols(options: argparse.Namespace) -> bool:
    """Evaluates models on test parts; False if a recorded figure was not reproduced.

    Raises:
        one of ERRORS, or OSError.
    """
    groups: dict[str, list[EvaluationTask]] = {}
    for task in new_tasks(options):
        groups.setdefault(task.split, []).append(task)
    equal = [run(group, options.write) for group in groups.values()]
    return all(equal)


def check_flags(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends the program if the flags do not fit together."""
    if options.folder and (options.protocol or options.fold or options.write or options.name or options.leak):
        parser.error("--folder goes without --protocol, --fold, --write, --name and --leak")
    if (options.together or options.by_speaker or options.map or options.predictions) and not options.folder:
        parser.error("--together, --by-speaker, --map and --predictions need --folder")
    if options.emotions != EMOTIONS and not options.folder:
        parser.error("--emotions needs --folder: results under a protocol are of all eight emotions")
    if options.predictions and options.predictions.suffix.lower() != ".csv":
        parser.error(f"--predictions {options.predictions}: name a file that ends with .csv")
    if options.predictions and not options.predictions.parent.is_dir():
        parser.error(f"--predictions: the folder {options.predictions.parent} does not exist; make it first")
    if options.name and (
        options.models == ["all"]
        or len(options.models) != len(options.name)
        or any(Path(name).name != name for name in options.name)
    ):
        parser.error("--name wants one plain name for each model")


@explains(*ERRORS)
def main(arguments: list[str] | None = None) -> int:
    parser = evaluate_parser()
    options = parser.parse_args(arguments)
    check_flags(parser, options)
    if options.folder:
        return 0 if run_folders(options) else 2
    return 0 if run_protocols(options) else 1


if __name__ == "__main__":
    sys.exit(main())
