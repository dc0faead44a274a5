"""Trains a head on a frozen encoder for every fold of a protocol and scores each on its test part, corpus by corpus.

python -m scripts.train_heads whisper --protocol left-out               what an unseen corpus meets
python -m scripts.train_heads whisper --protocol speaker-independent-8  what an unseen speaker of a known corpus meets
python -m scripts.train_heads whisper --protocol left-out --check       compares with the recorded scores
python -m scripts.train_heads whisper --protocol left-out --emotions neutral,happy,sad,angry
                                                                        of a choice among some emotions

Writes assets/results/<protocol>-<model>.json and prints its table. Each fold is a run of scripts.train below runs/;
finished runs with the model's own settings are skipped, others are refused. Scores are of clips without the silence at
their ends, each as one window, from the cache of the encoder's outputs. --emotions writes no scores: it prints those of
a choice limited to them (`own`: to those of each left-out corpus), and those of a choice among all eight on the same
clips; reference clips are of all emotions of the corpus.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from scripts import train
from scripts.common.errors import check_writable, explains
from scripts.common.evaluation_report import ROUNDING_NOTE
from scripts.common.flags import command_parser, possible_emotions
from scripts.common.fold_clips import read_clips, spoken_test_clips
from scripts.common.head_tables import UNLIKE, choice_table, table
from scripts.common.train_head import own_embeddings
from ser_core import paths
from ser_core.data import LEFT_OUT, SPEAKER_INDEPENDENT_8, AudioStore, protocol_folds, protocol_split
from ser_core.evaluation import ENROLLED_CLIPS, auroc_unlike_training, mean_reports, reports_by_corpus
from ser_core.models import MODELS, Whisper, limit_emotions, load_model, training_record
from ser_core.training import TrainingData, TrainingError, TrainingExample, flatten_config, head_recipe

PROTOCOLS = (LEFT_OUT, SPEAKER_INDEPENDENT_8)
OWN = "own"
"""In place of a list of emotions: those of each left-out corpus."""
Tested = tuple[Whisper, list[TrainingExample], np.ndarray]
"""The model of a fold, its test clips, and their embeddings."""
MAX_ROUNDING = 0.01  # of the scores of a corpus, what clips near a tie change on another processor


def fold_checkpoint(model_name: str, protocol: str, fold: str) -> Path:
    """Checkpoint of the run of one fold."""
    return paths.RUNS / f"{model_name}-{protocol}-{fold}" / "checkpoint"


def check_settings(model_name: str, protocol: str, fold: str) -> None:
    """Checks that a finished run of a fold has the settings with which this command trains.

    Settings that a run of an earlier version does not record count as these.

    Raises:
        CheckpointError: it cannot be loaded.
        TrainingError: it has others.
    """
    checkpoint = fold_checkpoint(model_name, protocol, fold)
    if not checkpoint.is_dir():
        return
    found = training_record(checkpoint) | {"model": load_model(checkpoint, "cpu").config.to_dict()}
    own = {"protocol": protocol, "fold": fold, "n_clips": len(protocol_split(protocol, fold).train)}
    own = {**own, "recipe": asdict(head_recipe({})), "model": MODELS[model_name][1].to_dict()}
    settings, expected = (flatten_config(json.loads(json.dumps(each))) for each in (found, own))  # lists for tuples
    differing = [f"{name} {value!s:.40}" for name, value in settings.items() if value != expected.get(name)]
    if differing:
        raise TrainingError(
            f"{checkpoint.parent} is a run with settings that are not those of {model_name}: {', '.join(differing)}. "
            "Rename its folder or delete it: this command then trains the fold."
        )


def tested_fold(model_name: str, protocol: str, fold: str) -> Tested:
    """The model of a fold, which is trained first, and its test clips."""
    checkpoint = fold_checkpoint(model_name, protocol, fold)
    arguments = [model_name, "--protocol", protocol, "--fold", fold, "--run", checkpoint.parent.name]
    if not checkpoint.is_dir() and (code := train.main(arguments)):
        raise SystemExit(code)
    model, clips = load_model(checkpoint, "cpu"), spoken_test_clips(protocol, fold)
    return model, clips, embed_clips(model, clips)


def fold_reports(model_name: str, protocol: str, fold: str) -> dict[str, dict]:
    """Scores of one fold by corpus."""
    model, clips, embeddings = tested_fold(model_name, protocol, fold)
    reports = reports_by_corpus(model, embeddings, clips)
    if protocol == LEFT_OUT:
        known = read_clips(protocol, protocol_split(protocol, fold).train)
        reports[fold][UNLIKE] = auroc_unlike_training(model.novelty, embed_clips(model, known), known, embeddings)
    return reports


def limited_tables(model_name: str, protocol: str, emotions: Sequence[str]) -> str:
    """Scores of a choice among some emotions, or OWN, and among all eight on the same clips; errors as check_folds."""
    check_folds(model_name, protocol)
    limited, among_all = {}, {}
    for fold in protocol_folds(protocol):
        model, clips, embeddings = tested_fold(model_name, protocol, fold)
        scored = {clip.emotion for clip in clips} if emotions == OWN else emotions
        limited[fold] = reports_by_corpus(limit_emotions(model, [*scored]), embeddings, clips, scored)
        among_all[fold] = reports_by_corpus(model, embeddings, clips, scored)
    choice = "the emotions of each corpus" if emotions == OWN else ", ".join(emotions)
    found = {f"Among {choice}": limited, "The same clips, among all eight": among_all}
    return "\n\n".join(f"{title}:\n\n{choice_table(mean_reports(folds))}" for title, folds in found.items())


def embed_clips(model: Whisper, clips: Sequence[TrainingExample]) -> np.ndarray:
    """Embeddings from the cache, shape = (n_clips, embedding_dim)."""
    return own_embeddings(model, TrainingData(clips, (), AudioStore()))


def check_folds(model_name: str, protocol: str) -> None:
    """check_settings of all folds, before the first training."""
    for fold in protocol_folds(protocol):
        check_settings(model_name, protocol, fold)


def protocol_scores(model_name: str, protocol: str) -> dict:
    """Content of the result file; the scores of each fold are printed.

    Raises:
        one of train.ERRORS, or OSError.
    """
    check_folds(model_name, protocol)
    folds = {}
    for fold in protocol_folds(protocol):
        folds[fold] = fold_reports(model_name, protocol, fold)
        pairs = {c: (r["uar_common"], r["enrolled"][ENROLLED_CLIPS]["uar_common"]) for c, r in folds[fold].items()}
        print(fold, pairs, flush=True)
    return {"model": model_name, "protocol": protocol, "folds": folds, "corpora": mean_reports(folds)}


def scored_emotions(text: str) -> Sequence[str]:
    """OWN, or the emotions of a list; errors as possible_emotions."""
    return text if text == OWN else possible_emotions(text)


def is_reproduced(recorded: dict, found: dict) -> bool:
    """Compares with the recorded scores and prints the outcome."""
    if recorded == found:
        print("equal to the recorded scores")
        return True
    print("differs from the recorded scores")
    before, now = (flatten_config(scores["corpora"]) for scores in (recorded, found))
    if before.keys() == now.keys() and all(abs(now[name] - before[name]) <= MAX_ROUNDING for name in now):
        print(ROUNDING_NOTE)
    return False


def heads_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__)
    parser.add_argument("model", choices=[name for name, (family, _) in MODELS.items() if family == "whisper"])
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    parser.add_argument("--check", action="store_true", help="compare with the recorded scores instead of writing them")
    parser.add_argument(
        "--emotions",
        type=scored_emotions,
        metavar="A,B|own",
        help="score a choice among these alone, on their clips; own: among those of each left-out corpus",
    )
    return parser


@explains(*train.ERRORS)
def main(arguments: list[str] | None = None) -> int:
    parser = heads_parser()
    options = parser.parse_args(arguments)
    if options.emotions:
        if options.check or (options.emotions == OWN and options.protocol != LEFT_OUT):
            parser.error("--emotions has no recorded scores for --check, and `own` needs --protocol left-out")
        print(limited_tables(options.model, options.protocol, options.emotions))
        return 0
    path = paths.RESULTS / f"{options.protocol}-{options.model}.json"
    if options.check and not path.is_file():
        parser.error(f"there are no recorded scores to compare with: leave out --check to write {path.name}")
    if not options.check:
        check_writable(path)
    found = protocol_scores(options.model, options.protocol)
    print(table(found["corpora"]))
    if options.check:
        return 0 if is_reproduced(json.loads(path.read_text()), found) else 1
    paths.write_json(path, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
