"""Measures speed on this machine, each figure next to its reference.

python -m scripts.bench.benchmark [--model NAME] [--json FILE]
python -m scripts.bench.benchmark --long FILE       only a recording of your own, e.g. of an hour

Ends with a table of what each model costs, measured now, and its comparison with openSMILE and an SVM.
"""

import argparse
import copy
import io
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, TypeVar

import lazy_loader
import numpy as np
import soundfile
import torch

from scripts.tables import print_table
from ser_core import paths
from ser_core.audio import (
    SAMPLE_RATE,
    AudioError,
    FrontendConfig,
    LogMel,
    analysed_bounds,
    measure_quality,
    read_audio,
    speech_segments,
)
from ser_core.data import ProtocolError
from ser_core.evaluation import (
    BASELINE_MODEL,
    ResultError,
    compare_with_baseline,
    cost_table,
    measure_cost,
    median_ms,
    single_torch_thread,
)
from ser_core.inference import (
    extend_trajectory,
    label_segments,
    predict,
    predict_windows,
    start_trajectory,
)
from ser_core.metrics import round_floats
from ser_core.models import CheckpointError, SERModel, available_models, build_model, checkpoint_folder, load_model
from ser_core.plots import spectrogram, waveform_envelope
from ser_core.training import TrainConfig, TrainingBatch, TrainingState, make_optimiser, training_step

librosa = lazy_loader.load("librosa")  # its import compiles for many seconds

SAMPLES = paths.SAMPLES
Result = TypeVar("Result")


def speech(duration_s: float) -> np.ndarray:
    """The shipped synthetic voices again and again, shape = (n_samples,)."""
    clips = [read_audio(path).waveform for path in sorted(SAMPLES.iterdir()) if path.suffix in (".flac", ".ogg")]
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
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
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
        "peak of memory, more than before [MB]": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb)
        / 1024,
    }


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


# --- all models ------------------------------------------------------------------------------------------------------


def costs() -> dict[str, dict]:
    """Of every checkpoint, measured now: ser_core.evaluation.cost.ModelCost, and the seconds it takes to load."""
    found = {}
    for name in available_models():
        started = time.perf_counter()
        try:
            model = load_model(name, "cpu")
        except CheckpointError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        load_s = time.perf_counter() - started
        found[name] = asdict(measure_cost(model, checkpoint_folder(name))) | {
            "load_s": load_s,
            "predict_cpu_ms": predict_cpu_ms(model),
        }
    return found


def predict_cpu_ms(model: SERModel) -> float:
    """Processor time of `predict` for 3 s of speech, speech detection included, on one thread, in milliseconds."""
    waveform = speech(3.0)
    with single_torch_thread():
        return median_ms(lambda: predict(model, waveform), clock=time.process_time)


def sentences(baseline: dict[str, dict]) -> Iterator[str]:
    """The result of compare_with_baseline, one sentence for each test part."""
    for split, row in baseline.items():
        difference = 100 * row["uar_difference"]
        kind = f"fastest network above {BASELINE_MODEL}" if difference > 0 else "fastest network, none is better,"
        yield (
            f"{split}: {kind} is {row['model']}, {row['times_faster']:.1f} times faster, "
            f"UAR {difference:+.1f} points (mean of the corpora)"
        )
    if not baseline:
        yield f"No test part has results of {BASELINE_MODEL} and of a network, both measured here and shipped."


MODEL_COLUMNS = (
    *("model", "parameters", "MACs per 3 s [10^6]", "size [MB]", "load [s]", "3-s clip to logits [ms]"),
    *("prediction of 3 s, processor time [ms]", "times faster than openSMILE + SVM"),
)
COST_KEYS = ("n_parameters", "macs_per_3_s_clip", "size_mb", "latency_ms", "load_s", "predict_cpu_ms")
NOTHING = "-"


def model_rows(models: dict[str, dict]) -> Iterator[tuple[str, ...]]:
    """The cells of MODEL_COLUMNS, for each model that was measured."""
    for name, m in models.items():
        if m["load_s"] is not None:
            macs = m["macs_per_3_s_clip"]
            yield (
                *(name, _cell(m["n_parameters"], ",d"), _cell(macs and macs / 1e6, ",.0f")),
                *(
                    _cell(m["size_mb"], ".1f"),
                    _cell(m["load_s"], ".2f"),
                    _cell(m["latency_ms"], ".1f"),
                    _cell(m.get("predict_cpu_ms"), ".1f"),
                ),
                _cell(m["times_faster"], ".1f"),
            )


def _cell(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resonet", help="the one that is looked at closely")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--long", type=Path, metavar="FILE", help="measure only this recording")
    options = parser.parse_args(arguments)
    try:
        model = load_model(options.model, "cpu")
        if options.long:
            speech_segments(speech(3.0)), measure_quality(speech(3.0))  # loads what they need
            print_figures(long_file(model, options.long))
            return 0
        figures = closely(model)
        measured = costs()
        models = cost_table(measured)
    except (AudioError, CheckpointError, ProtocolError, ResultError) as error:
        print(error, file=sys.stderr)
        return 2
    if measured:
        largest = max(measured.values(), key=lambda entry: entry["size_mb"])
        figures["largest checkpoint, load [s]"] = largest["load_s"]
    baseline = compare_with_baseline(models)
    print_table(MODEL_COLUMNS, model_rows(models), n_left=0)
    print("\n".join(sentences(baseline)))
    if options.json:
        written = figures | {"models": models, "yardstick": baseline}
        options.json.write_text(json.dumps(round_floats(written), indent=1) + "\n")
    return 0


def closely(model: SERModel) -> dict[str, float]:
    """Everything that is measured of one model; printed as it comes."""
    figures = {}
    for part in (
        lambda: clip_of_three_seconds(model),
        lambda: file_of_ten_minutes(model),
        features_against_librosa,
        training,
    ):
        figures |= print_figures(part())
    return figures


def print_figures(figures: dict[str, float]) -> dict[str, float]:
    """The figures again, after printing them."""
    print("\n".join(f"{name:<52}{value:>10.2f}" for name, value in figures.items()), flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())
