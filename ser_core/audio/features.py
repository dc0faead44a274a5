"""Log-mel and MFCC front end, from waveform to features: the only module that reads n_fft and hop_length."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.audio.mel import mel_filters

DELTA_WIDTH = 9  # frames, librosa's default
BANDS_AT_ONCE = 16  # of the mel filters


@dataclass(frozen=True)
class FrontendConfig:
    """Parameters of the front end. Lengths in samples, frequencies in Hz."""

    sample_rate: int = 16_000
    n_fft: int = 512
    win_length: int = 512
    hop_length: int = 256
    n_mels: int = 64
    fmin: float = 0.0
    fmax: float = 8000.0
    top_db: float = 80.0  # dynamic range: the floor is this far below the clip's maximum
    n_mfcc: int = 0  # cepstral coefficients instead of mel bands; 0: mel bands
    deltas: int = 0  # 0, 1 or 2 delta channels
    more_windows: tuple[int, ...] = ()  # lengths of further windows, one channel each: long windows resolve harmonics
    normalise: bool = True  # zero mean, unit variance over the clip: predictions do not depend on the level

    @property
    def n_channels(self) -> int:
        """Channels of the features."""
        return 1 + len(self.more_windows) + self.deltas


class MelFilters(nn.Module):
    """Triangular mel filters. A block of neighbours reads its own bins only: an eighth of the work of all at once."""

    def __init__(self, config: FrontendConfig, n_fft: int):
        super().__init__()
        self.n_fft = n_fft
        self.bins: list[slice] = []  # of each block
        filters = mel_filters(config.sample_rate, n_fft, config.n_mels, config.fmin, config.fmax).T
        for number, block in enumerate(torch.from_numpy(filters).split(BANDS_AT_ONCE, dim=1)):
            used = block.any(1).nonzero()
            self.bins.append(slice(int(used.min()), int(used.max()) + 1) if len(used) else slice(0))
            # Derived from the config, hence not part of a checkpoint.
            self.register_buffer(str(number), block[self.bins[-1]].contiguous(), persistent=False)

    def forward(self, power: Tensor) -> Tensor:
        """Power of each bin, shape = (..., 1 + n_fft // 2), to that of each band, shape = (..., n_mels)."""
        blocks = zip(self.bins, self.buffers(), strict=True)
        return torch.cat([power[..., bins] @ block.float() for bins, block in blocks], dim=-1)


class LogMel(nn.Module):
    """Log-mel spectrogram in dB, equal to librosa's `power_to_db(melspectrogram(y, pad_mode="constant"))`.

    With `n_mfcc` its cepstral coefficients, equal to librosa's `mfcc(S=...)`.
    """

    cosines: Tensor
    window: Tensor

    def __init__(self, config: FrontendConfig):
        super().__init__()
        self.config = config
        self.mel = MelFilters(config, config.n_fft)
        self.register_buffer("cosines", _dct_matrix(config.n_mfcc, config.n_mels), persistent=False)
        self.register_buffer("window", _padded_window(config.win_length, config.n_fft), persistent=False)
        for length in config.more_windows:
            self.add_module(f"mel_{length}", MelFilters(config, length))
            self.register_buffer(f"window_{length}", torch.hann_window(length), persistent=False)

    def n_frames(self, n_samples: Tensor) -> Tensor:
        """Number of frames of clips of these lengths, shape = (B,)."""
        return 1 + n_samples // self.config.hop_length

    def decibels(self, waveform: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Log-mel spectrogram in dB.

        Args:
            waveform: shape = (B, n_samples), zero behind the end of shorter clips.
            n_frames: true length of each clip, shape = (B,); None when none is padded. Frames behind it
                overlap the end of the clip, but do not count for its maximum.

        Returns:
            shape = (B, n_mels, n_frames); the floor is top_db under each clip's maximum.
        """
        return self._decibels(waveform, n_frames, self.window, self.mel)

    def _decibels(self, waveform: Tensor, n_frames: Tensor | None, window: Tensor, mel: MelFilters) -> Tensor:
        power = mel(self._power(waveform.float(), window.float()))
        if n_frames is not None:
            power = power * frame_mask(n_frames, power.shape[1])[:, :, None]
        level_db = 10 * torch.log10(power.clamp_min(1e-10))
        level_db = torch.maximum(level_db, level_db.amax(dim=(1, 2), keepdim=True) - self.config.top_db)
        return level_db.transpose(1, 2)

    def _power(self, waveform: Tensor, window: Tensor) -> Tensor:
        """Power spectrogram, shape = (B, n_frames, 1 + n_fft // 2); n_fft is the length of the window."""
        margin = len(window) // 2
        frames = F.pad(waveform, (margin, margin)).unfold(1, len(window), self.config.hop_length)
        parts = torch.view_as_real(torch.fft.rfft(frames * window))
        squares = parts * parts
        return squares[..., 0] + squares[..., 1]

    def forward(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """Features of a padded batch.

        Args:
            waveform: shape = (B, n_samples), in [-1, 1].
            n_samples: true length of each clip, shape = (B,); None when none is padded, which is faster.

        Returns:
            shape = (B, n_channels, n_bands, n_frames); zero behind the end of shorter clips.
        """
        n_frames = None if n_samples is None else self.n_frames(n_samples)
        bands = self.decibels(waveform, n_frames)
        bands = self.cosines.float() @ bands if self.config.n_mfcc else bands
        channels = [bands] + [
            self._decibels(waveform, n_frames, getattr(self, f"window_{length}"), getattr(self, f"mel_{length}"))
            for length in self.config.more_windows
        ]
        channels += [self._delta(bands, n_frames, order + 1) for order in range(self.config.deltas)]
        features = torch.stack(channels, dim=1)
        mask = None if n_frames is None else frame_mask(n_frames, features.shape[-1])[:, None, None, :]
        if self.config.normalise:
            features = standardise_features(features, mask, per_row=self.config.n_mfcc > 0)
        return features if mask is None else features * mask

    def _delta(self, bands: Tensor, n_frames: Tensor | None, order: int) -> Tensor:
        """Savitzky-Golay derivative; frames near an end take the value of the nearest complete window, as in librosa.

        It is zero for clips shorter than the window of the derivative.
        """
        if n_frames is None and bands.shape[2] >= DELTA_WIDTH:
            slope = _slope(bands.contiguous(), order)
            return F.pad(slope, (DELTA_WIDTH // 2, DELTA_WIDTH // 2), mode="replicate")
        width = bands.shape[2]
        n_frames = bands.new_full((len(bands),), width, dtype=torch.long) if n_frames is None else n_frames
        slope = _slope(F.pad(bands, (0, DELTA_WIDTH - 1)), order)  # no complete window reaches into the padding
        window = torch.arange(width, device=bands.device) - DELTA_WIDTH // 2
        window = window.clamp_min(0).minimum((n_frames[:, None] - DELTA_WIDTH).clamp_min(0))
        complete = (n_frames >= DELTA_WIDTH)[:, None, None]
        return slope.gather(2, window[:, None].expand(-1, bands.shape[1], -1)) * complete


class ConvolvedLogMel(LogMel):
    """LogMel with the Fourier transform as a convolution, for runtimes without complex numbers."""

    def _power(self, waveform: Tensor, window: Tensor) -> Tensor:
        margin = len(window) // 2
        padded = F.pad(waveform[:, None], (margin, margin))
        waves = F.conv1d(padded, _fourier_kernels(window), stride=self.config.hop_length)
        real, imaginary = waves.transpose(1, 2).chunk(2, dim=2)
        return real.square() + imaginary.square()


def _padded_window(length: int, n_fft: int) -> Tensor:
    """A Hann window with zeros on both sides, shape = (n_fft,)."""
    missing = n_fft - length
    return F.pad(torch.hann_window(length), (missing // 2, missing - missing // 2))


def _slope(bands: Tensor, order: int) -> Tensor:
    """Derivative in each window of DELTA_WIDTH frames: (..., n_frames) -> (..., n_frames + 1 - DELTA_WIDTH)."""
    width = bands.shape[-1] + 1 - DELTA_WIDTH
    slope = torch.zeros_like(bands[..., :width])
    for i, weight in enumerate(_derivative_kernel(order)):
        slope = slope.add_(bands[..., i : i + width], alpha=weight)
    return slope


@lru_cache(maxsize=2)
def _derivative_kernel(order: int) -> list[float]:
    """Weights of the Savitzky-Golay derivative of an order, DELTA_WIDTH of them."""
    from scipy.signal import savgol_coeffs  # slow to import, and no shipped model has deltas

    return savgol_coeffs(DELTA_WIDTH, polyorder=order, deriv=order, use="dot").tolist()


def _fourier_kernels(window: Tensor) -> Tensor:
    """Windowed cosines, then sines, of each frequency, shape = (2 + 2 * (n_fft // 2), 1, n_fft)."""
    n_fft = len(window)
    steps = torch.arange(1 + n_fft // 2)[:, None] * torch.arange(n_fft) % n_fft  # exact: large angles lose digits
    angle = steps.double() * (2 * math.pi / n_fft)
    return (torch.cat([angle.cos(), angle.sin()]) * window.double()).float()[:, None]


def _dct_matrix(n_mfcc: int, n_mels: int) -> Tensor:
    """The first rows of the orthonormal discrete cosine transform (type II), shape = (n_mfcc, n_mels)."""
    angle = torch.arange(n_mfcc)[:, None] * (torch.arange(n_mels)[None, :] + 0.5) * (math.pi / n_mels)
    rows = torch.cos(angle) * math.sqrt(2 / n_mels)
    rows[:1] /= math.sqrt(2)
    return rows


def frame_mask(n_frames: Tensor, width: int) -> Tensor:
    """True where a frame belongs to the clip, shape = (B, width)."""
    return torch.arange(width, device=n_frames.device)[None, :] < n_frames[:, None]


def standardise_features(features: Tensor, mask: Tensor | None, per_row: bool = False) -> Tensor:
    """Features with zero mean and unit variance over each clip and channel; same shape.

    Args:
        features: shape = (B, C, n_bands, n_frames).
        mask: True where a frame belongs to its clip, shape = (B, 1, 1, n_frames); None when none is padded.
        per_row: over each row separately, as cepstral coefficients have different scales.
    """
    if mask is None:
        dims = (3,) if per_row else (2, 3)
        centred = features - features.mean(dims, keepdim=True)
        variance = centred.square().mean(dims, keepdim=True)
    else:
        count = mask.sum(dim=(2, 3), keepdim=True) * (1 if per_row else features.shape[2])
        centred = features - _sum_over_clip(features * mask, per_row) / count
        variance = _sum_over_clip(centred.square() * mask, per_row) / count
    return centred / (variance + 1e-2).sqrt()  # dB^2: a constant clip must not become noise


def _sum_over_clip(x: Tensor, per_row: bool) -> Tensor:
    """Sum over frames, then over bands: ONNX Runtime adds sequentially and loses four digits over both at once."""
    rows = x.sum(dim=3, keepdim=True)
    return rows if per_row else rows.sum(dim=2, keepdim=True)
