"""scripts.bench.kills: what was finished survives, and a loss is reported."""

from dataclasses import replace
from itertools import count

import pytest

from scripts.bench.kills import __main__ as kills, tasks

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def few_clips(monkeypatch):
    monkeypatch.setattr(tasks, "N_CLIPS", 24)
    monkeypatch.setattr(tasks, "N_ARCHIVED", 6)


def test_killed_tasks_end_with_the_same_result(capsys):
    names = ["--only", "training", "--only", "archive", "--only", "export"]
    assert kills.main(["--kills", "3", *names]) == 0, capsys.readouterr()


def test_another_result_and_a_loss_fail_the_run(monkeypatch, capsys):
    never_the_same, less = count(), count(0, -1)
    changed = replace(tasks.TASKS["export"], result=lambda folder: next(never_the_same))
    monkeypatch.setitem(tasks.TASKS, "export", changed)
    assert kills.main(["--kills", "1", "--only", "export"]) == 1
    assert "another result" in capsys.readouterr().out
    monkeypatch.setitem(tasks.TASKS, "export", replace(changed, progress=lambda folder: next(less)))
    assert kills.main(["--kills", "2", "--only", "export"]) == 1
    assert "finished work fell" in capsys.readouterr().out
