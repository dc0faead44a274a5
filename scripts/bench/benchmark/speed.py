"""The steps of a clip, of a long recording and of training, each timed."""

import copy
import io
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

import lazy_loader
import numpy as np
import soundfile
import torch

from ser_core import paths
from ser_core.audio import (
    SAMPLE_RATE,
    FrontendConfig,
    LogMel,
    analysed_bounds,
    measure_quality,
    read_audio,
    speech_segments,
)
from ser_core.evaluation import median_ms, single_torch_thread
from ser_core.inference import extend_trajectory, label_segments, predict_windows, start_trajectory
from ser_core.models import SERModel, build_model
from ser_core.plots import spectrogram, waveform_envelope
from ser_core.training import TrainConfig, TrainingBatch, TrainingState, make_optimiser, training_step

librosa = lazy_loader.load("librosa")  # its import compiles for many seconds

Result = TypeVar("Result")


def speech(duration_s: float) -> np.ndarray:
    """The shipped synthetic voices again and again, shape = (n_samples,)."""
    voices = [path for path in sorted(paths.SAMPLES.glob("*.ogg")) if path.stem != "empty_room"]
    clips = [read_audio(path).waveform for path in voices]
    return np.resize(np.concatenate(clips), round(duration_s * SAMPLE_RATE))


@torch.inference_mode()
def clip_of_three_seconds(model: SERModel) -> dict[str, float]:
    """One thread, as on the smallest machine."""
    waveform = torch.from_numpy(speech(3.0))[None]
    with single_torch_thread():
        features = model.frontend(waveform)
        return {
            "3-s clip, features [ms]": median_ms(lambda: model.frontend(waveform)),
            "3-s clip, model [ms]": median_ms(lambda: model.classify(model.encode(features))),
            "3-s clip, features + model [ms]": median_ms(lambda: model(waveform)),
            "3-s clip, speech detection [ms]": median_ms(lambda: speech_segments(waveform[0].numpy()), 10),
        }


def file_of_ten_minutes(model: SERModel) -> dict[str, float]:
    """The steps of long_file for ten minutes of a wav file."""
    file = io.BytesIO()
    soundfile.write(file, speech(600.0), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return {f"10-min file, {name}": value for name, value in long_file(model, file).items()}


def long_file(model: SERModel, file: Path | BinaryIO) -> dict[str, float]:
    """Each step of a recording, once: decoding in seconds, all after it in processor time of all cores; and memory."""
    before_kb = peak_kb()
    waveform, decoding_s = once(lambda: read_audio(file).waveform, time.perf_counter)
    _, picture_s = once(lambda: (spectrogram(waveform), waveform_envelope(waveform)))
    segments, detection_s = once(lambda: speech_segments(waveform))
    _, quality_s = once(lambda: measure_quality(waveform))
    partial = start_trajectory(model, analysed_bounds(waveform, segments), segments)
    _, first_s = once(lambda: extend_trajectory(model, waveform, partial))
    found, all_s = once(lambda: predict_windows(model, waveform, hop_s=1.0, speech=segments))
    leading = found.probabilities.argmax(1)
    _, segments_s = once(lambda: label_segments(found, leading, segments, len(waveform) / SAMPLE_RATE))
    return {
        "decode [s]": decoding_s,
        "picture of the player, processor time [s]": picture_s,
        "speech detection, processor time [s]": detection_s,
        "speech detection and quality, processor time [s]": quality_s,
        "first 16 windows, processor time [s]": first_s,
        "windows every 1 s, processor time [s]": all_s,
        "segments, processor time [s]": segments_s,
        "peak of memory, more than before [MB]": (peak_kb() - before_kb) / 1024,
    }


def peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def once(step: Callable[[], Result], clock: Callable[[], float] = time.process_time) -> tuple[Result, float]:
    """What a step returns, and how long it took, in seconds."""
    started = clock()
    return step(), clock() - started


@torch.inference_mode()
def features_against_librosa() -> dict[str, float]:
    """The published path (librosa, 128 bands and two deltas, clip by clip) against LogMel: processor time."""
    config = FrontendConfig(n_fft=1024, win_length=400, hop_length=160, n_mels=128, deltas=2, normalise=False)
    ours, waveform = LogMel(config), speech(3.0)
    clip = torch.from_numpy(waveform)[None]

    def reference() -> None:
        mel = librosa.feature.melspectrogram(
            y=waveform, sr=SAMPLE_RATE, n_fft=1024, hop_length=160, win_length=400, n_mels=128
        )
        level_db = librosa.power_to_db(mel)
        np.stack([level_db, librosa.feature.delta(level_db), librosa.feature.delta(level_db, order=2)])

    with single_torch_thread():
        librosa_ms, same_ms = (median_ms(run, clock=time.process_time) for run in (reference, lambda: ours(clip)))
    return {
        "features by librosa, mel + 2 deltas [ms]": librosa_ms,
        "features by LogMel, the same [ms]": same_ms,
        "librosa / LogMel, the same": librosa_ms / same_ms,
    }


def training() -> dict[str, float]:
    """ResoNet, batches of 2.5-s clips through forward, backward and optimiser, in float32 and in bf16."""
    rates = {}
    for name, bf16 in (("float32", False), ("bf16", True)):
        torch.manual_seed(0)
        model, config = build_model("resonet").train(), TrainConfig(bf16=bf16)
        state = TrainingState(model, copy.deepcopy(model), make_optimiser(model, config))
        batch = random_batch(model, config.batch_size, 2.5)
        step_ms = median_ms(lambda: training_step(state, batch, config, 1000), 5)  # noqa: B023 - called at once
        rates[name] = 1000 * config.batch_size / step_ms
    return {f"training, {name} [clips/s]": rate for name, rate in rates.items()} | {
        "bf16 / float32": rates["bf16"] / rates["float32"]
    }


def random_batch(model: SERModel, batch_size: int, duration_s: float) -> TrainingBatch:
    features = model.frontend(torch.randn(batch_size, round(duration_s * SAMPLE_RATE)))
    n_frames = torch.full((batch_size,), features.shape[-1])
    targets = torch.nn.functional.one_hot(torch.arange(batch_size) % len(model.config.labels)).float()
    return TrainingBatch(features, n_frames, targets, torch.ones(batch_size))
