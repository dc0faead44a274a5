"""Fuses heads on Whisper's encoder with fast networks, calibrated on corpora and speakers that neither was trained on.

python -m scripts.fuse                    writes checkpoints/whisper-prosonet, those of the other folds below
                                          checkpoints/folds, and their scores in assets/results: on left-out corpora
                                          (left-out-...) and on unseen speakers (speaker-independent-8-...)
python -m scripts.fuse --every 4          from one in four clips of each corpus, as those that come with the program
python -m scripts.fuse --scores           the scores alone

Needs checkpoints/whisper, checkpoints/prosonet and, below checkpoints/folds, their models of the other four folds and
of the left-out corpora: whisper-left-out-<corpus> and prosonet-leave-one-corpus-out-<corpus>. Corpora in other
languages are unknown to every prosonet. The calibration of a fold is fitted on left-out corpora and on the unseen
speakers of the other folds; no clip of its own test speakers is in either.
"""

import sys
from collections.abc import Container, Iterable

import numpy as np
import torch

from scripts.common.bars import tqdm
from scripts.common.errors import check_writable, explains
from scripts.common.flags import command_parser, positive
from scripts.common.fold_clips import spoken_test_clips
from scripts.common.head_tables import table
from ser_core import paths
from ser_core.data import (
    CORPUS_NAMES,
    LEFT_OUT,
    SPEAKER_INDEPENDENT_8,
    AudioStore,
    CorpusError,
    StoreError,
    protocol_folds,
)
from ser_core.evaluation import corpus_report, fit_cross_corpus_calibration, mean_reports, reports_by_corpus
from ser_core.inference import run_clips
from ser_core.labels import COMMON_EMOTIONS
from ser_core.models import (
    CheckpointError,
    Fusion,
    SERModel,
    checkpoint_folder,
    enrolled_logits,
    load_fusion,
    save_model,
)
from ser_core.training import ENROLMENT_CLIPS, TrainingExample, UnseenPredictions, corpora_of, start_history

NAME, FIRST, SECOND = "whisper-prosonet", "whisper", "prosonet"
FACTORS = (0.8, 0.2)
"""Of the log probabilities of the two; chosen on left-out corpora from 0.9, 0.8 and 0.7."""
CHUNK_CLIPS = 200
PROTOCOL, FOLD = SPEAKER_INDEPENDENT_8, "0"
Predicted = tuple[Fusion, list[TrainingExample], np.ndarray]
"""A fusion, clips that it was not trained on, and its embeddings of them."""


def left_out_fusion(corpus: str) -> Fusion:
    """The fusion of two models that were trained without a corpus."""
    second = f"folds/{SECOND}-leave-one-corpus-out-{corpus}"
    second = second if (paths.CHECKPOINTS / second).is_dir() else SECOND
    return load_fusion((f"folds/{FIRST}-left-out-{corpus}", second), FACTORS)


def embeddings_of(model: SERModel, clips: list[TrainingExample], title: str) -> np.ndarray:
    """Embeddings of trimmed clips, shape = (n_clips, embedding_dim).

    Raises:
        CorpusError: no clip.
        StoreError: the samples of a clip are damaged.
    """
    if not clips:
        raise CorpusError(
            f"{title}: none of the recordings is decoded. Set SER_CORPORA to the folder with the recordings of all "
            "corpora, and run: python -m scripts.prepare_corpora"
        )
    store, rows = AudioStore(), []
    for first in tqdm(range(0, len(clips), CHUNK_CLIPS), desc=title):
        rows.append(run_clips(model, [store.trimmed(c.id) for c in clips[first : first + CHUNK_CLIPS]]).embeddings)
    return np.concatenate(rows)


