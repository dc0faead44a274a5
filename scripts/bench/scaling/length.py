"""What a recording costs, by its length."""

import torch

from scripts.bench.benchmark.speed import speech
from scripts.bench.scaling.costs import alone, measured
from ser_core.inference import predict_windows
from ser_core.models import FAST_MODEL, load_model

DURATIONS_S = (3, 10, 30, 60, 300, 600, 1800, 3600)


def length_costs() -> list[dict]:
    """A row for each length."""
    return [alone(length_cost, float(duration_s)) for duration_s in DURATIONS_S]


def length_cost(duration_s: float) -> dict:
    """Speech detection and a window every second, on one thread, of a decoded recording."""
    torch.set_num_threads(1)
    model, waveform, row = load_model(FAST_MODEL, "cpu"), speech(duration_s), {"duration_s": duration_s}
    predict_windows(model, speech(3.0), hop_s=1.0)  # loads what it needs
    with measured(row, "all"):
        predict_windows(model, waveform, hop_s=1.0)
    return row
