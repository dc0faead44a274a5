"""Cached evaluation results, shared by all sessions; they hold nothing of a session."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from ser_core import paths
from ser_core.data import (
    LEAVE_ONE_CORPUS_OUT,
    SPEAKER_INDEPENDENT,
    CorpusError,
    ProtocolError,
    Utterance,
    corpora_root,
    protocol_folds,
    protocol_of_split,
    read_corpora,
    split_name,
    unseen_speaker_fold,
)
from ser_core.evaluation import (
    Comparison,
    CrossValidationResult,
    PredictionTable,
    ResultError,
    Verdict,
    compare_results,
    concatenate_predictions,
    left_out_uars,
    list_results,
    load_cross_validation,
    load_result,
    pooled_predictions,
    published_table,
    ranking_key,
    read_verdict as evaluation_verdict,
)
from ser_core.metrics import Curve, Reliability, reliability, risk_coverage
from ser_core.models import DEFAULT_MODEL, METRICS_FILE, CheckpointError, read_metrics

BENCHMARK = paths.RESULTS / "benchmark.json"


@dataclass(frozen=True, eq=False)
class EvaluationResults:
    """All models on one test part."""

    comparison: Comparison
    predictions: dict[str, PredictionTable]  # by model, of the pooled corpora, the best model first

    def reliabilities(self, model: str) -> dict[str, Reliability]:
        """Before and after temperature."""
        predictions = self.predictions[model]
        return {
            "before temperature": reliability(predictions.uncalibrated, predictions.y_true),
            "after temperature": reliability(predictions.probabilities, predictions.y_true),
        }

    def risk_curves(self) -> dict[str, Curve]:
        return {model: risk_coverage(a.probabilities, a.y_true) for model, a in self.predictions.items()}

    def clips(self, model: str, corpus: str | None, true: str | None, predicted: str | None) -> list[dict]:
        """One row for each clip in a cell of the confusion matrix, the most confident first; None: all of them."""
        predictions = self.predictions[model]
        labels, rows = predictions.labels, []
        for u, probabilities, abstained in zip(
            predictions.utterances, predictions.probabilities, predictions.abstained, strict=True
        ):
            label = labels[int(probabilities.argmax())]
            if corpus in (None, u.corpus) and true in (None, u.emotion) and predicted in (None, label):
                rows.append(
                    {
                        "clip": u.id,
                        "speaker": u.speaker.split("-")[1],
                        "sex": u.sex,
                        "label": u.emotion,
                        "predicted": label,
                        "confidence": float(probabilities.max()),
                        "probability of the label": float(probabilities[labels.index(u.emotion)]),
                        "not sure": bool(abstained),
                    }
                )
        return sorted(rows, key=lambda row: -row["confidence"])

    def confusion(self, model: str, corpus: str | None) -> np.ndarray:
        """Counts, shape = (n_classes, n_classes); None: pooled."""
        return self.predictions[model].select(lambda u: corpus in (None, u.corpus)).confusion()


def splits() -> list[str]:
    """Test parts with a result of at least one model: those of the default model, then unseen speakers."""
    files = list_results()
    own = {path.parent.name for path in files if path.stem == DEFAULT_MODEL}
    found = {path.parent.name for path in files}
    return sorted(found, key=lambda name: (name not in own, not name.startswith(SPEAKER_INDEPENDENT), name))


def load_results(split: str) -> EvaluationResults:
    """All models on one test part; read again when a file has changed.

    Raises:
        ResultError, ComparisonError: a result file that is damaged, out of date or does not fit the others.
    """
    return _load_results(split, _times(list_results(split)), _left_out_times())


def _times(files: Iterable[Path]) -> tuple[tuple[Path, int], ...]:
    """Each file with the time of its last change, a key of the caches."""
    return tuple((path, path.stat().st_mtime_ns) for path in files)


def evaluated_at(model: str) -> tuple[tuple[Path, int], ...]:
    """The results and the metrics of a model with the time of their last change: a key for what follows from them."""
    metrics = paths.CHECKPOINTS / model / METRICS_FILE
    own = [path for path in list_results() if path.stem == model]
    return _times([*own, metrics] if metrics.is_file() else own)


def _left_out_times() -> tuple[tuple[Path, int], ...]:
    """Those of the results on left-out corpora, which decide the order of the models on every test part."""
    folds = protocol_folds(LEAVE_ONE_CORPUS_OUT)
    return _times(path for fold in folds for path in list_results(split_name(LEAVE_ONE_CORPUS_OUT, fold)))


@st.cache_resource(max_entries=8, show_spinner="Reading the results")
def _load_results(split: str, files: tuple[tuple[Path, int], ...], left_out_files: tuple) -> EvaluationResults:
    found = {result.model: result for result in (load_result(path) for path, _ in files)}
    comparison = compare_results(list(found.values()), published_table(split), left_out_uars())
    return EvaluationResults(comparison, {s.model: pooled_predictions(found[s.model]) for s in comparison.ranking})


def unseen_clips(model: str) -> PredictionTable | None:
    """Predictions of a model for the test clips of speakers it does not know; None where it was not evaluated so."""
    try:
        part = split_name(*unseen_speaker_fold(model, read_metrics(model)))
        return pooled_predictions(load_result(paths.RESULTS / part / f"{model}.json"))
    except (CheckpointError, ProtocolError, ResultError):
        return None


def all_folds(split: str) -> dict[str, CrossValidationResult]:
    """Cross-validation results under the protocol of a test part, the best model first.

    Raises:
        ResultError: as measured.
    """
    protocol = protocol_of_split(split)
    if protocol is None or not protocol_folds(protocol):
        return {}
    paths = [path for fold in protocol_folds(protocol) for path in list_results(split_name(protocol, fold))]
    return _all_folds(protocol, _times(paths), _left_out_times())


@st.cache_resource(max_entries=4, show_spinner="Reading the results of all folds")
def _all_folds(
    protocol: str, files: tuple[tuple[Path, int], ...], left_out_files: tuple
) -> dict[str, CrossValidationResult]:
    found = load_cross_validation(protocol)
    left_out = left_out_uars()
    return dict(sorted(found.items(), key=lambda item: ranking_key(left_out.get(item[0]), item[1].mean_uar, item[0])))


def unseen_predictions(split: str, model: str) -> PredictionTable:
    """Predictions of a model on a test part; on those of all folds together, where every fold was evaluated.

    Errors as load_result.
    """
    protocol = protocol_of_split(split)
    folds = [list_results(split_name(protocol, fold)) for fold in protocol_folds(protocol)] if protocol else []
    files = [path for paths_of_fold in folds for path in paths_of_fold if path.stem == model]
    if len(files) < max(len(folds), 2):
        return load_results(split).predictions[model]
    return _all_predictions(_times(files))


@st.cache_resource(max_entries=4, show_spinner="Reading the results of all folds")
def _all_predictions(files: tuple[tuple[Path, int], ...]) -> PredictionTable:
    return concatenate_predictions([pooled_predictions(load_result(path)) for path, _ in files])


def read_verdict(model: str) -> Verdict:
    """UAR of a model on unseen speakers and left-out corpora, beside people and chance.

    Raises:
        ResultError: a result file that is damaged or out of date.
    """
    return read_verdicts((model,))[model]


def read_verdicts(models: Iterable[str]) -> dict[str, Verdict]:
    """Those of several models; errors as of one."""
    files = (*list_results(), *sorted(paths.RESULTS.glob("*.json")))
    state = "\n".join(f"{path} {path.stat().st_mtime_ns}" for path in files)  # one text is hashed fast, paths are not
    return {model: _read_verdict(model, str(paths.CHECKPOINTS), state) for model in models}


@st.cache_resource(max_entries=64, show_spinner="Reading the results")
def _read_verdict(model: str, folder: str, files: str) -> Verdict:
    return evaluation_verdict(model)


def read_json(path: Path) -> dict:
    """Content of a JSON file of a script; empty where it is missing or incomplete."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def model_costs(comparison: Comparison) -> dict[str, tuple[float, float, float]]:
    """Latency in ms, UAR and size in 1e6 bytes of the models of one benchmark run."""
    models = read_json(BENCHMARK).get("models", {})
    return {
        s.model: (models[s.model]["latency_ms"], s.means["uar"], models[s.model]["size_mb"])
        for s in comparison.ranking
        if s.model in models and models[s.model]["size_mb"]
    }


@st.cache_resource(show_spinner="Looking for the corpora")
def utterances() -> tuple[Utterance, ...]:
    """All recordings in the corpora folder; none without one."""
    try:
        return read_corpora(corpora_root()).utterances
    except CorpusError:
        return ()


def recordings() -> dict[str, Path]:
    """Utterance id -> file; none without corpora."""
    return {u.id: u.path for u in utterances()}


def statistics() -> dict:
    """What scripts.corpus_statistics found; empty when it has not run."""
    return read_json(paths.RESULTS / "corpora.json")
