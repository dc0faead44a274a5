"""Augmentation of batches. Functions apply given parameters; only `Augment` draws them, from its generator."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ser_core.audio import frame_mask, standardise_features

N_BABBLE_VOICES = 4


def change_speed(waveform: Tensor, n_samples: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
    """Resamples each clip to `rate` times its speed; pitch and tempo change together.

    Args:
        waveform: shape = (B, n_samples).
        n_samples: true lengths, shape = (B,).
        rate: shape = (B,), 1.0 changes nothing.

    Returns:
        The new waveform, padded to its longest clip, and the new lengths.
    """
    lengths = (n_samples / rate).floor().long().clamp_min(1)
    position = torch.arange(int(lengths.max()), device=waveform.device)[None, :] * rate[:, None]
    left = position.long().clamp_max(waveform.shape[1] - 1)
    right = (left + 1).clamp_max(waveform.shape[1] - 1)
    fraction = position - left
    mixed = waveform.gather(1, left) * (1 - fraction) + waveform.gather(1, right) * fraction
    return mixed * frame_mask(lengths, mixed.shape[1]), lengths


def add_noise(waveform: Tensor, n_samples: Tensor, snr_db: Tensor, noise: Tensor) -> Tensor:
    """Adds noise at a signal-to-noise ratio over the clip, all shapes (B, n_samples) and (B,)."""
    mask = frame_mask(n_samples, waveform.shape[1])
    signal_power = (waveform.square() * mask).sum(1) / n_samples
    noise_power = (noise.square() * mask).sum(1) / n_samples
    scale = (signal_power / noise_power.clamp_min(1e-12) / 10 ** (snr_db / 10)).sqrt()
    return waveform + scale[:, None] * noise * mask


def coloured_noise(shape: tuple[int, int], exponent: Tensor, generator: torch.Generator) -> Tensor:
    """Noise whose power falls as frequency ** -exponent (0 white, 1 pink, 2 brown); exponent has shape (B,)."""
    n_fft = _next_fft_length(shape[1])
    spectrum = torch.fft.rfft(torch.randn((shape[0], n_fft), generator=generator, device=generator.device))
    frequency = torch.arange(spectrum.shape[1], device=generator.device).clamp_min(1)
    return torch.fft.irfft(spectrum * frequency ** (-exponent[:, None] / 2))[:, : shape[1]]


def _next_fft_length(n_samples: int) -> int:
    """The next power of two, for Fourier transforms."""
    return 2 ** math.ceil(math.log2(n_samples))


def babble_noise(waveform: Tensor, order: Tensor) -> Tensor:
    """Babble: the sum of other clips of the batch, at equal levels.

    Args:
        waveform: shape = (B, n_samples), zero behind the end of shorter clips.
        order: indices of the background clips, shape = (n_voices, n).

    Returns:
        shape = (n, n_samples).
    """
    loudness = waveform.square().mean(1, keepdim=True).sqrt().clamp_min(1e-6)
    return (waveform / loudness)[order].sum(0)


def limit_band(waveform: Tensor, low_hz: Tensor, high_hz: Tensor, sample_rate: int) -> Tensor:
    """Band-pass filter with slopes of 24 dB per octave: a phone, a small microphone.

    Args:
        waveform: shape = (B, n_samples).
        low_hz, high_hz: cut-off frequencies, shape = (B,).
    """
    n_fft = _next_fft_length(waveform.shape[1])
    frequency = torch.fft.rfftfreq(n_fft, 1 / sample_rate, device=waveform.device)[None, :].clamp_min(1)
    response = 1 / ((1 + (low_hz[:, None] / frequency) ** 8) * (1 + (frequency / high_hz[:, None]) ** 8)).sqrt()
    return torch.fft.irfft(torch.fft.rfft(waveform, n_fft) * response, n_fft)[:, : waveform.shape[1]]


def reverberate(waveform: Tensor, n_samples: Tensor, decay: Tensor, reflected: Tensor, noise: Tensor) -> Tensor:
    """Reverberation: the direct sound and exponentially decaying noise; the tail after the clip is cut.

    Args:
        waveform: shape = (B, n_samples).
        decay: reverberation time (60 dB) in samples, shape = (B,).
        reflected: power of the reflections relative to the direct sound, shape = (B,).
        noise: carrier of the impulse response, shape = (B, n_response).
    """
    time = torch.arange(noise.shape[1], device=noise.device)[None, :]
    tail = noise * 10 ** (-3 * time / decay[:, None])
    tail = tail * (reflected[:, None] / tail.square().sum(1, keepdim=True).clamp_min(1e-12)).sqrt()
    n_fft = _next_fft_length(waveform.shape[1] + noise.shape[1])
    reverb = torch.fft.irfft(torch.fft.rfft(waveform, n_fft) * torch.fft.rfft(tail, n_fft), n_fft)
    return (waveform + reverb[:, : waveform.shape[1]]) * frame_mask(n_samples, waveform.shape[1])


def apply_gain(waveform: Tensor, gain_db: Tensor) -> Tensor:
    """Scales each clip, gain_db has shape (B,)."""
    return waveform * 10 ** (gain_db[:, None] / 20)


def shift_time(waveform: Tensor, n_samples: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Prepends `shift` samples of silence to each clip; nothing is cut. shift has shape (B,), >= 0."""
    lengths = n_samples + shift
    position = torch.arange(int(lengths.max()), device=waveform.device)[None, :] - shift[:, None]
    inside = (position >= 0) & (position < n_samples[:, None])
    return waveform.gather(1, position.clamp(0, waveform.shape[1] - 1)) * inside, lengths


