"""The curves of a run as TensorBoard reads them."""

import sys
from itertools import count
from types import SimpleNamespace

import pytest

from ser_core.training import run_state
from ser_core.training.run_state import write_tensorboard_epoch

RECORD = {"epoch": 1, "loss": 2.0, "learning_rate": 1e-3, "dev_uar_savee": 0.25, "dev_confusion": {"savee": [[1]]}}


def curves(folder) -> dict[str, list[tuple[int, float]]]:
    """Name -> (epoch, value), as TensorBoard shows them."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {
        name: [(scalar.step, pytest.approx(scalar.value, rel=1e-6)) for scalar in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def test_every_number_of_an_epoch_becomes_a_curve(tmp_path):
    write_tensorboard_epoch(tmp_path, RECORD)
    write_tensorboard_epoch(tmp_path, RECORD | {"epoch": 2, "loss": 1.5})
    found = curves(tmp_path)
    assert set(found) == {"loss", "learning_rate", "dev_uar_savee"}
    assert found["loss"] == [(1, 2.0), (2, 1.5)]


def test_an_epoch_trained_again_replaces_its_first_curve(tmp_path, monkeypatch):
    """TensorBoard reads the files of a run in the order of the seconds in their names; an epoch takes longer."""
    writer, second = pytest.importorskip("tensorboard.summary.writer.event_file_writer"), count(1_000_000_000)
    monkeypatch.setattr(writer, "time", SimpleNamespace(time=lambda: next(second)))
    monkeypatch.setattr(writer, "_global_uid", writer.AtomicCounter(9))  # 10 sorts before 9
    for epoch, loss in ((1, 3.0), (2, 2.0), (2, 1.0)):
        write_tensorboard_epoch(tmp_path, RECORD | {"epoch": epoch, "loss": loss})
    assert curves(tmp_path)["loss"] == [(1, 3.0), (2, 1.0)]


def test_without_tensorboard_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.setattr(run_state, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    write_tensorboard_epoch(tmp_path / "run", RECORD)
    assert not (tmp_path / "run").exists()