def sample(clips: list[TrainingExample], every: int) -> list[TrainingExample]:
    """One of every n clips, at random: names in order repeat sentences and emotions at fixed distances.

    Raises:
        CorpusError: no clip of a corpus is left that can be scored.
    """
    kept = np.random.default_rng(0).permutation(len(clips))[: -(-len(clips) // every)]
    found = [clips[i] for i in np.sort(kept)]
    if unscored := {c.corpus for c in found} - {c.corpus for c in found if c.emotion in COMMON_EMOTIONS}:
        raise CorpusError(
            f"One in {every} clips leaves none of {', '.join(CORPUS_NAMES[c] for c in sorted(unscored))} with one of "
            f"the emotions that are scored ({', '.join(COMMON_EMOTIONS)}): lower --every."
        )
    return found


def predicted(model: Fusion, clips: list[TrainingExample], title: str) -> Predicted:
    """The model with embeddings of the clips."""
    return model, clips, embeddings_of(model, clips, title)


def left_out_predictions(every: int) -> dict[str, Predicted]:
    """By left-out corpus, of one of every n clips."""
    return {
        corpus: predicted(left_out_fusion(corpus), sample(spoken_test_clips(LEFT_OUT, corpus), every), corpus)
        for corpus in protocol_folds(LEFT_OUT)
    }


def unseen_speakers(every: int) -> dict[str, Predicted]:
    """By fold, of its test speakers by the fusion of that fold, of one of every n clips."""
    return {
        fold: predicted(fold_fusion(fold), sample(spoken_test_clips(PROTOCOL, fold), every), f"speakers of fold {fold}")
        for fold in protocol_folds(PROTOCOL)
    }


def outputs(found: Iterable[Predicted], but: Container[tuple[str, str]] = ()) -> UnseenPredictions:
    """Logits and distances of all clips but those of some speakers, each a corpus and a name."""
    parts = []
    for model, clips, embeddings in found:
        kept = np.array([(clip.corpus, clip.speaker) not in but for clip in clips])
        y_true = np.array([model.config.labels.index(clip.emotion) for clip in clips])
        with torch.inference_mode():
            logits = model.classify(torch.from_numpy(embeddings)).numpy()
        distances = model.novelty.distance(embeddings) if model.novelty else np.ones(len(clips))
        speakers = np.array([clip.speaker for clip in clips])
        enrolled = enrolled_logits(model, embeddings, speakers, ENROLMENT_CLIPS)
        parts.append(UnseenPredictions(corpora_of(clips), y_true, distances, logits, *enrolled).select(kept))
    return UnseenPredictions.concatenate(parts)


def report(found: dict[str, Predicted], known: UnseenPredictions) -> dict[str, dict]:
    """Scores of each corpus, with the calibration from the others."""
    reports = {}
    for corpus, (model, clips, embeddings) in found.items():
        others = outputs([part for name, part in found.items() if name != corpus])
        model.calibration = fit_cross_corpus_calibration(others, known.select(known.corpora != corpus))
        reports[corpus] = corpus_report(model, embeddings, clips)
        first, width = model.members[0], model.sizes[0]
        reports[corpus][f"{FIRST}_alone"] = corpus_report(first, embeddings[:, :width], clips)
    return reports


def fold_fusion(fold: str) -> Fusion:
    """The fusion of the models of a fold."""
    return load_fusion(members_of(fold), FACTORS)


def members_of(fold: str) -> tuple[str, str]:
    """Names of the two checkpoints of a fold."""
    return (FIRST, SECOND) if fold == FOLD else (f"folds/{FIRST}-{fold}", f"folds/{SECOND}-{fold}")


def calibrate_folds(found: dict[str, Predicted], unseen: dict[str, Predicted]) -> None:
    """Calibrates the fusion of each fold; none of its test speakers is in the calibration."""
    for fold, (model, clips, _) in unseen.items():
        known = outputs(part for other, part in unseen.items() if other != fold)
        left_out = outputs(found.values(), but={(clip.corpus, clip.speaker) for clip in clips})
        model.calibration = fit_cross_corpus_calibration(left_out, known)


def save_folds(unseen: dict[str, Predicted]) -> None:
    """Writes the fusion of each fold."""
    for fold, (model, _, _) in unseen.items():
        folder = paths.CHECKPOINTS / NAME if fold == FOLD else paths.CHECKPOINTS / "folds" / f"{NAME}-{fold}"
        members = [name.removeprefix("folds/") for name in members_of(fold)]
        history = start_history(*map(checkpoint_folder, members_of(fold)))
        training = {"protocol": PROTOCOL, "fold": fold, "members": members, "members_trained_on": history}
        save_model(model, folder, "fusion", model.calibration, training)


def protocol_scores(protocol: str, folds: dict[str, dict], every: int) -> dict:
    """Content of the result file of a protocol, from the scores by fold and corpus; its table is printed."""
    corpora = mean_reports(folds)
    print(table(corpora))
    return {"model": NAME, "protocol": protocol, "every": every, "folds": folds, "corpora": corpora}


def fuse(every: int, scores_alone: bool) -> None:
    """Calibrates the fusion of every fold, and writes scores and checkpoints.

    Raises:
        CheckpointError, CorpusError, OSError, StoreError: a model, a recording or the disk cannot be used.
    """
    files = [paths.RESULTS / f"{protocol}-{NAME}.json" for protocol in (LEFT_OUT, PROTOCOL)]
    for path in files:
        check_writable(path)
    found, unseen = left_out_predictions(every), unseen_speakers(every)
    left_out = report(found, outputs(unseen.values()))
    calibrate_folds(found, unseen)
    folds = {fold: reports_by_corpus(model, rows, clips) for fold, (model, clips, rows) in unseen.items()}
    results = [
        protocol_scores(LEFT_OUT, {corpus: {corpus: scores} for corpus, scores in left_out.items()}, every),
        protocol_scores(PROTOCOL, folds, every),
    ]
    for path, scores in zip(files, results, strict=True):  # all are computed before one is written
        paths.write_json(path, scores)
    if not scores_alone:
        save_folds(unseen)


@explains(CheckpointError, CorpusError, StoreError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--every", type=positive, default=1, help="use one in n clips of each corpus, drawn at random")
    parser.add_argument("--scores", action="store_true", help="write the scores alone, no checkpoint")
    options = parser.parse_args(arguments)
    fuse(options.every, options.scores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
