"""Cost of a model: parameters, multiply-accumulates, size on disk, latency; and cost against accuracy of all models."""

import inspect
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ser_core.evaluation.cross_validation import mean_over_corpora
from ser_core.evaluation.results import EvaluationResult, is_shipped, list_results, load_result
from ser_core.metrics import pareto_front
from ser_core.models import SERModel, weights_files

BASELINE_MODEL = "svm-egemaps"  # opensmile's functionals and an SVM: what every neural model is compared with
COST_CLIP_S = 3.0
N_LATENCY_RUNS, LATENCY_BUDGET_S = 30, 3.0


@dataclass(frozen=True)
class ModelCost:
    """Cost of one prediction; None where a figure is not defined for the model."""

    n_parameters: int | None  # None: not a neural network
    macs_per_3_s_clip: int | None  # multiply-accumulates of its layers, without the features
    size_mb: float | None  # all files of weights it needs, in 1e6 bytes; None when no folder was given
    latency_ms: float  # of a 3-s clip from waveform to logits, median, on one thread of the CPU


def measure_cost(model: SERModel, folder: Path | None = None) -> ModelCost:
    """Measures the cost of a model on this machine.

    Args:
        model: in eval mode; anything else would measure dropout and disturb batch norm.
        folder: its checkpoint, for the size on disk.

    Raises:
        ValueError: the model is in training mode.
        FileNotFoundError: no weights in the folder.
    """
    if model.training:
        raise ValueError("The cost of a model is measured in eval mode: call model.eval() first.")
    n_parameters = model.n_parameters() or None
    return ModelCost(
        n_parameters=n_parameters,
        macs_per_3_s_clip=count_macs(model, lambda: _run_clip(model)) if n_parameters else None,
        size_mb=None if folder is None else weights_size_mb(model, folder),
        latency_ms=latency_ms(model),
    )


def weights_size_mb(model: SERModel, folder: Path) -> float:
    """Size of weights_files(), in 1e6 bytes: with the shared encoder and the members of a fusion, each counted once."""
    return sum(file.stat().st_size for file in weights_files(model, folder)) / 1e6


def latency_ms(model: SERModel) -> float:
    """Median time of a 3-s clip from waveform to logits, on one thread of the CPU, in milliseconds."""
    device = model.device
    with single_torch_thread():
        try:
            model.cpu()
            return median_ms(lambda: _run_clip(model))
        finally:
            model.to(device)


