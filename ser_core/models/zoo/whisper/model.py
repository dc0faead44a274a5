"""Whisper (Radford et al. 2022): the encoder of a speech recogniser, with a linear head over pooled layers.

A clip is encoded at its own length, not padded to 30 seconds: the positions are cut to the clip, and padded frames are
masked. The mean and the standard deviation over time of each chosen layer are projected to the embedding: middle layers
of a frozen encoder hold the emotion (EmoBox, Ma et al. 2024). One head serves clips alone and clips of an enrolled
speaker, whose mean embedding is subtracted; in training the reference is dropped at random. Upper layers can be tuned:
a checkpoint on a shared encoder then holds what was added to them, and its predictions take no longer.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.audio import frame_mask, mel_filters
from ser_core.models.base import SERModel, Weight, unpadded_lengths
from ser_core.models.zoo.whisper.config import HOP, WhisperConfig, check_sizes
from ser_core.models.zoo.whisper.encoder import read_whisper_encoder, shared_weights
from ser_core.models.zoo.whisper.layers import WhisperEncoder
from ser_core.models.zoo.whisper.pooling import head_input, mean_and_deviation
from ser_core.models.zoo.whisper.updates import join_updates, split_updates

N_FFT, MIN_SAMPLES = 400, 800  # of Whisper's front end; shorter clips are padded with silence
DYNAMIC_RANGE = 8.0  # in log10 units of power, below the loudest bin of a clip
N_PADDING_FRAMES = 2  # of silence behind a clip: as far as the two convolutions reach
MASKED = -1e9  # attention score of a padded frame


class Whisper(SERModel):
    """See the module's docstring."""

    takes_reference = True
    config: WhisperConfig
    mel_filters: Tensor

    def __init__(self, config: WhisperConfig):
        """Random weights; those of a shared encoder are loaded.

        Raises:
            MissingEncoder: no such shared encoder; the message names the source.
            ValueError: a shared encoder that does not fit, a window that is longer than the encoder's positions, or
                pooled or tuned layers that it does not have.
        """
        super().__init__(config)
        check_sizes(config)
        sizes = config.backbone | {"encoder_layers": max(config.layers)}
        self.encoder = WhisperEncoder(sizes)
        self.projection = nn.Linear(config.n_statistics, config.embedding_dim)
        self.classifier = nn.Linear(2 * config.embedding_dim + 1, len(config.labels))
        filters = torch.from_numpy(mel_filters(16_000, N_FFT, sizes["num_mel_bins"]))
        self.register_buffer("mel_filters", filters, persistent=False)
        if config.encoder:
            self.reset_encoder()
            self.encoder.requires_grad_(False)

    @classmethod
    def from_pretrained_weights(cls, config: WhisperConfig, start: str) -> "Whisper":  # type: ignore[override]  # own config
        """A model with the encoder of a published checkpoint, kept in the model itself, and a random head.

        Args:
            start: a local folder with config.json and model.safetensors, or a name on the Hugging Face hub.

        Raises:
            ValueError: no such folder or name, another kind of model, or missing weights; the message names the cure.
        """
        backbone, weights = read_whisper_encoder(start, max(config.layers))
        model = cls(replace(config, encoder="", backbone=backbone))
        model.encoder.load_state_dict(weights)
        return model

    def reset_encoder(self) -> None:
        """Loads the weights of the shared encoder; what tuning changed is lost."""
        self.encoder.load_state_dict(shared_weights(self.config.encoder, max(self.config.layers)))

    def frontend(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> log-mel features as in Whisper, shape = (B, n_mels, n_frames); each clip by itself."""
        lengths = [waveform.shape[1]] * len(waveform) if n_samples is None else n_samples.tolist()
        clips = [self._log_mel(clip[:n]) for clip, n in zip(waveform, lengths, strict=True)]
        width = max(clip.shape[1] for clip in clips)
        return torch.stack([F.pad(clip, (0, width - clip.shape[1])) for clip in clips])

    def _log_mel(self, clip: Tensor) -> Tensor:
        """(n_samples,) -> log10 power in [-1, 1] around the loudest bin, shape = (n_mels, n_frames)."""
        clip = F.pad(clip.float(), (0, max(0, MIN_SAMPLES - len(clip))))
        spectrum = torch.stft(clip, N_FFT, HOP, window=self._stft_window, return_complex=True)[:, :-1]
        log_power = (self.mel_filters @ spectrum.abs().square()).clamp_min(1e-10).log10()
        return (torch.maximum(log_power, log_power.max() - DYNAMIC_RANGE) + 4) / 4

    @cached_property
    def _stft_window(self) -> Tensor:
        with torch.inference_mode(False):  # else no gradient could pass later
            return torch.hann_window(N_FFT, device=self.device)

    def n_frames(self, n_samples: Tensor) -> Tensor:
        """See SERModel."""
        return n_samples.clamp_min(MIN_SAMPLES) // HOP

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """(B, n_mels, n_frames) -> embedding, shape = (B, embedding_dim)."""
        return self.projection(self.statistics(features, n_frames).flatten(1))

    def statistics(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Mean and standard deviation over time of each pooled layer.

        Returns:
            shape = (B, n_layers, 2, d_model).
        """
        n_frames = unpadded_lengths(features) if n_frames is None else n_frames
        return self.pool(self._convolve(features, n_frames), (n_frames + 1) // 2)

    def pool(self, frames: Tensor, n_steps: Tensor, layer: int = 0) -> Tensor:
        """The statistics of the layers from `layer` on, given the frames of that layer.

        Args:
            frames: shape = (B, n_steps, d_model), see frames_of.
            n_steps: true lengths, shape = (B,).

        Returns:
            shape = (B, n_layers, 2, d_model).
        """
        inside = frame_mask(n_steps, frames.shape[1])
        outputs = enumerate(self._outputs(frames, inside, layer), layer)
        return torch.stack(
            [mean_and_deviation(output.float(), inside) for n, output in outputs if n in self.config.layers], 1
        )

    def frames_of(self, layer: int, features: Tensor, n_frames: Tensor) -> Tensor:
        """Output of one layer, counted from 1 (0: the convolutions), shape = (B, n_steps, d_model)."""
        frames = self._convolve(features, n_frames)
        return next(islice(self._outputs(frames, frame_mask((n_frames + 1) // 2, frames.shape[1])), layer, None))

    def _outputs(self, frames: Tensor, inside: Tensor, layer: int = 0) -> Iterator[Tensor]:
        """The frames of a layer, and the outputs of the layers above it."""
        mask = None if inside.all() else torch.where(inside, 0.0, MASKED).to(frames)[:, None, None]
        yield frames
        for above in self.encoder.layers[layer:]:
            frames = above(frames, mask)
            yield frames

    def _convolve(self, features: Tensor, n_frames: Tensor) -> Tensor:
        """Frames of 20 ms with their positions, shape = (B, n_steps, d_model); silence follows each clip."""
        inside = frame_mask(n_frames, features.shape[2])[:, None]
        floor = features.masked_fill(~inside, torch.inf).amin((1, 2), keepdim=True)
        padding = N_PADDING_FRAMES + features.shape[2] % 2
        features = torch.cat([torch.where(inside, features, floor), floor.expand(-1, features.shape[1], padding)], 2)
        return self.encoder.convolve(features, -(-int(n_frames.max()) // 2))

    def head(self, embedding: Tensor) -> Tensor:  # one head for clips with and without reference
        """(B, embedding_dim) -> logits, shape = (B, n_classes)."""
        return self.classify(embedding)

    def classify(self, embedding: Tensor, reference: Tensor | None = None, weight: Weight = 1.0) -> Tensor:
        """Logits of clips, alone or relative to the mean embedding of their speaker; in between by the weight.

        Args:
            embedding: shape = (B, embedding_dim).
            reference: shape = (embedding_dim,) or (B, embedding_dim).
            weight: of the reference, a number or shape = (B, 1).

        Returns:
            shape = (B, n_classes).
        """
        return self.classifier(head_input(embedding, reference, weight))

    def standalone(self) -> "Whisper":
        """A copy whose checkpoint holds the encoder too, for use without this program's folder of encoders."""
        backbone = self.config.backbone | {"encoder_layers": max(self.config.layers)}
        copy = Whisper(replace(self.config, encoder="", backbone=backbone, tuned_layers=(), lora_rank=0))
        copy.load_state_dict(self.state_dict())
        return copy.eval()

    def load_weights(self, path: Path) -> None:
        """See SERModel."""
        saved = load_file(path)
        if self.config.lora_rank:
            saved = join_updates(saved, self._shared_matrices(), self.config.lora_rank)
        shared = {name: value for name, value in self.state_dict().items() if not self._is_own(name)}
        self.load_state_dict(shared | saved, strict=True)

    def own_weights(self) -> dict[str, Tensor]:
        """See SERModel; of a shared encoder, what tuning added to its weights is kept alone."""
        state, rank = self.state_dict(), self.config.lora_rank
        own = {name: value for name, value in state.items() if self._is_own(name)}
        return own | split_updates(state, self._shared_matrices(), rank) if rank else own

    def _is_own(self, name: str) -> bool:
        """Whether a weight is the checkpoint's own as it is."""
        in_shared = bool(self.config.encoder) and name.startswith("encoder.")
        return not in_shared or (not self.config.lora_rank and name.startswith(self._tuned_prefixes))

    def _shared_matrices(self) -> dict[str, Tensor]:
        """The matrices of the shared encoder that the updates of low rank are added to."""
        weights = shared_weights(self.config.encoder, max(self.config.layers))
        named = {f"encoder.{name}": value for name, value in weights.items() if value.ndim == 2}
        return {name: value for name, value in named.items() if name.startswith(self._tuned_prefixes)}

    @property
    def _tuned_prefixes(self) -> tuple[str, ...]:
        return tuple(f"encoder.layers.{layer - 1}." for layer in self.config.tuned_layers)
