"""Result files: the predictions of one model on one test part, and the metrics computed from them.

One JSON for each test part and model, `<folder>/<split>/<model>.json`. It contains the predictions, so that figures,
tests and tables need no recordings.
"""

import json
import shlex
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ser_core import paths
from ser_core.data import Utterance, parse_utterance_id, read_protocol, split_name
from ser_core.evaluation.scoring.predictions import PredictionTable


class ResultError(ValueError):
    """A result file that does not exist, is damaged or out of date; the message names the cause and the cure."""


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """Result of one model on the test part of one protocol and fold."""

    model: str
    family: str
    protocol: str
    fold: str | None
    trained_on: dict  # {"protocol", "fold"}
    leak: bool  # test clips were in the training part: not ranked
    provenance: dict  # command, training_seed, bootstrap_seed, protocol_sha256, weights_sha256, code_version
    metrics: dict  # evaluation.Metrics.to_dict()
    cost: dict  # n_parameters, macs_per_3_s_clip, size_mb, latency_ms
    predictions: PredictionTable  # probabilities to 5 decimals; the metrics are computed from them

    @property
    def split(self) -> str:
        return split_name(self.protocol, self.fold)


def protocol_sha256(protocol: str) -> str:
    """Hash of a protocol file, which identifies the recordings of a result.

    Raises:
        ProtocolError: unknown name.
    """
    read_protocol(protocol)
    return paths.file_sha256(paths.PROTOCOLS / f"{protocol}.csv")


def is_shipped(result: EvaluationResult) -> bool:
    """Whether the weights that made the predictions are below checkpoints/, so that anybody can repeat the result."""
    files = sorted(path for path in paths.CHECKPOINTS.rglob("model.*") if path.is_file())
    hashes = (_file_sha256(path, path.stat().st_mtime_ns) for path in files)
    return result.provenance.get("weights_sha256", "") in hashes


@lru_cache(maxsize=256)
def _file_sha256(path: Path, modified_ns: int) -> str:
    return paths.file_sha256(path)


def result_path(split: str, model: str, folder: Path | None = None) -> Path:
    return (folder or paths.RESULTS) / split / f"{model}.json"


def list_results(split: str | None = None, folder: Path | None = None) -> tuple[Path, ...]:
    """The result files of one test part or of all, sorted by test part and model."""
    return tuple(sorted((folder or paths.RESULTS).glob(f"{split or '*'}/*.json")))


def save_result(result: EvaluationResult, folder: Path | None = None) -> Path:
    """Writes a result file atomically.

    Raises:
        ResultError: the disk is full or not writable.
    """
    path, text = result_path(result.split, result.model, folder), _to_json(result)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        paths.write_text(path, text)
    except OSError as error:
        raise ResultError(
            f"{_short_path(path)} cannot be written: {error}. The file before it is untouched."
        ) from error
    return path


def load_result(path: Path) -> EvaluationResult:
    """Reads what save_result wrote.

    Raises:
        ResultError: a missing file (the message lists the existing ones), an unreadable or damaged one, or a changed
            protocol.
    """
    content = _read_result_json(path)
    try:
        predictions = _parse_predictions(content)
        result = EvaluationResult(
            **{k: v for k, v in content.items() if k not in ("labels", "answers")}, predictions=predictions
        )
        hashed = result.provenance["protocol_sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise ResultError(
            f"{_short_path(path)} is not a result of this program ({error!s:.80}). {_remedy(path)}"
        ) from None
    if hashed != protocol_sha256(result.protocol):
        raise ResultError(f"{_short_path(path)} was evaluated on another {result.protocol}.csv. {_remedy(path)}")
    return result


def _read_result_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        there = ", ".join(p.stem for p in list_results(path.parent.name, path.parent.parent)) or "none"
        raise ResultError(
            f"There is no result {_short_path(path)}. In {path.parent.name} there are: {there}."
        ) from None
    except OSError as error:
        raise ResultError(f"{_short_path(path)} cannot be read: {error.strerror}. Check its permissions.") from None
    except ValueError:
        raise ResultError(f"{_short_path(path)} is damaged. {_remedy(path)}") from None


def _short_path(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _remedy(path: Path) -> str:
    return f"Evaluate again: python -m scripts.evaluate {shlex.quote(path.stem)} --write"


def _parse_predictions(content: dict) -> PredictionTable:
    """Predictions; emotion and speaker of a clip are parsed from its id, the name of the recording."""
    stored = content["answers"]
    parsed = (parse_utterance_id(i) for i in stored["utterances"])
    utterances = tuple(utterance for utterance in parsed if isinstance(utterance, Utterance))
    abstained = np.array(stored["abstained"], bool)
    if [u.id for u in utterances] != stored["utterances"] or len(abstained) != len(utterances):
        raise ValueError("predictions and utterances do not match")
    probabilities = np.array(stored["probabilities"], float).reshape(len(utterances), len(content["labels"]))
    return PredictionTable(
        tuple(content["labels"]), utterances, probabilities, abstained, content["metrics"]["calibration"]["temperature"]
    )


def _to_json(result: EvaluationResult) -> str:
    """Indented JSON, with the predictions on one line."""
    predictions = result.predictions.rounded()
    head = {k: v for k, v in vars(result).items() if k not in ("provenance", "metrics", "cost", "predictions")}
    head |= {
        "labels": predictions.labels,
        "provenance": result.provenance,
        "metrics": result.metrics,
        "cost": result.cost,
    }
    stored = {
        "utterances": [u.id for u in predictions.utterances],
        "probabilities": predictions.probabilities.tolist(),
        "abstained": predictions.abstained.tolist(),
    }
    return f'{json.dumps(head, indent=1)[:-2]},\n "answers": {json.dumps(stored, separators=(",", ":"))}\n}}\n'
