"""The curves of a run for TensorBoard, beside metrics.jsonl: tensorboard --logdir runs."""

from importlib.util import find_spec
from pathlib import Path


def write_tensorboard_epoch(folder: Path, record: dict) -> None:
    """Adds the numbers of one epoch; does nothing where TensorBoard is not installed.

    Args:
        folder: of the run.
        record: one line of metrics.jsonl: "epoch" and what was measured in it; what is no number is left out.
    """
    if find_spec("tensorboard") is None:
        return
    from torch.utils.tensorboard import SummaryWriter  # optional, and slow to import

    epoch = record["epoch"]
    # An epoch that was interrupted and trained again replaces its earlier curve.
    with SummaryWriter(folder, purge_step=epoch) as writer:
        for name, value in record.items():
            if isinstance(value, int | float) and name != "epoch":
                writer.add_scalar(name, value, epoch)
