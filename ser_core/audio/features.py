"""Log-mel and MFCC front end, from waveform to features: the only module that reads n_fft and hop_length."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.audio.mel import mel_filters

DELTA_WIDTH = 9  # frames, librosa's default


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

    @property
    def n_bands(self) -> int:
        """Rows of the features."""
        return self.n_mfcc or self.n_mels


class LogMel(nn.Module):
    """Log-mel spectrogram in dB, equal to librosa's `power_to_db(melspectrogram(y, pad_mode="constant"))`.

    With `n_mfcc` its cepstral coefficients, equal to librosa's `mfcc(S=...)`.
    """

    mel: Tensor
    cosines: Tensor
    window: Tensor

    def __init__(self, config: FrontendConfig):
        super().__init__()
        self.config = config
        # Derived from the config, hence not part of a checkpoint.
        self.register_buffer("mel", _mel_filters(config, config.n_fft), persistent=False)
        self.register_buffer("cosines", _dct_matrix(config.n_mfcc, config.n_mels), persistent=False)
        self.register_buffer("window", torch.hann_window(config.win_length), persistent=False)
        for length in config.more_windows:
            self.register_buffer(f"mel_{length}", _mel_filters(config, length), persistent=False)
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

    def _decibels(self, waveform: Tensor, n_frames: Tensor | None, window: Tensor, mel: Tensor) -> Tensor:
        c = self.config
        power = mel.float() @ self._power(waveform.float(), window, 2 * (mel.shape[1] - 1))
        if n_frames is not None:
            power = power * frame_mask(n_frames, power.shape[2])[:, None]
        level_db = 10 * torch.log10(power.clamp_min(1e-10))
        return torch.maximum(level_db, level_db.amax(dim=(1, 2), keepdim=True) - c.top_db)

    def _power(self, waveform: Tensor, window: Tensor, n_fft: int) -> Tensor:
        """Power spectrogram, shape = (B, 1 + n_fft // 2, n_frames)."""
        hop_length = self.config.hop_length
        spectrum = torch.stft(
            waveform, n_fft, hop_length, len(window), window.float(), True, "constant", return_complex=True
        )
        return spectrum.real.square() + spectrum.imag.square()

    def forward(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """Features of a padded batch.

        Args:
            waveform: shape = (B, n_samples), in [-1, 1].
            n_samples: true length of each clip, shape = (B,); None when none is padded.

        Returns:
            shape = (B, n_channels, n_bands, n_frames); zero behind the end of shorter clips.
        """
        if n_samples is None:
            n_samples = waveform.new_full((len(waveform),), waveform.shape[1], dtype=torch.long)
        n_frames = self.n_frames(n_samples)
        bands = self.decibels(waveform, n_frames)
        bands = self.cosines.float() @ bands if self.config.n_mfcc else bands
        channels = [bands] + [
            self._decibels(waveform, n_frames, getattr(self, f"window_{length}"), getattr(self, f"mel_{length}"))
            for length in self.config.more_windows
        ]
        channels += [self._delta(bands, n_frames, order + 1) for order in range(self.config.deltas)]
        features = torch.stack(channels, dim=1)
        mask = frame_mask(n_frames, features.shape[-1])[:, None, None, :]
        if self.config.normalise:
            features = standardise_features(features, mask, per_row=self.config.n_mfcc > 0)
        return features * mask

    def _delta(self, bands: Tensor, n_frames: Tensor, order: int) -> Tensor:
        """Savitzky-Golay derivative; frames near an end take the value of the nearest complete window, as in librosa.

        It is zero for clips shorter than the window of the derivative.
        """
        from scipy.signal import savgol_coeffs  # slow to import, and no shipped model has deltas

        width = bands.shape[2]
        padded = F.pad(bands, (0, DELTA_WIDTH - 1))  # one window per frame; no complete window reaches into the padding
        kernel = savgol_coeffs(DELTA_WIDTH, polyorder=order, deriv=order, use="dot")
        slope = sum(weight * padded[..., i : i + width] for i, weight in enumerate(kernel.tolist()))
        window = torch.arange(width, device=bands.device) - DELTA_WIDTH // 2
        window = window.clamp_min(0).minimum((n_frames[:, None] - DELTA_WIDTH).clamp_min(0))
        complete = (n_frames >= DELTA_WIDTH)[:, None, None]
        return slope.gather(2, window[:, None].expand(-1, bands.shape[1], -1)) * complete


class ConvolvedLogMel(LogMel):
    """LogMel with the Fourier transform as a convolution, for runtimes without complex numbers."""

    def _power(self, waveform: Tensor, window: Tensor, n_fft: int) -> Tensor:
        margin = n_fft // 2
        padded = F.pad(waveform[:, None], (margin, margin))
        waves = F.conv1d(padded, _fourier_kernels(window, n_fft), stride=self.config.hop_length)
        real, imaginary = waves.chunk(2, dim=1)
        return real.square() + imaginary.square()


def _fourier_kernels(window: Tensor, n_fft: int) -> Tensor:
    """Windowed cosines, then sines, of each frequency, shape = (2 + 2 * (n_fft // 2), 1, n_fft)."""
    missing = n_fft - len(window)
    windowed = F.pad(window.double(), (missing // 2, missing - missing // 2))
    steps = torch.arange(1 + n_fft // 2)[:, None] * torch.arange(n_fft) % n_fft  # exact: large angles lose digits
    angle = steps.double() * (2 * math.pi / n_fft)
    return (torch.cat([angle.cos(), angle.sin()]) * windowed).float()[:, None]


def _mel_filters(config: FrontendConfig, n_fft: int) -> Tensor:
    """Triangular mel filters, shape = (n_mels, 1 + n_fft // 2)."""
    c = config
    return torch.from_numpy(mel_filters(c.sample_rate, n_fft, c.n_mels, c.fmin, c.fmax))


def _dct_matrix(n_mfcc: int, n_mels: int) -> Tensor:
    """The first rows of the orthonormal discrete cosine transform (type II), shape = (n_mfcc, n_mels)."""
    angle = torch.arange(n_mfcc)[:, None] * (torch.arange(n_mels)[None, :] + 0.5) * (math.pi / n_mels)
    rows = torch.cos(angle) * math.sqrt(2 / n_mels)
    rows[:1] /= math.sqrt(2)
    return rows


def frame_mask(n_frames: Tensor, width: int) -> Tensor:
    """True where a frame belongs to the clip, shape = (B, width)."""
    return torch.arange(width, device=n_frames.device)[None, :] < n_frames[:, None]


def standardise_features(features: Tensor, mask: Tensor, per_row: bool = False) -> Tensor:
    """Features with zero mean and unit variance over each clip and channel; same shape.

    Args:
        features: shape = (B, C, n_bands, n_frames).
        mask: True where a frame belongs to its clip, shape = (B, 1, 1, n_frames).
        per_row: over each row separately, as cepstral coefficients have different scales.
    """
    count = mask.sum(dim=(2, 3), keepdim=True) * (1 if per_row else features.shape[2])
    mean = _sum_over_clip(features * mask, per_row) / count
    variance = _sum_over_clip((features - mean).square() * mask, per_row) / count
    return (features - mean) / (variance + 1e-2).sqrt()  # dB^2: a constant clip must not become noise


def _sum_over_clip(x: Tensor, per_row: bool) -> Tensor:
    """Sum over frames, then over bands: ONNX Runtime adds sequentially and loses four digits over both at once."""
    rows = x.sum(dim=3, keepdim=True)
    return rows if per_row else rows.sum(dim=2, keepdim=True)
