"""Trains a head on a frozen encoder for every fold of a protocol and scores each on its test part, corpus by corpus.

python -m scripts.train_heads whisper --protocol left-out               what an unseen corpus meets
python -m scripts.train_heads whisper --protocol speaker-independent-8  what an unseen speaker of a known corpus meets
python -m scripts.train_heads whisper --protocol left-out --check       compares with the recorded scores

Writes assets/results/<protocol>-<model>.json and prints its table. Each fold is a run of scripts.train below runs/;
finished runs are skipped. Scores are of clips without the silence at their ends, each as one window, from the cache of
the encoder's outputs.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from scripts import train
from scripts.common.head_tables import UNLIKE, mean_of, table
from scripts.common.train_head import own_statistics
from ser_core import paths
from ser_core.data import AudioStore, ProtocolSplit, is_speech, protocol_folds, protocol_split
from ser_core.evaluation import corpus_report, unseen_speaker_distances
from ser_core.models import SERModel, Whisper, load_model
from ser_core.training import TrainingData, TrainingExample, read_training_data

LEFT_OUT = "left-out"
PROTOCOLS = (LEFT_OUT, "speaker-independent-8")


def fold_reports(model_name: str, protocol: str, fold: str) -> dict[str, dict]:
    """Scores of one fold by corpus; trains its model first."""
    run = f"{model_name}-{protocol}-{fold}"
    checkpoint = Path("runs") / run / "checkpoint"
    arguments = [model_name, "--protocol", protocol, "--fold", fold, "--run", run]
    if not checkpoint.is_dir() and (code := train.main(arguments)):
        raise SystemExit(code)
    model, split = load_model(checkpoint, "cpu"), protocol_split(protocol, fold)
    clips = spoken_test_clips(protocol, fold)
    embeddings = embed_clips(model, clips)
    reports = reports_by_corpus(model, embeddings, clips)
    if protocol == LEFT_OUT:
        training_clips = read_clips(protocol, split.train)
        reports[fold][UNLIKE] = auroc_unlike_training(model, training_clips, embeddings)
    return reports


def reports_by_corpus(model: SERModel, embeddings: np.ndarray, clips: Sequence[TrainingExample]) -> dict[str, dict]:
    """Scores of clips of several corpora, see corpus_report."""
    corpora = np.array([clip.corpus for clip in clips])
    return {
        str(corpus): corpus_report(model, embeddings[corpora == corpus], [c for c in clips if c.corpus == corpus])
        for corpus in np.unique(corpora)
    }


def spoken_test_clips(protocol: str, fold: str) -> list[TrainingExample]:
    """The test clips of a fold without those that are sung."""
    return [clip for clip in read_clips(protocol, protocol_split(protocol, fold).test) if is_speech(clip.corpus)]


def read_clips(protocol: str, ids: Sequence[str]) -> Sequence[TrainingExample]:
    """The clips of one part of a split."""
    return read_training_data(protocol, ProtocolSplit(tuple(ids), (), ()), AudioStore()).train


@torch.inference_mode()
def embed_clips(model: Whisper, clips: Sequence[TrainingExample]) -> np.ndarray:
    """Embeddings from the cache, shape = (n_clips, embedding_dim)."""
    statistics = own_statistics(model, TrainingData(clips, (), AudioStore()))
    return model.projection(torch.from_numpy(statistics)).numpy()


def auroc_unlike_training(model: Whisper, training_clips: Sequence[TrainingExample], left_out: np.ndarray) -> float:
    """Area under the ROC curve of the distance: clips of a left-out corpus against unseen speakers of known ones."""
    known = unseen_speaker_distances(model.novelty, embed_clips(model, training_clips), training_clips)
    distances = np.concatenate([known, model.novelty.distance(left_out)])
    return round(float(roc_auc_score(np.arange(len(distances)) >= len(known), distances)), 4)


def mean_reports(folds: dict[str, dict[str, dict]]) -> dict[str, dict]:
    """Mean over the folds of every number, by corpus."""
    by_corpus = defaultdict(list)
    for reports in folds.values():
        for corpus, report in reports.items():
            by_corpus[corpus].append(report)
    return {corpus: mean_of(reports) for corpus, reports in by_corpus.items()}


def write_results(path: Path, found: dict) -> None:
    """Writes scores as JSON."""
    with paths.atomic_path(path) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(None, None, __doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    parser.add_argument("--check", action="store_true", help="compare with the recorded scores instead of writing them")
    options = parser.parse_args(arguments)
    folds = {}
    for fold in protocol_folds(options.protocol):
        folds[fold] = fold_reports(options.model, options.protocol, fold)
        print(
            fold, {c: (r["uar_common"], r["enrolled"]["10"]["uar_common"]) for c, r in folds[fold].items()}, flush=True
        )
    found = {"model": options.model, "protocol": options.protocol, "folds": folds, "corpora": mean_reports(folds)}
    print(table(found["corpora"]))
    path = paths.RESULTS / f"{options.protocol}-{options.model}.json"
    if options.check:
        equal = json.loads(path.read_text()) == found
        print("equal to the recorded scores" if equal else "differs from the recorded scores")
        return 0 if equal else 1
    write_results(path, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
