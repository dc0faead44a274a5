"""The atlas of a model: embeddings, predictions and maps of all recordings in one file, without their audio.

`assets/embeddings/<model>.npz`, or in the folder SER_EMBEDDINGS; in half precision. Speaker and label are read from the
names of the recordings.
"""

import json
import zipfile
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ser_core import paths
from ser_core.data import Utterance, parse_utterance_id
from ser_core.interpret.projection import Projection, ProjectionConfig
from ser_core.labels import EMOTIONS
from ser_core.models import fit_distance_reference

EXPORT_HINT = "Make it: python -m scripts.export_embeddings"
TRAINING_PART, DEVELOPMENT_PART, UNSEEN_PART = "training", "development", "unseen"
ATLAS_PARTS = (TRAINING_PART, DEVELOPMENT_PART, UNSEEN_PART)
MAX_COMPRESSION_RATIO, MIN_BYTES = 20, 10_000_000  # of the file unpacked; embeddings compress to a half at best
NO_PREDICTION = -1  # for raw features, which come without predictions


class AtlasError(ValueError):
    """A missing or damaged file of embeddings, or one of another model; the message names the command for it."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """The embeddings of a model, one row per clip."""

    model: str
    version: str  # of the model; "" for raw features
    ids: np.ndarray  # utterance ids, (n,)
    embeddings: np.ndarray  # float32, (n, embedding_dim)
    predicted: np.ndarray  # predicted class, index into EMOTIONS, or NO_PREDICTION; (n,)
    confidence: np.ndarray  # calibrated confidence, NaN without a prediction; (n,)
    part: np.ndarray  # of the model's protocol, index into ATLAS_PARTS; (n,)
    distances: np.ndarray  # see training_distances; (n,)
    maps: dict[ProjectionConfig, np.ndarray] = field(default_factory=dict)  # config -> coordinates, (n, n_dims)

    @cached_property
    def utterances(self) -> tuple[Utterance, ...]:
        """Speaker, label and more, from the names of the recordings."""
        parsed = (parse_utterance_id(i) for i in self.ids.tolist())
        return tuple(utterance for utterance in parsed if isinstance(utterance, Utterance))

    def column(self, name: str) -> np.ndarray:
        """One value per clip, as text: an attribute of Utterance, "predicted", "right" or "part"; shape = (n,)."""
        if name not in self._columns:
            self._columns[name] = self._make_column(name)
            self._columns[name].setflags(write=False)
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        return {}

    def _make_column(self, name: str) -> np.ndarray:
        if name == "predicted":
            return np.array(["" if k == NO_PREDICTION else EMOTIONS[k] for k in self.predicted])
        if name == "right":
            label = self.column("emotion")
            return np.where(
                self.predicted == NO_PREDICTION, "", np.where(self.column("predicted") == label, "right", "wrong")
            )
        if name == "part":
            return np.array(ATLAS_PARTS)[self.part]
        return np.array([str(getattr(u, name) or "unknown") for u in self.utterances])

    def projection(self, config: ProjectionConfig) -> Projection:
        """A stored map.

        Raises:
            KeyError: the atlas has none with this config.
        """
        return Projection(config, self.embeddings, self.maps[config])

    def with_map(self, config: ProjectionConfig, coordinates: np.ndarray) -> "Atlas":
        return replace(self, maps=self.maps | {config: coordinates})

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        maps: dict[str, Any] = {f"map_{i}": xy.astype(np.float32) for i, xy in enumerate(self.maps.values())}
        with paths.atomic_file(path, "wb") as file:
            np.savez_compressed(
                file,
                about=json.dumps(
                    {"model": self.model, "version": self.version, "maps": [asdict(c) for c in self.maps]}
                ),
                ids=self.ids,
                embeddings=self.embeddings.astype(np.float16),
                answered=self.predicted.astype(np.int8),
                certainty=self.confidence.astype(np.float16),
                part=self.part.astype(np.int8),
                distances=self.distances.astype(np.float32),
                **maps,
            )


def training_distances(training_embeddings: np.ndarray, windows: np.ndarray, n_windows: np.ndarray) -> np.ndarray:
    """Distance of each clip from the training clips: the mean over its windows, as for a recording.

    Args:
        training_embeddings: of the training clips, shape = (n_training, embedding_dim).
        windows: embeddings of the windows of all clips, shape = (n_all_windows, embedding_dim).
        n_windows: of each clip, shape = (n,).

    Returns:
        shape = (n,); NaN without training clips.
    """
    if not len(training_embeddings):
        return np.full(len(n_windows), np.nan)
    first = np.cumsum(n_windows) - n_windows
    return np.add.reduceat(fit_distance_reference(training_embeddings).distance(windows), first) / n_windows


def available_atlases() -> tuple[str, ...]:
    """Names of the models with an atlas."""
    return tuple(sorted(path.stem for path in paths.EMBEDDINGS.glob("*.npz")))


def load_atlas(name: str, version: str | None = None, folder: Path | None = None) -> Atlas:
    """Inverse of Atlas.save.

    Args:
        name: of a model.
        version: of the model; an atlas of another one is refused.

    Raises:
        AtlasError: no such file, a damaged one, or one of another version.
    """
    path = (folder or paths.EMBEDDINGS) / f"{name}.npz"
    if not path.is_file():
        raise AtlasError(f"There are no embeddings of {name}. {EXPORT_HINT} {name}")
    try:
        _check_size(path)
        with np.load(path) as file:
            found = _parse_atlas(file)
    except Exception as error:  # zlib or numpy's parser, depending on the damaged place
        raise AtlasError(f"{path.name} is damaged ({error!s:.60}). {EXPORT_HINT} {name}") from None
    if found.model != name:
        raise AtlasError(f"{path.name} holds the embeddings of {found.model}. {EXPORT_HINT} {name}")
    if version is not None and found.version != version:
        raise AtlasError(f"{path.name} is of version {found.version}, {name} now is {version}. {EXPORT_HINT} {name}")
    return found


def _check_size(path: Path) -> None:
    """Raises ValueError for a small file that would fill the memory; zipfile reads no more than it declares."""
    with zipfile.ZipFile(path) as members:
        n_bytes = sum(member.file_size for member in members.infolist())
    if n_bytes > max(MIN_BYTES, MAX_COMPRESSION_RATIO * path.stat().st_size):
        raise ValueError(f"it would unpack to {n_bytes / 1e6:.0f} MB")


def _parse_atlas(file) -> Atlas:
    about = json.loads(str(file["about"]))
    configs = [ProjectionConfig(**values) for values in about["maps"]]
    found = Atlas(
        model=about["model"],
        version=about["version"],
        ids=file["ids"],
        embeddings=file["embeddings"].astype(np.float32),
        predicted=file["answered"].astype(int),
        confidence=file["certainty"].astype(np.float32),
        part=file["part"].astype(int),
        distances=file["distances"],
        maps={config: file[f"map_{i}"] for i, config in enumerate(configs)},
    )
    _check_lengths(found)
    _check_values(found)
    return found


def _check_lengths(found: Atlas) -> None:
    columns = (found.embeddings, found.predicted, found.confidence, found.part, found.distances, *found.maps.values())
    if {len(values) for values in columns} != {len(found.ids)} or len(found.utterances) < len(found.ids):
        raise ValueError("rows that do not belong together")


def _check_values(found: Atlas) -> None:
    """Raises ValueError for values that are not finite or out of range."""
    maps = [(coordinates, config.n_dims) for config, coordinates in found.maps.items()]
    for points, n_dims in ((found.embeddings, found.embeddings.shape[-1]), *maps):
        if points.shape != (len(found.ids), n_dims) or not np.isfinite(points).all():
            raise ValueError("points that are not finite")
    for index, names in ((found.predicted - NO_PREDICTION, (NO_PREDICTION, *EMOTIONS)), (found.part, ATLAS_PARTS)):
        if not ((index >= 0) & (index < len(names))).all():
            raise ValueError("indices out of range")