def warp_frequency(features: Tensor, factor: Tensor) -> Tensor:
    """Stretches the mel axis: vocal tract length perturbation (Jaitly & Hinton 2013) on the mel scale.

    Args:
        features: shape = (B, C, n_mels, n_frames).
        factor: shape = (B,); band i is read from band i * factor, 1.0 changes nothing.
    """
    n_mels = features.shape[2]
    position = (torch.arange(n_mels, device=features.device)[None, :] * factor[:, None]).clamp_max(n_mels - 1)
    left = position.long()
    right = (left + 1).clamp_max(n_mels - 1)
    fraction = (position - left)[:, None, :, None]

    def take(index: Tensor) -> Tensor:
        return features.gather(2, index[:, None, :, None].expand_as(features))

    return take(left) * (1 - fraction) + take(right) * fraction


def tilt_spectrum(features: Tensor, tilt: Tensor, n_deltas: int = 0) -> Tensor:
    """Adds a linear spectral tilt from -tilt to +tilt over the mel axis: another microphone or room. tilt: shape (B,).

    n_deltas: number of last channels that are derivatives, which a constant tilt does not change.
    """
    line = torch.linspace(-1, 1, features.shape[2], device=features.device)
    added = tilt[:, None, None, None] * line[None, None, :, None]
    first = features.shape[1] - n_deltas
    return torch.cat([features[:, :first] + added, features[:, first:]], dim=1)


def automatic_gain_control(features: Tensor, n_frames: Tensor, share: Tensor, width: int = 19) -> Tensor:
    """Removes a share of the slow changes of the level, as automatic gain control does.

    Args:
        features: in decibels, shape = (B, C, n_mels, n_frames).
        n_frames: true lengths, shape = (B,).
        share: 0 changes nothing, 1 equalises the level of all intervals of `width` frames; shape = (B,).
    """
    inside = frame_mask(n_frames, features.shape[3]).float()[:, None]
    level = features[:, :1].amax(2) * inside  # a band that is loud makes a frame loud
    summed, count = (F.avg_pool1d(x, width, 1, width // 2, count_include_pad=False) for x in (level, inside))
    slow = summed / count.clamp_min(1e-3)
    mean = level.sum(2, keepdim=True) / inside.sum(2, keepdim=True)
    return features - (share[:, None, None] * (slow - mean))[:, :, None] * inside[:, :, None]


def noise_gate(features: Tensor, threshold: Tensor, depth: Tensor) -> Tensor:
    """Attenuates low levels, as noise suppression does.

    Args:
        features: normalised decibels, shape = (B, C, n_mels, n_frames).
        threshold, depth: value below which, and share of the distance to it by which, is attenuated; shape = (B,).
    """
    under = (threshold[:, None, None, None] - features).clamp_min(0)
    return features - depth[:, None, None, None] * under


def mask_spectrum(features: Tensor, start: Tensor, width: Tensor, dim: int) -> Tensor:
    """Sets a band or an interval to zero, the clip's mean (SpecAugment, Park et al. 2019).

    Args:
        features: shape = (B, C, n_mels, n_frames).
        start, width: shape = (B,), in bands (dim=2) or frames (dim=3).
    """
    axis = torch.arange(features.shape[dim], device=features.device)[None, :]
    hit = (axis >= start[:, None]) & (axis < (start + width)[:, None])
    shape = (len(features), 1, -1, 1) if dim == 2 else (len(features), 1, 1, -1)
    return features.masked_fill(hit.view(shape), 0.0)


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


def mixup(features: Tensor, targets: Tensor, order: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Mixes each clip with another one of the batch (mixup, Zhang et al. 2018).

    Args:
        features: shape = (B, ...).
        targets: class probabilities, shape = (B, n_classes).
        order: the partner of each clip, shape = (B,).
        share: weight of the clip itself, shape = (B,).
    """
    own = share.view(-1, *[1] * (features.ndim - 1))
    mixed = own * features + (1 - own) * features[order]
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[order]
