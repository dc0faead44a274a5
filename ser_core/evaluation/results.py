"""Result files: what one model answered to one test part, with every figure that follows from it.

One JSON for each test part and model, `<folder>/<split>/<model>.json`. The answers are in it, so that figures, tests
and tables are made from the file alone, without recordings.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core import paths
from ser_core.data import Utterance, parse_filename, read_protocol, split_name
from ser_core.evaluation.evaluator import PredictionTable


class ResultError(ValueError):
    """A result file that does not exist, is damaged or out of date; the message names the cause and the cure."""


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """One model on the test part of one protocol and fold."""

    model: str
    family: str
    protocol: str
    fold: str | None
    trained_on: dict  # {"protocol", "fold"}
    leak: bool  # the test part was partly trained on: never in a ranking
    provenance: dict  # command, training_seed, bootstrap_seed, protocol_sha256, weights_sha256, code_version
    metrics: dict  # evaluation.Metrics.to_dict()
    cost: dict  # n_parameters, macs_per_3_s_clip, size_mb, latency_ms
    answers: PredictionTable  # probabilities to 5 decimals; the metrics are computed from them

    @property
    def split(self) -> str:
        return split_name(self.protocol, self.fold)


def protocol_sha256(protocol: str) -> str:
    """Of the committed protocol file: the recordings that a result speaks of.

    Raises:
        ProtocolError: unknown name.
    """
    read_protocol(protocol)
    return hashlib.sha256((paths.PROTOCOLS / f"{protocol}.csv").read_bytes()).hexdigest()


def result_path(split: str, model: str, folder: Path | None = None) -> Path:
    return (folder or paths.RESULTS) / split / f"{model}.json"


def list_results(split: str | None = None, folder: Path | None = None) -> tuple[Path, ...]:
    """The result files of one test part or of all, sorted by test part and model."""
    return tuple(sorted((folder or paths.RESULTS).glob(f"{split or '*'}/*.json")))


def save_result(result: EvaluationResult, folder: Path | None = None) -> Path:
    """Writes a result; one that is there already stays whole until all of it is written.

    Raises:
        ResultError: no room to store it.
    """
    path, text = result_path(result.split, result.model, folder), _to_json(result)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with paths.atomic_path(path) as temporary:
            temporary.write_text(text)
    except OSError as error:
        raise ResultError(
            f"{_short_path(path)} cannot be written: {error}. What was there before is untouched."
        ) from error
    return path


def load_result(path: Path) -> EvaluationResult:
    """Reads what save_result wrote.

    Raises:
        ResultError: no such file (the message lists what exists), a damaged one, or a protocol that has changed since.
    """
    content = _read_result_json(path)
    try:
        answers = _parse_predictions(content)
        result = EvaluationResult(
            **{k: v for k, v in content.items() if k not in ("labels", "answers")}, answers=answers
        )
        hashed = result.provenance["protocol_sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise ResultError(
            f"{_short_path(path)} is no result of this program ({error!s:.80}). {_remedy(path)}"
        ) from None
    if hashed != protocol_sha256(result.protocol):
        raise ResultError(f"{_short_path(path)} was measured on another {result.protocol}.csv. {_remedy(path)}")
    return result


def _read_result_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        there = ", ".join(p.stem for p in list_results(path.parent.name, path.parent.parent)) or "none"
        raise ResultError(
            f"There is no result {_short_path(path)}. In {path.parent.name} there are: {there}."
        ) from None
    except ValueError:
        raise ResultError(f"{_short_path(path)} is damaged. {_remedy(path)}") from None


def _short_path(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _remedy(path: Path) -> str:
    return f"Measure again: python -m scripts.evaluate {path.stem} --write"


def _parse_predictions(content: dict) -> PredictionTable:
    """What the answers are to is read from the ids, which hold the names of the recordings."""
    stored = content["answers"]
    parsed = (parse_filename(Path(i)) for i in stored["utterances"])
    utterances = tuple(utterance for utterance in parsed if isinstance(utterance, Utterance))
    abstained = np.array(stored["abstained"], bool)
    if [u.id for u in utterances] != stored["utterances"] or len(abstained) != len(utterances):
        raise ValueError("answers and utterances do not belong together")
    probabilities = np.array(stored["probabilities"], float).reshape(len(utterances), len(content["labels"]))
    return PredictionTable(
        tuple(content["labels"]), utterances, probabilities, abstained, content["metrics"]["calibration"]["temperature"]
    )


def _to_json(result: EvaluationResult) -> str:
    """Readable, but for the answers: they stand on one line."""
    answers = result.answers.rounded()
    head = {k: v for k, v in vars(result).items() if k not in ("provenance", "metrics", "cost", "answers")}
    head |= {"labels": answers.labels, "provenance": result.provenance, "metrics": result.metrics, "cost": result.cost}
    stored = {
        "utterances": [u.id for u in answers.utterances],
        "probabilities": answers.probabilities.tolist(),
        "abstained": answers.abstained.tolist(),
    }
    return f'{json.dumps(head, indent=1)[:-2]},\n "answers": {json.dumps(stored, separators=(",", ":"))}\n}}\n'
