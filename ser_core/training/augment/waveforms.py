"""Changes of waveforms, with given parameters."""

import math

import torch
from torch import Tensor

from ser_core.audio import frame_mask

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
