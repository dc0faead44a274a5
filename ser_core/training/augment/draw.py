"""Random augmentation of a batch: the parameters are drawn from one generator, and given to the functions beside."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ser_core.audio import frame_mask, standardise_features
from ser_core.training.augment.spectra import (
    automatic_gain_control,
    mask_spectrum,
    noise_gate,
    tilt_spectrum,
    warp_frequency,
)
from ser_core.training.augment.waveforms import (
    N_BABBLE_VOICES,
    add_noise,
    apply_gain,
    babble_noise,
    change_speed,
    coloured_noise,
    limit_band,
    reverberate,
    shift_time,
)


@dataclass(frozen=True)
class AugmentConfig:
    """Strength of the augmentation; values are drawn uniformly from their ranges, `chance` is per clip."""

    speed: float = 0.15  # rate in [1 / (1 + speed), 1 + speed]
    gain_db: float = 12.0
    noise_chance: float = 0.25
    min_snr_db: float = 10.0
    max_snr_db: float = 35.0
    babble_chance: float = 0.0  # other clips of the batch, at the same SNRs
    room_chance: float = 0.0
    max_decay_s: float = 0.6
    band_chance: float = 0.0  # band-pass of a phone or a small microphone
    level_out_chance: float = 0.0  # automatic gain control
    gate_chance: float = 0.0  # noise suppression
    shift_s: float = 0.1
    warp: float = 0.1
    tilt: float = 0.3  # in units of the normalised features
    n_masks: int = 2
    max_mask_mels: int = 8
    max_mask_share: float = 0.1  # of the clip's frames


class Augment:
    """Draws the parameters of a batch from one generator and applies them: same generator state, same result."""

    def __init__(self, config: AugmentConfig, sample_rate: int, generator: torch.Generator):
        self.config, self.sample_rate, self.generator = config, sample_rate, generator

    def _uniform(self, n: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=self.generator, device=self.generator.device)

    def waveform(self, waveform: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """Speed, time shift, room, noise, band, gain. Shapes as in change_speed."""
        c, n = self.config, len(waveform)
        limit = torch.tensor(1 + c.speed).log().item()
        waveform, n_samples = change_speed(waveform, n_samples, self._uniform(n, -limit, limit).exp())
        shift = self._uniform(n, 0, c.shift_s * self.sample_rate).long()
        waveform, n_samples = shift_time(waveform, n_samples, shift)
        dry = waveform.clone()
        for chance, change in (
            (c.room_chance, self._reverberate),
            (c.babble_chance, lambda part, lengths: self._add_babble(part, lengths, dry)),
            (c.noise_chance, self._add_noise),
            (c.band_chance, self._limit_band),
        ):
            chosen = self._draw_indices(n, chance)
            if len(chosen):
                waveform[chosen] = change(waveform[chosen], n_samples[chosen])
        return apply_gain(waveform, self._uniform(n, -c.gain_db, c.gain_db)), n_samples

    def _draw_indices(self, n: int, chance: float) -> Tensor:
        """Indices of the chosen clips; with chance 0 no random number is drawn."""
        return torch.nonzero(self._uniform(n, 0, 1) < chance)[:, 0] if chance else torch.arange(0)

    def _snr_db(self, n: int) -> Tensor:
        return self._uniform(n, self.config.min_snr_db, self.config.max_snr_db)

    def _add_noise(self, waveform: Tensor, n_samples: Tensor) -> Tensor:
        snr_db, exponent = self._snr_db(len(waveform)), self._uniform(len(waveform), 0, 2)
        return add_noise(
            waveform, n_samples, snr_db, coloured_noise((len(waveform), waveform.shape[1]), exponent, self.generator)
        )

    def _add_babble(self, waveform: Tensor, n_samples: Tensor, others: Tensor) -> Tensor:
        order = torch.randint(
            len(others), (N_BABBLE_VOICES, len(waveform)), generator=self.generator, device=waveform.device
        )
        return add_noise(waveform, n_samples, self._snr_db(len(waveform)), babble_noise(others, order))

    def _reverberate(self, waveform: Tensor, n_samples: Tensor) -> Tensor:
        n, longest = len(waveform), round(self.config.max_decay_s * self.sample_rate)
        noise = torch.randn((n, longest), generator=self.generator, device=waveform.device)
        decay, reflected = self._uniform(n, 0.15 * longest, longest), self._uniform(n, 0.1, 1.5)
        return reverberate(waveform, n_samples, decay, reflected, noise)

    def _limit_band(self, waveform: Tensor, n_samples: Tensor) -> Tensor:
        n = len(waveform)
        low_hz, high_hz = self._uniform(n, 30, 400), self._uniform(n, 3000, 8000)
        return limit_band(waveform, low_hz, high_hz, self.sample_rate) * frame_mask(n_samples, waveform.shape[1])

    def _gain_control_and_gate(self, features: Tensor, n_frames: Tensor) -> Tensor:
        """Features after gain control or noise suppression, normalised again."""
        c = self.config
        levelled, gated = (self._draw_indices(len(features), chance) for chance in (c.level_out_chance, c.gate_chance))
        if len(levelled):
            share = self._uniform(len(levelled), 0.3, 1)
            features[levelled] = automatic_gain_control(features[levelled], n_frames[levelled], share)
        if len(gated):
            threshold, depth = self._uniform(len(gated), -1, 0.5), self._uniform(len(gated), 0, 1.5)
            features[gated] = noise_gate(features[gated], threshold, depth)
        if len(chosen := torch.cat([levelled, gated]).unique()):
            mask = frame_mask(n_frames[chosen], features.shape[3])[:, None, None, :]
            features[chosen] = standardise_features(features[chosen], mask) * mask
        return features

    def features(self, features: Tensor, n_frames: Tensor, spectrum: bool = True, n_deltas: int = 0) -> Tensor:
        """Gain control, noise suppression, frequency warp, tilt, masks. shape = (B, C, n_bands, n_frames) in and out.

        Args:
            spectrum: the rows are bands; cepstral coefficients are neither warped nor tilted.
            n_deltas: number of last channels that are derivatives.
        """
        c, n = self.config, len(features)
        if spectrum:
            features = self._gain_control_and_gate(features, n_frames)
            features = warp_frequency(features, self._uniform(n, 1 - c.warp, 1 + c.warp))
            features = tilt_spectrum(features, self._uniform(n, -c.tilt, c.tilt), n_deltas)
        for _ in range(c.n_masks):
            width = self._uniform(n, 0, min(c.max_mask_mels, features.shape[2] // 4) + 1).long()
            start = (self._uniform(n, 0, 1) * (features.shape[2] - width)).long()
            features = mask_spectrum(features, start, width, dim=2)
            width = (self._uniform(n, 0, c.max_mask_share) * n_frames).long()
            start = (self._uniform(n, 0, 1) * (n_frames - width)).long()
            features = mask_spectrum(features, start, width, dim=3)
        return features * frame_mask(n_frames, features.shape[3])[:, None, None, :]
