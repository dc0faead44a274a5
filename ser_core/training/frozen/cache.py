"""Cache of the pooled statistics of a frozen encoder: of the clips themselves (pass 0), and of perturbed ones.

A pass is two files below the cache folder: `<pass>.f16`, a row of every layer's mean and deviation for each clip, and
`<pass>.txt`, the ids in the order of the rows. An interruption costs at most one batch. A third file, `encoder.sha256`,
names the weights of the encoder.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ser_core import paths
from ser_core.audio import pad_batch
from ser_core.data import AudioStore
from ser_core.models import Whisper, shared_layers, use_float32
from ser_core.training.config import TrainingError
from ser_core.training.frozen.perturbation import perturb, perturbation_rng

BATCH_SIZE = 8
MAX_CLIP_S = 30.0  # positions of the encoder
ENCODER_FILE = "encoder.sha256"


class StatisticsCache:
    """Pooled statistics of clips; the missing ones are computed on request.

    Args:
        folder: of the cache, e.g. audio_cache_folder() / "whisper-base".
        model: whose encoder is used, a shared one without what was tuned in the model. Every layer of a shared encoder
            is stored, so that one cache serves all models on it; of an encoder in the checkpoint itself those up to the
            last pooled one.
        noises: recorded noises for the perturbed passes, each of shape (n_samples,).
    """

    def __init__(self, folder: Path, model: Whisper, store: AudioStore, noises: Sequence[np.ndarray] = ()):
        self.folder, self.store, self.noises = folder, store, noises
        self.layers = model.config.layers
        self.model = every_layer(model)
        self.n_layers = len(self.model.config.layers)
        self._width = 2 * model.config.backbone["d_model"]

    def read(self, number: int, ids: Sequence[str], progress: Callable[[int], None] = lambda n_done: None):
        """Statistics of clips in one pass, float32, shape = (n_clips, n_statistics).

        Args:
            number: of the pass: 0 for the unmodified clips.
            progress: called with the number of clips that are available.
        """
        self.compute(number, ids, progress)
        rows = {utterance_id: row for row, utterance_id in enumerate(self._ids(number))}
        chosen = np.array([rows[i] for i in ids], int)
        layers = [layer - 1 for layer in self.layers]
        return self._rows(number)[chosen][:, layers].reshape(len(ids), len(layers) * self._width).astype(np.float32)

    def compute(self, number: int, ids: Sequence[str], progress: Callable[[int], None] = lambda n_done: None) -> None:
        """Computes the missing clips of a pass, in batches of similar length.

        Raises:
            TrainingError: the pass was computed with another encoder or number of layers, or another process computes
                now.
        """
        self._check_width(number)
        check_encoder(self.folder, self.model)
        if {*ids} <= {*self._ids(number)}:
            return progress(len(ids))
        with writing_alone(self.folder):
            self._compute_missing(number, ids, progress)

    def _compute_missing(self, number: int, ids: Sequence[str], progress: Callable[[int], None]) -> None:
        known = {*self._ids(number)}
        missing = sorted((i for i in ids if i not in known), key=self.store.duration_s)
        self._discard_unfinished(number)
        progress(len(ids) - len(missing))
        with self._path(number).open("ab") as rows, self._path(number).with_suffix(".txt").open("a") as names:
            for first in range(0, len(missing), BATCH_SIZE):
                batch = missing[first : first + BATCH_SIZE]
                rows.write(self._statistics(number, batch).tobytes())
                rows.flush()  # before the ids that refer to them
                names.write("".join(f"{i}\n" for i in batch))
                names.flush()
                progress(len(ids) - len(missing) + first + len(batch))

    @torch.inference_mode()
    def _statistics(self, number: int, ids: Sequence[str]) -> np.ndarray:
        """float16, shape = (n_clips, n_layers, 2 * d_model); perturbed clips in bfloat16, which takes half the time."""
        clips = [self.store.trimmed(i) for i in ids]
        if number:
            clips = [
                perturb(clip, perturbation_rng(number, i), self.noises) for clip, i in zip(clips, ids, strict=True)
            ]
        waveform, n_samples = pad_batch([clip[: round(MAX_CLIP_S * self.model.sample_rate)] for clip in clips])
        features = self.model.frontend(waveform, n_samples)
        with torch.autocast("cpu", torch.bfloat16, enabled=bool(number)):
            return self.model.statistics(features, self.model.n_frames(n_samples)).flatten(2).half().numpy()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.f16"

    def _ids(self, number: int) -> list[str]:
        path = self._path(number).with_suffix(".txt")
        return path.read_text().splitlines() if path.is_file() else []

    def _rows(self, number: int) -> np.ndarray:
        shape = (len(self._ids(number)), self.n_layers, self._width)
        return np.memmap(self._path(number), np.float16, "r", shape=shape)

    def _check_width(self, number: int) -> None:
        """Rows of another width would be cut and read as those of other clips."""
        path, row_bytes = self._path(number), 2 * self.n_layers * self._width
        n_bytes = path.stat().st_size if path.is_file() else 0
        if not 0 <= n_bytes - len(self._ids(number)) * row_bytes <= BATCH_SIZE * row_bytes:
            raise TrainingError(f"{path} is of another encoder or number of layers. Delete it to compute it again.")

    def _discard_unfinished(self, number: int) -> None:
        """Cuts rows off that an interruption left without their ids."""
        path, row_bytes = self._path(number), 2 * self.n_layers * self._width
        if path.is_file():
            with path.open("rb+") as file:
                file.truncate(len(self._ids(number)) * row_bytes)


def check_encoder(folder: Path, model: Whisper) -> None:
    """Checks that a cache is of the weights of this encoder; a cache that names none gets their hash.

    Raises:
        TrainingError: it is of others.
    """
    weights = model.encoder.state_dict().values()
    digest = hashlib.sha256(b"".join(value.cpu().contiguous().numpy().tobytes() for value in weights)).hexdigest()
    path = folder / ENCODER_FILE
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        paths.write_text(path, digest)
    if path.read_text() != digest:
        raise TrainingError(f"{folder} is of another encoder: its weights have changed. Delete it to compute it again.")


def writing_alone(folder: Path) -> AbstractContextManager[None]:
    """Holds the folder of a cache: the rows of two processes would get each other's ids.

    Raises:
        TrainingError: another process holds it.
    """
    return paths.only_writer(folder, TrainingError(f"Another process adds clips to {folder}. Wait for its end."))


def every_layer(model: Whisper) -> Whisper:
    """The model with every layer pooled and none tuned: for a cache that serves any choice of layers."""
    config = model.config
    n_layers = shared_layers(config.encoder) if config.encoder else max(config.layers)
    found = Whisper(
        replace(config, layers=tuple(range(1, n_layers + 1)), embedding_dim=1, tuned_layers=(), lora_rank=0)
    )
    if not config.encoder:
        found.encoder.load_state_dict(model.encoder.state_dict())
    use_float32(found)  # heads are fitted on exact statistics
    return found.eval()
