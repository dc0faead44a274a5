"""Cache of the frames of one layer of a frozen encoder: what the layers above it are tuned on.

It is two files below the cache folder: `frames-<layer>.f16`, the frames of one clip after the other, and
`frames-<layer>.txt`, the id and the number of frames of each. An interruption costs at most one batch.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from ser_core.audio import pad_batch
from ser_core.data import AudioStore
from ser_core.models import Whisper
from ser_core.training.frozen.cache import BATCH_SIZE, MAX_CLIP_S, check_encoder, every_layer, writing_alone


class FrameCache:
    """Frames of clips; the missing ones are computed on request.

    Args:
        folder: of the cache, see StatisticsCache.
        model: whose shared encoder is used, without what was tuned in the model.
        layer: whose output is stored, counted from 1; 0 for the convolutions below the first one.
    """

    def __init__(self, folder: Path, model: Whisper, store: AudioStore, layer: int):
        self.store, self.layer = store, layer
        self._path, self._index = (folder / f"frames-{layer}.{suffix}" for suffix in ("f16", "txt"))
        self._model = every_layer(model)
        self._width = model.config.backbone["d_model"]

    def read(self, ids: Sequence[str], progress: Callable[[int], None] = lambda n_done: None) -> list[np.ndarray]:
        """Frames of each clip, float16, shape = (n_frames, d_model); they stay on the disk until used.

        Args:
            progress: called with the number of clips that are available.

        Raises:
            TrainingError: the cache is of another encoder, or another process computes now.
        """
        check_encoder(self._path.parent, self._model)
        if not {*ids} <= {*self._lengths()}:
            with writing_alone(self._path.parent):
                self._compute(ids, progress)
        progress(len(ids))
        lengths = self._lengths()
        ends = dict(zip(lengths, np.cumsum([*lengths.values()]), strict=True))
        frames = np.memmap(self._path, np.float16, "r", shape=(sum(lengths.values()), self._width))
        return [frames[ends[i] - lengths[i] : ends[i]] for i in ids]

    def _compute(self, ids: Sequence[str], progress: Callable[[int], None]) -> None:
        """Computes the missing clips in batches of similar length."""
        known = self._lengths()
        missing = sorted((i for i in ids if i not in known), key=self.store.duration_s)
        self._path.touch()
        with self._path.open("rb+") as rows, self._index.open("a") as names:
            rows.truncate(2 * self._width * sum(known.values()))  # what an interruption left without its ids
            rows.seek(0, 2)
            for first in range(0, len(missing), BATCH_SIZE):
                progress(len(ids) - len(missing) + first)
                batch = missing[first : first + BATCH_SIZE]
                frames = self._frames(batch)
                rows.write(np.concatenate(frames).tobytes())
                rows.flush()  # before the ids that refer to them
                names.write("".join(f"{i}\t{len(own)}\n" for i, own in zip(batch, frames, strict=True)))
                names.flush()

    @torch.inference_mode()
    def _frames(self, ids: Sequence[str]) -> list[np.ndarray]:
        """Of each clip float16, shape = (n_frames, d_model)."""
        longest = round(MAX_CLIP_S * self._model.sample_rate)
        waveform, n_samples = pad_batch([self.store.trimmed(i)[:longest] for i in ids])
        n_frames = self._model.n_frames(n_samples)
        frames = self._model.frames_of(self.layer, self._model.frontend(waveform, n_samples), n_frames)
        n_steps = (n_frames + 1) // 2
        return [own[:n].half().numpy() for own, n in zip(frames, n_steps.tolist(), strict=True)]

    def _lengths(self) -> dict[str, int]:
        """Number of frames of each clip, in the order of the file."""
        lines = self._index.read_text().splitlines() if self._index.is_file() else []
        return {name: int(n) for name, n in (line.rsplit("\t", 1) for line in lines)}
