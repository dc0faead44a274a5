"""The network of Silero VAD, over full recordings at once.

The weights are those of the silero-vad package; the driver is our own. That of the package is called chunk by chunk and
keeps its state between calls; here the convolutions process many chunks at once, the recurrent state is local, and the
stretches of a long recording, or many short recordings, run at once: an hour takes seconds, and sessions can run
concurrently.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ser_core.progress import Progress, no_progress

SILERO_CHUNK = 512  # samples; step of Silero at 16 kHz
SILERO_CONTEXT = 64  # samples before the chunk that are part of the input
SILERO_BATCH_CHUNKS = 1024  # stays in the cache of a core
SILERO_FRAME = 256  # samples of a spectrum
SILERO_STRIDES = (1, 2, 2, 1)
N_UNITS = 128  # of the LSTM
GATES = [0, 1, 3, 2]  # input, forget, output and cell: the three with a sigmoid first
ENCODER_SHARE = 0.7  # of the time; the LSTM takes the rest

MIN_STRETCH, MAX_STRETCHES = 3750, 16  # chunks, 2 min; what one thread multiplies at once, see _lstm_steps
STRETCH_CONTEXT = 1875  # chunks, 60 s: after 10 s one chunk in 200 still differs by 0.05
STEPS_AT_ONCE = 512  # of the LSTM, between two reports of progress


@torch.inference_mode()
def speech_probabilities(
    waveform: np.ndarray, progress: Progress = no_progress, gain: float = 1.0, peak: float = np.inf
) -> np.ndarray:
    """Silero VAD's probability of speech for each chunk of 512 samples (32 ms).

    Args:
        waveform: 16 kHz, shape = (n_samples,).
        progress: called with the share that is done, in (0, 1].
        gain: factor of the waveform.
        peak: to which it is clipped then.

    Returns:
        float32 in [0, 1], shape = (ceil(n_samples / 512),).
    """
    weights = _silero_weights()
    n_chunks = -(-len(waveform) // SILERO_CHUNK)
    stretches = _Stretches.of(n_chunks)
    features = torch.zeros(stretches.n_padded, N_UNITS, dtype=torch.float32)
    for first in range(0, n_chunks, SILERO_BATCH_CHUNKS):
        encoded = _silero_encoder(_chunks(waveform, first, gain, peak), weights)
        features[first : first + len(encoded)] = encoded
        progress(ENCODER_SHARE * (first + len(encoded)) / n_chunks)
    return _silero_decoder(
        features, stretches, weights, lambda share: progress(ENCODER_SHARE + (1 - ENCODER_SHARE) * share)
    )[:n_chunks]


@torch.inference_mode()
def probabilities_of_short(waveforms: Sequence[np.ndarray], gains: Sequence[float]) -> list[np.ndarray]:
    """speech_probabilities of several recordings at once, each with its gain.

    Args:
        waveforms: 1 to MAX_STRETCHES of them, each with 1 to STEPS_AT_ONCE * SILERO_CHUNK samples.
    """
    weights = _silero_weights()
    chunks = [_chunks(waveform, 0, gain, np.inf) for waveform, gain in zip(waveforms, gains, strict=True)]
    encoded = torch.cat([_silero_encoder(part, weights) for part in torch.cat(chunks).split(SILERO_BATCH_CHUNKS)])
    lengths = [len(part) for part in chunks]
    state = np.zeros((2, max(len(chunks), 2), N_UNITS), np.float32)
    hidden = _lstm_steps(pad_sequence(encoded.split(lengths)), weights, state)  # the padding comes after the end
    return [row[:length] for row, length in zip(_silero_head(hidden, weights).T, lengths, strict=True)]


def _silero_head(hidden: np.ndarray, weights: dict[str, torch.Tensor]) -> np.ndarray:
    """Probabilities from the states of the LSTM: shape = (..., 128) -> (...)."""
    weight, bias = weights["decoder.decoder.2.weight"][0, :, 0], weights["decoder.decoder.2.bias"]
    return (torch.from_numpy(hidden).relu() @ weight + bias).sigmoid().numpy()


@dataclass(frozen=True)
class _Stretches:
    """Parts of a long recording through which the LSTM runs at once.

    All but the first begin STRETCH_CONTEXT chunks early, whose probabilities are dropped: the state has then forgotten
    that it began at zero.
    """

    n: int
    context: int  # chunks
    step: int  # chunks from one to the next

    @classmethod
    def of(cls, n_chunks: int) -> "_Stretches":
        n = min(max(n_chunks // MIN_STRETCH, 1), MAX_STRETCHES)
        context = STRETCH_CONTEXT if n > 1 else 0
        return cls(n, context, max(-(-(n_chunks - context) // n), 1))

    @property
    def n_padded(self) -> int:
        """Chunks with those that complete the last stretch."""
        return self.n * self.step + self.context

    def cut(self, rows: torch.Tensor) -> torch.Tensor:
        """(n_padded, ...) -> (n_steps, n, ...)."""
        return rows.unfold(0, self.step + self.context, self.step).permute(2, 0, 1)

    def join(self, probabilities: np.ndarray) -> np.ndarray:
        """(n_steps, n) -> (n_padded,)."""
        return np.concatenate([probabilities[:, 0], probabilities[self.context :, 1:].T.ravel()])


def _chunks(waveform: np.ndarray, first: int, gain: float, peak: float) -> torch.Tensor:
    """Up to SILERO_BATCH_CHUNKS chunks from the first on, each with its context, shape = (n_chunks, 576)."""
    start = first * SILERO_CHUNK - SILERO_CONTEXT
    piece = waveform[max(start, 0) : start + SILERO_CONTEXT + SILERO_BATCH_CHUNKS * SILERO_CHUNK]
    before = max(-start, 0)
    after = -(before + len(piece) - SILERO_CONTEXT) % SILERO_CHUNK
    padded = np.pad(np.clip(np.asarray(piece, np.float32) * np.float32(gain), -peak, peak), (before, after))
    return torch.from_numpy(padded).unfold(0, SILERO_CONTEXT + SILERO_CHUNK, SILERO_CHUNK)


def _silero_encoder(chunks: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """Chunks (n_chunks, 576) -> inputs of the LSTM (n_chunks, 128): spectra of four frames, convolved to one."""
    frames = F.pad(chunks[:, None], (0, 64), mode="reflect")[:, 0].unfold(1, SILERO_FRAME, SILERO_FRAME // 2)
    spectra = torch.fft.rfft(frames * torch.hann_window(SILERO_FRAME, dtype=torch.float32)).transpose(1, 2)
    features = (spectra.real.square() + spectra.imag.square()).sqrt()
    for layer, stride in enumerate(SILERO_STRIDES):
        name = f"encoder.{layer}.reparam_conv"
        features = F.conv1d(features, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, padding=1).relu()
    return features[:, :, 0]


def _silero_decoder(
    features: torch.Tensor, stretches: _Stretches, weights: dict[str, torch.Tensor], progress: Progress
) -> np.ndarray:
    """Probabilities of speech, shape = (n_padded,), from the inputs of the LSTM, shape = (n_padded, 128)."""
    inputs = stretches.cut(features)
    state, parts = np.zeros((2, max(stretches.n, 2), N_UNITS), np.float32), []
    for piece in inputs.split(STEPS_AT_ONCE):
        parts.append(_silero_head(_lstm_steps(piece, weights, state), weights))
        progress(sum(map(len, parts)) / len(inputs))
    return stretches.join(np.concatenate(parts))


def _lstm_steps(inputs: torch.Tensor, weights: dict[str, torch.Tensor], state: np.ndarray) -> np.ndarray:
    """Steps of the LSTM in numpy on one thread.

    torch distributes each of these thousands of tiny steps over all cores, and on a busy machine waits for the slowest
    core every time (measured: a thousand times slower). OpenBLAS leaves a product of up to MAX_STRETCHES rows and the
    128 columns of a gate to one thread, but not that of a single row: a second one then goes along.

    Args:
        inputs: shape = (n_steps, n_stretches, 128).
        state: hidden and cell state before the first step, shape = (2, max(n_stretches, 2), 128); changed in place.

    Returns:
        Hidden states, shape = (n_steps, n_stretches, 128).
    """
    gate_inputs, recurrent_weights = _gates(inputs, weights)
    hidden = np.empty((len(inputs), *state.shape[1:]), np.float32)
    gates = np.empty((4, *state.shape[1:]), np.float32)
    sigmoids, (input_gate, forget_gate, output_gate, new), (before, cell) = gates[:3], gates, state
    for gate_input, after in zip(gate_inputs, hidden, strict=True):  # in place: small calls are half the time
        np.matmul(before, recurrent_weights, out=gates)
        gates += gate_input
        np.tanh(gates, out=gates)
        sigmoids *= 0.5
        sigmoids += 0.5
        cell *= forget_gate
        new *= input_gate
        cell += new
        np.tanh(cell, out=after)
        after *= output_gate
        before = after
    state[0] = before
    return hidden[:, : inputs.shape[1]]


def _gates(inputs: torch.Tensor, weights: dict[str, torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """What the inputs add to the gates of each step, and the weights of the hidden state; the gates in axis -3.

    sigmoid(x) = 0.5 + 0.5 * tanh(x / 2): one tanh serves all four gates, those with a sigmoid first.
    """
    bias = weights["decoder.rnn.bias_ih"] + weights["decoder.rnn.bias_hh"]
    added = F.linear(inputs, weights["decoder.rnn.weight_ih"], bias).unflatten(2, (4, N_UNITS)).transpose(1, 2)
    recurrent = weights["decoder.rnn.weight_hh"].unflatten(0, (4, N_UNITS)).transpose(1, 2)
    slope = torch.tensor([0.5, 0.5, 0.5, 1.0], dtype=torch.float32)[:, None, None]
    return (added[..., GATES, :, :] * slope).numpy(), (recurrent[..., GATES, :, :] * slope).numpy()


@lru_cache(maxsize=1)
def _silero_weights() -> dict[str, torch.Tensor]:
    """Weights of the 16 kHz model. The package is not imported: its import would set torch to one thread globally.

    Raises:
        ModuleNotFoundError: the package with the weights is not installed.
    """
    package = find_spec("silero_vad")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("silero-vad is not installed: pip install silero-vad")
    weights = Path(package.origin).parent / "data" / "silero_vad.jit"
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of torch.jit itself
        return torch.jit.load(weights)._model.state_dict()
