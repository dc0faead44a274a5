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

from ser_core import paths
from ser_core.data import (
    AudioStore,
    ProtocolError,
    ProtocolSplit,
    audio_cache_folder,
    protocol_split,
    read_protocol,
    unseen_speaker_fold,
)
from ser_core.inference import calibrated_probabilities, clip_windows, mean_over_windows, run_windows
from ser_core.interpret import (
    ATLAS_PARTS,
    DEVELOPMENT_PART,
    NO_PREDICTION,
    RAW_FEATURES,
    TRAINING_PART,
    UNSEEN_PART,
    Atlas,
    Projection,
    ProjectionConfig,
    raw_features,
    training_distances,
)
from ser_core.models import CONFIG_FILE, CheckpointError, SERModel, checkpoint_folder, load_model

ALL_CLIPS = "speaker-independent"  # the protocol that tests every clip once
CHUNK = 1000  # clips; an interruption costs at most these
MAPS = tuple(ProjectionConfig(kind, n_dims) for kind in ("umap", "tsne", "pca") for n_dims in (2, 3))

Embedded = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Embeddings of the windows of clips, how many windows each clip has, and the probabilities of each clip; the last has
no columns where there is no answer."""

Embed = Callable[[Sequence[np.ndarray]], Embedded]
"""From trimmed clips."""


def of_model(model: SERModel) -> Embed:
    """What a model makes of clips."""

    def embed(clips: Sequence[np.ndarray]) -> Embedded:
        cut = [clip_windows(model, clip) for clip in clips]
        n_windows = np.array([len(windows) for windows in cut])
        outputs = run_windows(model, [window for windows in cut for window in windows])
        logits = outputs.average_by_clip(n_windows).logits
        return outputs.embeddings, n_windows, calibrated_probabilities(model, logits)

    return embed


def of_sound(clips: Sequence[np.ndarray]) -> Embedded:
    """The features before any learning, of each clip as a whole."""
    return raw_features(clips), np.ones(len(clips), int), np.zeros((len(clips), 0))


def embedded(name: str, embed: Embed, ids: Sequence[str], store: AudioStore) -> Embedded:
    """Of all clips; what an interrupted run has done is taken from the cache."""
    path = audio_cache_folder() / f"windows-{name}.npz"
    parts, n_before = _kept(path, ids)
    started = time.perf_counter()
    with tqdm(desc=name, total=len(ids), initial=n_before, unit="clip") as bar:
        for first in range(n_before, len(ids), CHUNK):
            chunk = ids[first : first + CHUNK]
            parts.append(embed([store.trimmed(i) for i in chunk]))
            _keep(path, ids, *_joined(parts))
            bar.update(len(chunk))
    if n_new := len(ids) - n_before:
        print(f"{name}: {1000 * (time.perf_counter() - started) / n_new:.1f} s per 1,000 clips")
    return _joined(parts)


def _keep(path: Path, ids: Sequence[str], windows, n_windows, probabilities) -> None:
    with paths.atomic_path(path) as file:
        np.savez(file, ids=ids[: len(n_windows)], windows=windows, n_windows=n_windows, probabilities=probabilities)


def _joined(parts: Sequence[Embedded]) -> Embedded:
    windows, n_windows, probabilities = zip(*parts, strict=True)
    return np.concatenate(windows), np.concatenate(n_windows), np.concatenate(probabilities)


def _kept(path: Path, ids: Sequence[str]) -> tuple[list[Embedded], int]:
    """What is there of the same clips, and of how many."""
    if not path.is_file():
        return [], 0
    with np.load(path) as file:
        known = file["ids"].tolist()
        if known != list(ids[: len(known)]):
            return [], 0
        return [(file["windows"], file["n_windows"], file["probabilities"])], len(known)


def parts_of(ids: Sequence[str], parts: ProtocolSplit) -> np.ndarray:
    """What each clip was to a model, as an index into atlas.PARTS."""
    known = dict.fromkeys(parts.train, TRAINING_PART) | dict.fromkeys(parts.dev, DEVELOPMENT_PART)
    return np.array([ATLAS_PARTS.index(known.get(i, UNSEEN_PART)) for i in ids])


def space_name(name: str) -> str:
    """What the file is called: that of a checkpoint by its name; that of runs/a/epochs/8 is a-epoch-8."""
    path = Path(name)
    if path.parent.name == "epochs":
        return f"{path.parent.parent.name}-epoch-{path.name}"
    return path.parent.name if path.name == "checkpoint" else path.name


def tested_on(name: str, model: SERModel) -> ProtocolSplit:
    """Who was heard in training and who was not, by what was measured, or by how a run was trained.

    Raises:
        ProtocolError: it knows the speakers of its test part.
    """
    trained = json.loads((checkpoint_folder(name) / CONFIG_FILE).read_text())["training"]
    return protocol_split(*unseen_speaker_fold(model.name, model.metrics or trained))


def export(name: str, store: AudioStore) -> Atlas:
    """The embeddings of one model.

    Raises:
        CheckpointError: it cannot be loaded.
        ProtocolError: it knows the speakers of its test part.
    """
    ids = sorted(row["utterance"] for row in read_protocol(ALL_CLIPS) if row["utterance"] in store)
    if name == RAW_FEATURES:
        version, embed, parts = "", of_sound, ProtocolSplit((), (), ())
    else:
        model = load_model(name)
        version, embed = model.version, of_model(model)
        parts = tested_on(name, model)
    windows, n_windows, probabilities = embedded(f"{space_name(name)}-{version}", embed, ids, store)
    embeddings = mean_over_windows(windows, n_windows).astype(np.float16).astype(np.float32)  # as it will be read
    part, answers = parts_of(ids, parts), probabilities.shape[1] > 0
    return Atlas(
        model=space_name(name),
        version=version,
        ids=np.array(ids),
        embeddings=embeddings,
        distances=training_distances(embeddings[part == ATLAS_PARTS.index(TRAINING_PART)], windows, n_windows),
        predicted=probabilities.argmax(1) if answers else np.full(len(ids), NO_PREDICTION),
        certainty=probabilities.max(1) if answers else np.full(len(ids), np.nan),
        part=part,
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
    parser.add_argument("names", nargs="+", help=f"of checkpoints, their folders, or {RAW_FEATURES}")
    parser.add_argument("--no-maps", action="store_true", help="the embeddings only")
    options = parser.parse_args(arguments)
    try:
        for name in options.names:
            found = export(name, AudioStore())
            path = paths.EMBEDDINGS / f"{found.model}.npz"
            (found if options.no_maps else with_maps(found)).save(path)
            print(f"{path.parent.name}/{path.name}: {len(found.ids)} clips, {path.stat().st_size / 1e6:.1f} MB")
    except (CheckpointError, FileNotFoundError, ProtocolError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
