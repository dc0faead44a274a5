"""Measures speed on this machine, each figure beside what it is to be compared with.

python -m scripts.benchmark [--model NAME] [--json FILE]
"""

import argparse
import copy
import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch

from ser_core.audio import SAMPLE_RATE, read_audio
from ser_core.checkpoint import CheckpointError, load_model
from ser_core.features import FrontendConfig, LogMel
from ser_core.inference import analyse
from ser_core.models import SERModel, build_model
from ser_core.quality import quality, speech_segments
from ser_core.training import Batch, State, TrainConfig, step

SAMPLES = Path(__file__).parent.parent / "assets" / "samples"


def milliseconds(action: Callable[[], object], repeats: int) -> float:
    """Median time of one call after a warm-up call."""
    action()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def speech(duration_s: float) -> np.ndarray:
    """The shipped synthetic voices again and again, shape = (n_samples,)."""
    clips = [read_audio(path).waveform for path in sorted(SAMPLES.iterdir()) if path.suffix in (".flac", ".ogg")]
    return np.resize(np.concatenate(clips), round(duration_s * SAMPLE_RATE))


@torch.inference_mode()
def clip_of_three_seconds(model: SERModel) -> dict[str, float]:
    """One thread, as on the smallest machine."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    waveform = torch.from_numpy(speech(3.0))[None]
    features = model.frontend(waveform)
    result = {
        "3-s clip, features [ms]": milliseconds(lambda: model.frontend(waveform), 30),
        "3-s clip, model [ms]": milliseconds(lambda: model.head(model.encode(features)), 30),
        "3-s clip, features + model [ms]": milliseconds(lambda: model(waveform), 30),
        "3-s clip, speech detection [ms]": milliseconds(lambda: speech_segments(waveform[0].numpy()), 10),
    }
    torch.set_num_threads(n_threads)
    return result


def file_of_ten_minutes(model: SERModel) -> dict[str, float]:
    """From the bytes of a wav file to answer and trajectory, all cores."""
    file = io.BytesIO()
    soundfile.write(file, speech(600.0), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    waveform = read_audio(file).waveform

    def whole() -> None:
        decoded = read_audio(file).waveform
        analyse(model, decoded)

    return {
        "10-min file, decode [s]": milliseconds(lambda: read_audio(file), 1) / 1000,
        "10-min file, speech detection [s]": milliseconds(lambda: speech_segments(waveform), 1) / 1000,
        "10-min file, decode to answer and trajectory [s]": milliseconds(whole, 1) / 1000,
        "10-min file, quality report [s]": milliseconds(lambda: quality(waveform), 1) / 1000,
    }


@torch.inference_mode()
def features_against_librosa(model: SERModel) -> dict[str, float]:
    """The published path (librosa, 128 bands and two deltas, clip by clip) against LogMel: same settings, and ours."""
    config = FrontendConfig(n_fft=1024, win_length=400, hop_length=160, n_mels=128, deltas=2, normalise=False)
    ours, waveform = LogMel(config), speech(3.0)
    clip = torch.from_numpy(waveform)[None]

    def reference() -> None:
        mel = librosa.feature.melspectrogram(
            y=waveform, sr=SAMPLE_RATE, n_fft=1024, hop_length=160, win_length=400, n_mels=128
        )
        level_db = librosa.power_to_db(mel)
        np.stack([level_db, librosa.feature.delta(level_db), librosa.feature.delta(level_db, order=2)])

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    librosa_ms, same_ms = milliseconds(reference, 30), milliseconds(lambda: ours(clip), 30)
    model_ms = milliseconds(lambda: model.frontend(clip), 30)
    torch.set_num_threads(n_threads)
    return {
        "features by librosa, mel + 2 deltas [ms]": librosa_ms,
        "features by LogMel, the same [ms]": same_ms,
        "librosa / LogMel, the same": librosa_ms / same_ms,
        "librosa / the model's own features": librosa_ms / model_ms,
    }


def training() -> dict[str, float]:
    """ResoNet, batches of 2.5-s clips through forward, backward and optimiser, in float32 and in bf16."""
    rates = {}
    for name, bf16 in (("float32", False), ("bf16", True)):
        torch.manual_seed(0)
        model, config = build_model("resonet").train(), TrainConfig(bf16=bf16)
        state = State(model, copy.deepcopy(model), torch.optim.AdamW(model.parameters()))
        batch = random_batch(model, config.batch_size, 2.5)
        step_ms = milliseconds(lambda: step(state, batch, config, 1000), 5)  # noqa: B023 - called at once
        rates[name] = 1000 * config.batch_size / step_ms
    return {f"training, {name} [clips/s]": rate for name, rate in rates.items()} | {
        "bf16 / float32": rates["bf16"] / rates["float32"]
    }


def random_batch(model: SERModel, batch_size: int, duration_s: float) -> Batch:
    features = model.frontend(torch.randn(batch_size, round(duration_s * SAMPLE_RATE)))
    n_frames = torch.full((batch_size,), features.shape[-1])
    targets = torch.nn.functional.one_hot(torch.arange(batch_size) % len(model.config.labels)).float()
    return Batch(features, n_frames, targets, torch.ones(batch_size))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resonet")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    try:
        model = load_model(options.model, "cpu")
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return 2
    figures: dict[str, float] = {}
    for part in (
        lambda: clip_of_three_seconds(model),
        lambda: file_of_ten_minutes(model),
        lambda: features_against_librosa(model),
        training,
    ):
        for name, value in part().items():
            figures[name] = round(value, 3)
            print(f"{name:<52}{value:>10.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
