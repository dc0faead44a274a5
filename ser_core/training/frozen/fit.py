"""The fit of a model on the encoder: the head, then the layers that its config names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core.models import Whisper
from ser_core.training.config import TrainingError, TrainingExample
from ser_core.training.frozen.head import HeadConfig, fit_head
from ser_core.training.frozen.tuning import EncoderTuning, pool_clips


@dataclass(frozen=True, eq=False)
class EncoderFit:
    """Fits the model on some of the training clips, in place; called again, it starts from the frozen encoder.

    Args:
        model: on its shared encoder, not yet tuned.
        statistics: of the training clips by the frozen encoder in each pass of the recipe, see fit_head.
        clips: of training, with speakers.
        frames: of the training clips, see frames_layer; none for a model without tuned layers.
        folder: of the states of the tuning, one file a fit; needed for a model with tuned layers.
        resume: go on from these states.
        progress: called after each step of the tuning, see EncoderTuning.run.
    """

    model: Whisper
    statistics: Sequence[np.ndarray]
    clips: Sequence[TrainingExample]
    config: HeadConfig
    frames: Sequence[np.ndarray] = ()
    folder: Path = Path()
    resume: bool = False
    progress: Callable[[int, int, float], None] = lambda step, n_steps, loss: None

    def __call__(
        self, rows: np.ndarray, name: str, on_epoch: Callable[[dict], None] = lambda record: None
    ) -> np.ndarray:
        """Fits the model on the clips of these rows.

        Args:
            name: of the state of the tuning.
            on_epoch: see fit_head.

        Returns:
            statistics of all training clips by the encoder as it is then, shape = (n_clips, n_statistics).
        """
        clips = [self.clips[int(row)] for row in rows]
        if self.model.config.tuned_layers:
            self.model.reset_encoder()
        fit_head(self.model, [own[rows] for own in self.statistics], clips, self.config, on_epoch)
        if not self.model.config.tuned_layers:
            return self.statistics[0]
        tuning = EncoderTuning(self.model, [self.frames[int(row)] for row in rows], clips, self.config)
        tuning.run(self.statistics[0][rows], self.folder / f"{name}.safetensors", self.resume, self.progress)
        return pool_clips(self.model, self.frames)


def check_tuning(model: Whisper, config: HeadConfig) -> None:
    """Checks a recipe before anything is computed.

    Raises:
        TrainingError: perturbed passes, which tuning does not use, or a share that is none.
    """
    if not 0 <= config.tuning.share <= 1:
        raise TrainingError(f"tuning.share = {config.tuning.share} must lie in 0..1.")
    if model.config.tuned_layers and config.passes != (0,):
        raise TrainingError(f"Layers are tuned on unmodified clips: passes = {config.passes} must be (0,).")
