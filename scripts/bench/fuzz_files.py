"""Damaged checkpoints, adapters, references and embedding files: each is loaded or refused with a reason.

python -m scripts.bench.fuzz_files [--files 1000] [--seed 18]

Bytes of a file are damaged, or one value of its JSON is replaced by a hostile one. A model that loads has to predict.
Exit code 1 if anything but the error of its kind was raised, or a file took more than 10 s.
"""

import copy
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.bench.fuzz import DAMAGES
from scripts.common.bars import tqdm
from scripts.common.flags import command_parser
from ser_core import paths
from ser_core.inference import Reference, SpeakerReferenceError, predict
from ser_core.interpret import AtlasError, load_atlas
from ser_core.models import Adapter, AdapterError, CheckpointError, load_model

LONGEST_S = 10.0  # of processor time: what else runs on the machine does not count
CHECKPOINTS = ("simple-cnn", "decision-tree", "resonet", "whisper")  # a family each
ATLAS = "resonet"
HOSTILE_VALUES = (None, True, -1, 0, 10**9, 10**30, -1e308, float("nan"), "", "../../etc", "x" * 10_000, [], [[]], {})
NOISE = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)


@dataclass(frozen=True)
class Target:
    """A kind of file, how it is loaded, and the error that may refuse it."""

    name: str
    folder: Path  # of the intact files
    file: str  # that is damaged
    load: Callable[[Path], object]  # from a folder
    error: type[Exception]


def load_and_predict(folder: Path) -> None:
    """Loads a checkpoint; what loads has to predict finite probabilities."""
    probabilities = predict(load_model(folder, "cpu"), NOISE).probabilities
    if not np.isfinite(list(probabilities.values())).all():
        raise ArithmeticError("probabilities that are not finite")


def targets(work: Path) -> list[Target]:
    """Every file of every kind, intact."""
    (work / "own").mkdir()
    weight, bias = np.zeros((8, 16), np.float32), np.zeros(8, np.float32)
    adapter = Adapter("small", "01234567", weight, bias, 8, 0.5, 0.5)
    (work / "own/adapter.safetensors").write_bytes(adapter.to_bytes())
    reference = Reference("small", "01234567", np.ones(16, np.float32), 3, 9.0, 0.5, "clips")
    (work / "own/reference.json").write_text(json.dumps(reference.to_dict()))
    shutil.copy(paths.EMBEDDINGS / f"{ATLAS}.npz", work / "own")
    found = [
        Target("adapter", work / "own", "adapter.safetensors", _load_adapter, AdapterError),
        Target("reference", work / "own", "reference.json", _load_reference, SpeakerReferenceError),
        Target("embeddings", work / "own", f"{ATLAS}.npz", lambda f: load_atlas(ATLAS, folder=f), AtlasError),
    ]
    for name in CHECKPOINTS:
        files = sorted(path.name for path in (paths.CHECKPOINTS / name).iterdir() if path.suffix != ".md")
        found += [Target(name, paths.CHECKPOINTS / name, file, load_and_predict, CheckpointError) for file in files]
    return found


def _load_adapter(folder: Path) -> Adapter:
    return Adapter.from_bytes((folder / "adapter.safetensors").read_bytes())


def _load_reference(folder: Path) -> Reference:
    return Reference.from_json((folder / "reference.json").read_bytes())


def damaged(content: bytes, is_json: bool, rng: np.random.Generator) -> bytes:
    """The content with damaged bytes, or with one value of its JSON replaced."""
    if is_json and rng.random() < 0.8:
        return json.dumps(with_hostile_value(json.loads(content), rng)).encode()
    return [*DAMAGES.values()][rng.integers(len(DAMAGES))](content, rng)


def with_hostile_value(values: dict, rng: np.random.Generator) -> dict:
    """A copy in which one value at any depth is a hostile one, or is missing."""
    found = copy.deepcopy(values)
    places = [(parent, key) for parent in _containers(found) for key in _keys(parent)]
    parent, key = places[rng.integers(len(places))]
    if rng.random() < 0.1:
        del parent[key]
    else:
        parent[key] = HOSTILE_VALUES[rng.integers(len(HOSTILE_VALUES))]
    return found


def _containers(value: object) -> list:
    if not isinstance(value, dict | list) or not value:
        return []
    children = value.values() if isinstance(value, dict) else value
    return [value, *(inner for child in children for inner in _containers(child))]


def _keys(container: dict | list) -> list:
    return list(container) if isinstance(container, dict) else [*range(len(container))]


def outcome(target: Target, folder: Path) -> str:
    """Loaded, refused, or the name of an error that must not happen."""
    try:
        target.load(folder)
    except target.error:
        return "refused"
    except Exception as error:  # it is counted, and the run continues
        return f"{target.name}/{target.file}: {type(error).__name__} {error!s:.100}"
    return "loaded"


def run(n_files: int, seed: int) -> tuple[dict, bool]:
    """The figures, and whether all is well."""
    rng, outcomes, longest_s = np.random.default_rng(seed), Counter(), 0.0
    with tempfile.TemporaryDirectory() as name:
        kinds = targets(Path(name))
        for i in tqdm(range(n_files), unit="file"):
            target, folder = kinds[i % len(kinds)], Path(name) / "damaged"
            shutil.copytree(target.folder, folder)
            content = (folder / target.file).read_bytes()
            (folder / target.file).write_bytes(damaged(content, target.file.endswith(".json"), rng))
            started = time.process_time()
            outcomes[outcome(target, folder)] += 1
            longest_s = max(longest_s, time.process_time() - started)
            shutil.rmtree(folder)
    figures = {"files": n_files, "kinds": len(kinds), "longest_s": round(longest_s, 2), **outcomes}
    return figures, set(outcomes) <= {"loaded", "refused"} and longest_s < LONGEST_S


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=18)
    options = parser.parse_args(arguments)
    figures, is_well = run(options.files, options.seed)
    print(json.dumps(figures, indent=1))
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
