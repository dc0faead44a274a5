"""What every checkpoint costs, and the rows and sentences of the comparison."""

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict

from scripts.bench.benchmark.speed import speech
from ser_core.evaluation import BASELINE_MODEL, measure_cost, median_ms, single_torch_thread
from ser_core.inference import predict
from ser_core.models import CheckpointError, SERModel, available_models, checkpoint_folder, load_model


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