def median_ms(
    action: Callable[[], object],
    n_runs: int = N_LATENCY_RUNS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Median time of one call after a warm-up call, in milliseconds.

    Args:
        n_runs: maximum number of timed calls; after LATENCY_BUDGET_S no further call starts, but for the first three.
        clock: in seconds; time.process_time is the same on a machine that others use too.
    """
    action()
    times_s: list[float] = []
    while len(times_s) < min(n_runs, 3) or (len(times_s) < n_runs and sum(times_s) < LATENCY_BUDGET_S):
        started = clock()
        action()
        times_s.append(clock() - started)
    return 1000 * statistics.median(times_s)


@contextmanager
def single_torch_thread() -> Iterator[None]:
    """PyTorch on one thread, as on the smallest machine."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


@torch.inference_mode()
def _run_clip(model: SERModel) -> Tensor:
    n_samples = round(COST_CLIP_S * model.sample_rate)
    time_s = torch.arange(n_samples) / model.sample_rate
    harmonics = (torch.sin(2 * torch.pi * 150 * k * time_s) / k for k in range(1, 8))  # voiced, for pitch trackers
    return model((0.1 * sum(harmonics, torch.zeros(n_samples)))[None].to(model.device))


def count_macs(model: nn.Module, run: Callable[[], object]) -> int:
    """Multiply-accumulates of the convolution, linear, recurrent and attention layers that `run` passes through.

    Norms, activations and pooling are not counted, as is usual.

    Args:
        model: any network.
        run: calls it once.
    """
    counts: list[int] = []

    def add(module: nn.Module, args: tuple, kwargs: dict, output) -> None:
        counts.append(_macs(module, args, kwargs, output))

    hooks = [module.register_forward_hook(add, with_kwargs=True) for module in model.modules()]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return sum(counts)


def _macs(module: nn.Module, args: tuple, kwargs: dict, output) -> int:
    """Multiply-accumulates of one call of a layer; 0 for a container, whose layers are counted themselves."""
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        return output.numel() * module.weight[0].numel()
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    if isinstance(module, nn.RNNBase):
        return _n_sequence_steps(args[0], module.input_size) * sum(_matrix_sizes(module))
    if isinstance(module, nn.MultiheadAttention):
        return _attention_macs(module, *args, **kwargs)
    if hasattr(module, "q_proj") and hasattr(module, "k_proj"):  # of Whisper or wav2vec2; its projections are Linear
        states = inspect.signature(module.forward).bind(*args, **kwargs).args[0]
        return _attention_products(states, states, batch_first=True)
    return 0


def _n_sequence_steps(sequence: Tensor | PackedSequence, input_size: int) -> int:
    """Steps over all clips of the batch; the padding of a packed sequence is never computed."""
    return (sequence.data if isinstance(sequence, PackedSequence) else sequence).numel() // input_size


def _matrix_sizes(rnn: nn.RNNBase) -> Iterator[int]:
    """Weights used at each step: of all gates, layers and directions."""
    return (p.numel() for name, p in rnn.named_parameters() if name.startswith("weight"))


def _attention_macs(module: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor, *_, **__) -> int:
    """Projections and products: in_proj is not a layer and out_proj is not called: no other hook counts them."""
    width = module.embed_dim
    projected = 2 * query.numel() + key.numel() + value.numel()  # the query's second is the output projection
    return projected * width + _attention_products(query, key, module.batch_first)


def _attention_products(query: Tensor, key: Tensor, batch_first: bool) -> int:
    """Query times key, then weights times value, over all heads: every query meets every key of its clip."""
    n_keys = key.shape[1 if batch_first and key.ndim == 3 else 0]
    return 2 * query.numel() * n_keys


def cost_table(measured: dict[str, dict]) -> dict[str, dict]:
    """Cost and recorded UAR of every model, the fastest first.

    Args:
        measured: the fields of ModelCost, load_s and predict_cpu_ms of each checkpoint, measured at the same time. A
            model without one has the cost in its result file, of another time, so it is compared with no other.

    Returns:
        By model: the cost, times_faster (predictions, speech detection included, against BASELINE_MODEL; None where not
        comparable), and results of shipped weights: by test part, uar (mean of the corpora), corpora (UAR by corpus)
        and, for the measured models, pareto (see mark_pareto_front).

    Raises:
        ResultError: a damaged result file.
    """
    table = {name: entry | {"results": {}} for name, entry in measured.items()}
    for result in map(load_result, list_results()):
        if not result.leak and is_shipped(result):
            entry = table.setdefault(result.model, result.cost | {"load_s": None, "results": {}})
            entry["results"][result.split] = _recorded_uar(result)
    baseline_ms = measured.get(BASELINE_MODEL, {}).get("predict_cpu_ms")
    for entry in table.values():
        own_ms = entry.get("predict_cpu_ms")
        entry["times_faster"] = baseline_ms / own_ms if baseline_ms and own_ms else None
    mark_pareto_front({name: table[name] for name in measured})
    return dict(sorted(table.items(), key=lambda item: item[1]["latency_ms"]))


def _recorded_uar(result: EvaluationResult) -> dict:
    corpora = {corpus: scores["uar"] for corpus, scores in result.metrics["corpora"].items()}
    return {"uar": mean_over_corpora(result.metrics, "uar"), "corpora": corpora}


def mark_pareto_front(table: dict[str, dict]) -> None:
    """Adds `pareto` to each result: whether its model is on the pareto_front of that test part."""
    for split in {split for entry in table.values() for split in entry["results"]}:
        own = {name: entry["results"][split] for name, entry in table.items() if split in entry["results"]}
        front = pareto_front({name: (table[name]["latency_ms"], result["uar"]) for name, result in own.items()})
        for name, result in own.items():
            result["pareto"] = name in front


def compare_with_baseline(table: dict[str, dict]) -> dict[str, dict]:
    """The fastest neural model above BASELINE_MODEL in each test part; if none is above, the fastest.

    Args:
        table: result of cost_table.

    Returns:
        By test part: model, times_faster and uar_difference; empty where the baseline was not measured.
    """
    found = {}
    for split, baseline in table.get(BASELINE_MODEL, {"results": {}})["results"].items():
        rows = [
            {"model": name, "times_faster": entry["times_faster"], "uar_difference": result["uar"] - baseline["uar"]}
            for name, entry in table.items()
            if entry["n_parameters"] and entry["times_faster"] and (result := entry["results"].get(split))
        ]
        if rows:
            found[split] = max(rows, key=lambda row: (row["uar_difference"] > 0, row["times_faster"]))
    return found
