"""Writes what models made of all recordings, and maps of it, to assets/embeddings: all that the embedding map needs.

python -m scripts.export_embeddings prosonet resonet raw-features     after scripts.prepare_corpora
python -m scripts.export_embeddings prosonet --no-maps                embeddings only; the page makes maps on demand
python -m scripts.export_embeddings runs/a/epochs/1 runs/a/epochs/8   of a run with --keep-epochs: before and after

`raw-features` is the space before any learning: mean and standard deviation of each log-mel band. An interrupted export
goes on where it was.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ser_core import atlas
from ser_core.atlas import DEVELOPED, PARTS, TRAINED, UNKNOWN, UNSEEN, Atlas
from ser_core.checkpoint import CONFIG, CheckpointError, checkpoint_folder, load_model
from ser_core.embeddings import RAW, embed_utterances, raw_features
from ser_core.inference import calibrated
from ser_core.models import SERModel
from ser_core.projection import Projection, ProjectionConfig
from ser_core.protocols import ProtocolError, Split, read_protocol, split, unseen_part
from ser_core.store import AudioStore, cache_folder

ALL_CLIPS = "speaker-independent"  # the protocol that tests every clip once
CHUNK = 1000  # clips; an interruption costs at most these
MAPS = tuple(ProjectionConfig(kind, n_dims) for kind in ("umap", "tsne", "pca") for n_dims in (2, 3))

Embed = Callable[[Sequence[np.ndarray]], tuple[np.ndarray, np.ndarray]]
"""From trimmed clips to (embeddings, probabilities); the second has no columns where there is no answer."""


def of_model(model: SERModel) -> Embed:
    """What a model makes of clips."""

    def embed(clips: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        embeddings, logits = embed_utterances(model, clips)
        return embeddings, calibrated(model, logits)

    return embed


def of_sound(clips: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The features before any learning."""
    return raw_features(clips), np.zeros((len(clips), 0))


def embedded(name: str, embed: Embed, ids: Sequence[str], store: AudioStore) -> tuple[np.ndarray, np.ndarray]:
    """Of all clips; what an interrupted run has done is taken from the cache."""
    path = cache_folder() / f"embeddings-{name}.npz"
    parts, n_before = _kept(path, ids)
    started = time.perf_counter()
    with tqdm(desc=name, total=len(ids), initial=n_before, unit="clip") as bar:
        for first in range(n_before, len(ids), CHUNK):
            found = embed([store.trimmed(i) for i in ids[first : first + CHUNK]])
            parts.append(found)
            n_done = first + len(found[0])
            np.savez(path, ids=ids[:n_done], embeddings=_joined(parts, 0), probabilities=_joined(parts, 1))
            bar.update(len(found[0]))
    if n_new := len(ids) - n_before:
        print(f"{name}: {1000 * (time.perf_counter() - started) / n_new:.1f} s per 1,000 clips")
    return _joined(parts, 0), _joined(parts, 1)


def _joined(parts: Sequence[tuple[np.ndarray, np.ndarray]], which: int) -> np.ndarray:
    return np.concatenate([part[which] for part in parts])


def _kept(path: Path, ids: Sequence[str]) -> tuple[list[tuple[np.ndarray, np.ndarray]], int]:
    """What is there of the same clips, and of how many."""
    if not path.is_file():
        return [], 0
    with np.load(path) as file:
        known = file["ids"].tolist()
        if known != list(ids[: len(known)]):
            return [], 0
        return [(file["embeddings"], file["probabilities"])], len(known)


def parts_of(ids: Sequence[str], parts: Split) -> np.ndarray:
    """What each clip was to a model, as an index into atlas.PARTS."""
    known = dict.fromkeys(parts.train, TRAINED) | dict.fromkeys(parts.dev, DEVELOPED)
    return np.array([PARTS.index(known.get(i, UNSEEN)) for i in ids])


def space_name(name: str) -> str:
    """What the file is called: that of a checkpoint by its name; that of runs/a/epochs/8 is a-epoch-8."""
    path = Path(name)
    if path.parent.name == "epochs":
        return f"{path.parent.parent.name}-epoch-{path.name}"
    return path.parent.name if path.name == "checkpoint" else path.name


def tested_on(name: str, model: SERModel) -> Split:
    """Who was heard in training and who was not, by what was measured, or by how a run was trained.

    Raises:
        ProtocolError: it knows the speakers of its test part.
    """
    trained = json.loads((checkpoint_folder(name) / CONFIG).read_text())["training"]
    return split(*unseen_part(model.name, model.metrics or trained))


def export(name: str, store: AudioStore) -> Atlas:
    """The embeddings of one model.

    Raises:
        CheckpointError: it cannot be loaded.
        ProtocolError: it knows the speakers of its test part.
    """
    ids = sorted(row["utterance"] for row in read_protocol(ALL_CLIPS) if row["utterance"] in store)
    if name == RAW:
        version, embed, parts = "", of_sound, Split((), (), ())
    else:
        model = load_model(name)
        version, embed = model.version, of_model(model)
        parts = tested_on(name, model)
    embeddings, probabilities = embedded(f"{space_name(name)}-{version}", embed, ids, store)
    answers = probabilities.shape[1] > 0
    return Atlas(
        model=space_name(name),
        version=version,
        ids=np.array(ids),
        embeddings=embeddings.astype(np.float16).astype(np.float32),  # as it will be read: maps are made of that
        answered=probabilities.argmax(1) if answers else np.full(len(ids), UNKNOWN),
        certainty=probabilities.max(1) if answers else np.full(len(ids), np.nan),
        part=parts_of(ids, parts),
    )


def with_maps(found: Atlas) -> Atlas:
    """And the maps that ship."""
    for config in MAPS:
        with tqdm(desc=f"{config.kind} {config.n_dims}-D", total=1.0, bar_format="{l_bar}{bar}| {elapsed}") as bar:
            made = Projection.fit(config, found.embeddings, lambda share, bar=bar: bar.update(share - bar.n))
        found = found.with_map(config, made.coordinates)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", help=f"of checkpoints, their folders, or {RAW}")
    parser.add_argument("--no-maps", action="store_true", help="the embeddings only")
    options = parser.parse_args(arguments)
    try:
        for name in options.names:
            found = export(name, AudioStore())
            path = atlas.FOLDER / f"{found.model}.npz"
            (found if options.no_maps else with_maps(found)).save(path)
            print(f"{path.parent.name}/{path.name}: {len(found.ids)} clips, {path.stat().st_size / 1e6:.1f} MB")
    except (CheckpointError, FileNotFoundError, ProtocolError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
