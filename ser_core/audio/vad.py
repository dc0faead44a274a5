"""Voice activity detection with Silero VAD, over a full recording at once.

The weights are those of the silero-vad package; the driver is our own. That of the package is called chunk by chunk and
keeps its state between calls; here the convolutions process many chunks at once and the recurrent state is local, so
that an hour takes seconds and several sessions can run concurrently.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from ser_core.audio.io import SAMPLE_RATE
from ser_core.audio.windows import SpeechSegments, has_knock, loudest_and_lasting_level
from ser_core.progress import Progress, no_progress

SILERO_CHUNK = 512  # samples; step of Silero at 16 kHz
SILERO_CONTEXT = 64  # samples before the chunk that are part of the input
SILERO_BATCH_CHUNKS = 4096  # bounds the memory of the convolutions
SILERO_STRIDES = (1, 2, 2, 1)

VAD_ONSET, VAD_OFFSET = 0.5, 0.35  # probabilities; defaults of Silero, as are the durations
VAD_MIN_SEGMENT_S = 0.25
VAD_MIN_SILENCE_S = 0.1
VAD_PAD_S = 0.03
VAD_TARGET_RMS = 0.1  # -20 dBFS, the level that Silero expects: 40 dB lower it misses nine clips of ten
VAD_MAX_GAIN = 100.0  # 40 dB; below that there is only converter noise


def speech_segments(waveform: np.ndarray, progress: Progress = no_progress) -> SpeechSegments:
    """Speech segments of a recording, by Silero VAD.

    Args:
        waveform: 16 kHz, shape = (n_samples,); 10 minutes take well under a second.
        progress: called with the share that is done, in (0, 1].

    Returns:
        (start_s, end_s) of each speech segment, in seconds, ordered and disjoint; a segment is longer than 0.25 s.
    """
    if len(waveform) <= VAD_MIN_SEGMENT_S * SAMPLE_RATE:
        return ()
    pad = round(VAD_PAD_S * SAMPLE_RATE)
    segments = []
    for first, end in _speech_runs(_probabilities_at_speech_level(waveform, progress)):
        start, stop = first * SILERO_CHUNK, min(end * SILERO_CHUNK, len(waveform))
        if stop - start > VAD_MIN_SEGMENT_S * SAMPLE_RATE:
            segments.append((max(start - pad, 0) / SAMPLE_RATE, min(stop + pad, len(waveform)) / SAMPLE_RATE))
    return tuple(segments)


def _probabilities_at_speech_level(waveform: np.ndarray, progress: Progress) -> np.ndarray:
    """The probability of speech for each chunk, with the loudest chunk at the level of speech, shape = (n_chunks,).

    Quiet recordings are detected too. After a knock, speech is as quiet as silence: then the higher of two
    probabilities counts, with and without the knock.
    """
    loudest, lasting = loudest_and_lasting_level(waveform)
    probabilities = speech_probabilities(waveform * _gain(loudest), progress)
    if not has_knock(waveform):
        return probabilities
    return np.maximum(probabilities, speech_probabilities(np.clip(waveform * _gain(lasting), -1, 1)))


def _gain(level: float) -> float:
    return min(VAD_TARGET_RMS / max(level, 1e-9), VAD_MAX_GAIN)


@torch.inference_mode()
def speech_probabilities(waveform: np.ndarray, progress: Progress = no_progress) -> np.ndarray:
    """Silero VAD's probability of speech for each chunk of 512 samples (32 ms).

    Args:
        waveform: 16 kHz, shape = (n_samples,).
        progress: called with the share that is done, in (0, 1].

    Returns:
        float32 in [0, 1], shape = (ceil(n_samples / 512),).
    """
    weights = _silero_weights()
    padded = np.pad(np.asarray(waveform, np.float32), (SILERO_CONTEXT, -len(waveform) % SILERO_CHUNK))
    chunks = torch.from_numpy(padded).unfold(0, SILERO_CONTEXT + SILERO_CHUNK, SILERO_CHUNK)
    recurrent_weights = weights["decoder.rnn.weight_hh"].numpy()
    state, parts = np.zeros((2, recurrent_weights.shape[1]), np.float32), []
    for first, batch in zip(range(0, len(chunks), SILERO_BATCH_CHUNKS), chunks.split(SILERO_BATCH_CHUNKS), strict=True):
        hidden, state = _silero_lstm(_silero_encoder(batch, weights).numpy(), recurrent_weights, state)
        parts.append(torch.from_numpy(hidden))
        progress((first + len(batch)) / len(chunks))
    logits = torch.cat(parts).relu() @ weights["decoder.decoder.2.weight"][0, :, 0] + weights["decoder.decoder.2.bias"]
    return logits.sigmoid().numpy()


def _silero_encoder(chunks: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """Chunks (n_chunks, 576) -> inputs of the LSTM gates (n_chunks, 512): spectra of four frames, convolved to one."""
    frames = F.pad(chunks[:, None], (0, 64), mode="reflect")
    spectra = F.conv1d(frames, weights["stft.forward_basis_buffer"], stride=128)
    real, imaginary = spectra.chunk(2, dim=1)
    features = (real.square() + imaginary.square()).sqrt()
    for layer, stride in enumerate(SILERO_STRIDES):
        name = f"encoder.{layer}.reparam_conv"
        features = F.conv1d(features, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, padding=1).relu()
    bias = weights["decoder.rnn.bias_ih"] + weights["decoder.rnn.bias_hh"]
    return F.linear(features[:, :, 0], weights["decoder.rnn.weight_ih"], bias)


def _silero_lstm(
    gate_inputs: np.ndarray, recurrent_weights: np.ndarray, state: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """LSTM over the chunks, in numpy on one thread.

    torch distributes each of these thousands of tiny steps over all cores, and on a busy machine waits for the slowest
    core every time (measured: a thousand times slower).

    Args:
        gate_inputs: shape = (n_chunks, 512).
        recurrent_weights: shape = (512, 128).
        state: hidden and cell state before the first chunk, shape = (2, 128).

    Returns:
        Hidden states, shape = (n_chunks, 128), and the state after the last chunk, shape = (2, 128).
    """
    n_units = recurrent_weights.shape[1]
    hidden, cell = np.zeros((len(gate_inputs) + 1, n_units), np.float32), state[1]
    hidden[0] = state[0]
    # sigmoid(x) = 0.5 + 0.5 * tanh(x / 2): one tanh serves all four gates
    slope = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), n_units)
    gate_inputs, recurrent_weights = gate_inputs * slope, recurrent_weights * slope[:, None]
    for step, gate_input in enumerate(gate_inputs):
        gates = np.tanh(gate_input + np.vecdot(recurrent_weights, hidden[step]))  # one thread; matmul may use all
        input_gate, forget_gate, _, output_gate = (0.5 + 0.5 * gates).reshape(4, n_units)
        cell = forget_gate * cell + input_gate * gates[2 * n_units : 3 * n_units]
        hidden[step + 1] = output_gate * np.tanh(cell)
    return hidden[1:], np.stack([hidden[-1], cell])


@lru_cache(maxsize=1)
def _silero_weights() -> dict[str, torch.Tensor]:
    """Weights of the 16 kHz model. The package is not imported: its import would set torch to one thread globally.

    Raises:
        ModuleNotFoundError: the package with the weights is not installed.
    """
    package = find_spec("silero_vad")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("silero-vad is not installed: pip install silero-vad")
    return torch.jit.load(Path(package.origin).parent / "data" / "silero_vad.jit")._model.state_dict()


def _speech_runs(probabilities: np.ndarray) -> list[tuple[int, int]]:
    """(first, end) chunks of runs from VAD_ONSET on, up to a silence (below VAD_OFFSET) of VAD_MIN_SILENCE_S."""
    runs, first, silent_from = [], None, None
    for chunk, probability in enumerate(probabilities.tolist()):
        if probability >= VAD_ONSET:
            first, silent_from = chunk if first is None else first, None
        elif probability < VAD_OFFSET and first is not None:
            silent_from = chunk if silent_from is None else silent_from
            if (chunk - silent_from) * SILERO_CHUNK >= VAD_MIN_SILENCE_S * SAMPLE_RATE:
                runs.append((first, silent_from))
                first, silent_from = None, None
    return runs if first is None else [*runs, (first, len(probabilities))]
