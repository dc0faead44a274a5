"""Fuses a head on Whisper's encoder with a fast network, calibrated on corpora that neither was trained on.

python -m scripts.fuse                    writes checkpoints/whisper-prosonet and assets/results/left-out-<name>.json
python -m scripts.fuse --every 4          from one in four clips of each corpus
python -m scripts.fuse --fold 1           checkpoints/folds/whisper-prosonet-1, with the calibration of the first

Needs checkpoints/whisper, checkpoints/prosonet and, below checkpoints/folds, their models of the left-out corpora:
whisper-left-out-<corpus> and prosonet-leave-one-corpus-out-<corpus>. Corpora in other languages are unknown to every
prosonet.
"""

import argparse
import sys

import numpy as np
import torch
from tqdm import tqdm

from scripts.head_tables import table
from scripts.train_heads import spoken_test_clips, write_results
from ser_core import paths
from ser_core.data import AudioStore, protocol_folds
from ser_core.evaluation import corpus_report, fit_cross_corpus_calibration
from ser_core.inference import run_clips
from ser_core.models import (
    Calibration,
    CheckpointError,
    Fusion,
    SERModel,
    load_fusion,
    load_model,
    save_model,
)
from ser_core.training import CrossCorpusPredictions, TrainingExample

NAME, FIRST, SECOND = "whisper-prosonet", "whisper", "prosonet"
FACTORS = (0.8, 0.2)
"""Of the log probabilities of the two; chosen on left-out corpora from 0.9, 0.8 and 0.7."""
CHUNK_CLIPS = 200


def left_out_fusion(corpus: str) -> Fusion:
    """The fusion of two models that were trained without a corpus."""
    second = f"folds/{SECOND}-leave-one-corpus-out-{corpus}"
    second = second if (paths.CHECKPOINTS / second).is_dir() else SECOND
    return load_fusion((f"folds/{FIRST}-left-out-{corpus}", second), FACTORS)


def embeddings_of(model: SERModel, clips: list[TrainingExample], title: str) -> np.ndarray:
    """Embeddings of trimmed clips, shape = (n_clips, embedding_dim)."""
    store, rows = AudioStore(), []
    for first in tqdm(range(0, len(clips), CHUNK_CLIPS), desc=title):
        rows.append(run_clips(model, [store.trimmed(c.id) for c in clips[first : first + CHUNK_CLIPS]]).embeddings)
    return np.concatenate(rows)


def sample(clips: list[TrainingExample], every: int) -> list[TrainingExample]:
    """One of every n clips, at random: names in order repeat sentences and emotions at fixed distances."""
    kept = np.random.default_rng(0).permutation(len(clips))[: -(-len(clips) // every)]
    return [clips[i] for i in np.sort(kept)]


def left_out_predictions(every: int) -> dict[str, tuple[Fusion, list[TrainingExample], np.ndarray]]:
    """Fusion, clips and embeddings by corpus."""
    found = {}
    for corpus in protocol_folds("left-out"):
        model, clips = left_out_fusion(corpus), sample(spoken_test_clips("left-out", corpus), every)
        found[corpus] = model, clips, embeddings_of(model, clips, corpus)
    return found


def calibrate(found: dict[str, tuple[Fusion, list[TrainingExample], np.ndarray]]) -> Calibration:
    """Temperature and threshold from left-out corpora."""
    parts = []
    for corpus, (model, clips, embeddings) in found.items():
        y_true = np.array([model.config.labels.index(clip.emotion) for clip in clips])
        with torch.inference_mode():
            logits = model.classify(torch.from_numpy(embeddings)).numpy()
        parts.append(CrossCorpusPredictions(np.full(len(clips), corpus), y_true, np.zeros(len(clips)), logits))
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0]))
    return fit_cross_corpus_calibration(CrossCorpusPredictions(*columns))


def report(found: dict[str, tuple[Fusion, list[TrainingExample], np.ndarray]]) -> dict[str, dict]:
    """Scores of each corpus, with the calibration from the others."""
    reports = {}
    for corpus, (model, clips, embeddings) in found.items():
        model.calibration = calibrate({name: part for name, part in found.items() if name != corpus})
        reports[corpus] = corpus_report(model, embeddings, clips)
        first, width = model.members[0], model.sizes[0]
        reports[corpus][f"{FIRST}_alone"] = corpus_report(first, embeddings[:, :width], clips)
    return reports


def make_default(every: int) -> None:
    """The fusion of the default models, and its scores on left-out corpora."""
    found = left_out_predictions(every)
    reports = report(found)
    print(table(reports))
    write_results(
        paths.RESULTS / f"left-out-{NAME}.json",
        {
            "model": NAME,
            "protocol": "left-out",
            "every": every,
            "folds": {c: {c: r} for c, r in reports.items()},
            "corpora": reports,
        },
    )
    training = {"protocol": "speaker-independent-8", "fold": "0", "members": [FIRST, SECOND]}
    save_model(load_fusion((FIRST, SECOND), FACTORS), paths.CHECKPOINTS / NAME, "fusion", calibrate(found), training)


def make_fold(fold: str) -> None:
    """The fusion of the models of one fold; its calibration is that of the default fusion."""
    training = {"protocol": "speaker-independent-8", "fold": fold, "members": [f"{FIRST}-{fold}", f"{SECOND}-{fold}"]}
    calibration = load_model(NAME, "cpu").calibration
    model = load_fusion((f"folds/{FIRST}-{fold}", f"folds/{SECOND}-{fold}"), FACTORS)
    save_model(model, paths.CHECKPOINTS / "folds" / f"{NAME}-{fold}", "fusion", calibration, training)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(None, None, __doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="use one in n clips of each corpus, drawn at random")
    parser.add_argument("--fold", help="a fold of the protocol speaker-independent")
    options = parser.parse_args(arguments)
    try:
        make_fold(options.fold) if options.fold else make_default(options.every)
    except (CheckpointError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
