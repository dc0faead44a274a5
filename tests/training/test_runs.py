"""Training runs on disk and the part "Training" of the page "Models": finished, under way, torn, and none at all."""

import json
import math
import os
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ser_core import paths
from ser_core.models.names import DEFAULT_MODEL
from ser_core.models.registry import MODELS
from ser_core.training.experiments import read_experiments
from ser_core.training.recipes import COMMON_RECIPE
from ser_core.training.runs import config_differences, list_runs
from tests.make_page import open_page, texts

pytestmark = pytest.mark.slow


def write_run(folder: Path, n_done: int, n_epochs: int = 3, age_s: float = 0.0, dev: bool = True, **changes) -> None:
    folder.mkdir(parents=True)
    recipe = replace(COMMON_RECIPE, epochs=n_epochs, **changes)
    config = {"train": asdict(recipe), "model": MODELS["resonet"][1].to_dict(), "start": ""}
    command = f"python -m scripts.train resonet --run {folder.name}"
    (folder / "config.json").write_text(json.dumps(config | {"command": command}))
    matrix = [[int(i == j) for j in range(8)] for i in range(8)]
    for epoch in range(1, n_done + 1):
        record = {"epoch": epoch, "loss": 2 - 0.1 * epoch, "learning_rate": 1e-3, "seconds": 60.0, "clips_per_s": 50.0}
        record |= {"dev_uar_tess": 0.3 * epoch} if dev else {}
        record["dev_confusion"] = {"tess": matrix} if dev else {}
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")
    if n_done:
        os.utime(folder / "metrics.jsonl", (time.time() - age_s,) * 2)


@pytest.fixture
def three(tmp_path, monkeypatch) -> Path:
    """A finished run, one under way and one that stopped a day ago; and a folder that is none."""
    folder = tmp_path / "runs"
    monkeypatch.setattr(paths, "RUNS", folder)
    write_run(folder / "whole", 3, age_s=600)
    write_run(folder / "now", 2, age_s=5, learning_rate=0.5)
    write_run(folder / "old", 1, age_s=86_400, dev=False)
    (folder / "odd").mkdir()
    (folder / "odd" / "config.json").write_text("{")
    return folder


@pytest.fixture
def page() -> AppTest:
    page = open_page("models")
    page.query_params["show"] = "Training"
    return page


def test_runs_are_listed_the_latest_first(three):
    found = list_runs()
    assert [run.name for run in found] == ["now", "whole", "old"]
    assert [run.is_finished for run in found] == [False, True, False]
    assert found[0].values("loss") == pytest.approx([1.9, 1.8]) and found[2].values("dev_uar_tess") == []
    assert found[0].metric_names == ("loss", "learning_rate", "seconds", "clips_per_s", "dev_uar_tess")


def test_a_half_written_line_is_not_read(three):
    with (three / "now" / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "lo')
    assert len(list_runs()[0].curve) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"train": {"epochs": "3"}},
        {"train": {"epochs": None}},
        {"model": {"labels": ["boredom"]}},
        {"model": {}},
        {"model": [1]},
    ],
    ids=str,
)
def test_a_folder_with_a_damaged_config_is_no_run(three, page, change):
    path = three / "now" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    page.run()
    assert not page.exception and page.dataframe[0].value["run"].tolist() == ["whole", "old"]


@pytest.mark.parametrize(
    "change",
    [
        {"loss": None},
        {"seconds": "long"},
        {"loss": True},
        {"dev_uar_tess": None},
        {"dev_confusion": [1]},
        {"dev_confusion": {"tess": []}},
        {"dev_confusion": {"tess": [[1, 0], [1]]}},
        {"dev_confusion": {"tess": [[1, 0], [0, 1]]}},
        3,
        None,
    ],
    ids=str,
)
def test_a_run_ends_before_its_first_damaged_line(three, page, change):
    path = three / "whole" / "metrics.jsonl"
    first, second, third = path.read_text().splitlines()
    second = json.dumps(json.loads(second) | change if isinstance(change, dict) else change)
    path.write_text("\n".join((first, second, third)))
    page.run()
    assert not page.exception
    assert page.dataframe[0].value.set_index("run")["epochs"]["whole"] == "1 of 3"


def test_a_checkpoint_with_its_curve_shows_it(page, tmp_path, monkeypatch):
    shutil.copytree(paths.CHECKPOINTS / "prosonet", tmp_path / "prosonet")
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path)
    page.run()
    n_charts = len(page.get("plotly_chart"))
    (tmp_path / "prosonet" / "metrics.jsonl").write_text('{"epoch": 1, "loss": 2.0, "dev_uar_tess": 0.5}\nno epoch')
    assert not page.run().exception and len(page.get("plotly_chart")) == n_charts + 2
    (tmp_path / "prosonet" / "metrics.jsonl").write_text('{"epoch": 1, "loss": 2.0}')  # no development speakers
    assert not page.run().exception and len(page.get("plotly_chart")) == n_charts + 1


def test_the_chosen_epoch_stays_when_the_run_goes_on(three, page):
    page.run().multiselect(key="runs").set_value(["now"]).run()
    slider = page.slider(key="epoch-now")
    assert slider.value == 3 and "Epoch 2" in texts(page)
    slider.set_value(1).run()
    path = three / "now" / "metrics.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines()[-1] + "\n")
    page.run()
    assert not page.exception and page.slider(key="epoch-now").value == 1 and "Epoch 2" not in texts(page)


def test_an_epoch_without_a_matrix_is_said_to_have_none(three, page):
    path = three / "now" / "metrics.jsonl"
    first, second = map(json.loads, path.read_text().splitlines())
    path.write_text(json.dumps(first | {"dev_confusion": {}}) + "\n" + json.dumps(second) + "\n")
    page.run().slider(key="epoch-now").set_value(1).run()
    assert not page.exception and any("confusion matrix" in caption.value for caption in page.caption)


def test_what_two_runs_differ_in(three):
    now, whole, _ = list_runs()
    assert config_differences(now, whole) == {"train.learning_rate": (0.5, COMMON_RECIPE.learning_rate)}
    assert config_differences(whole, whole) == {}


def test_the_page_shows_state_curves_and_confusion(three, page):
    page.run()
    assert not page.exception
    table = page.dataframe[0].value.set_index("run")
    assert table["state"].to_dict() == {"now": "training", "whole": "finished", "old": "stopped: --resume"}
    assert table["epochs"]["now"] == "2 of 3"
    assert table["TESS %"]["now"] == pytest.approx(60) and table["best %"]["now"] == pytest.approx(60)
    assert table["at epoch"]["whole"] == 3 and math.isnan(table["best %"]["old"])
    for measure in list_runs()[0].metric_names:
        page.selectbox(key="curve").set_value(measure).run()
        assert not page.exception, measure
    page.slider(key="epoch-now").set_value(1).run()
    assert not page.exception
    assert "python -m scripts.train resonet --run now" in page.code[0].value


def test_a_run_in_its_first_epoch_is_not_called_stopped(three, page):
    write_run(three / "new", 0, age_s=0)
    page.run()
    assert page.dataframe[0].value.set_index("run")["state"]["new"] == "training"
    assert list_runs()[0].name == "new"


def test_the_page_compares_two_runs(three, page):
    page.run()
    (differences,) = [
        table.value for table in page.dataframe if "setting" in table.value and "value" not in table.value
    ]
    (whole_config,) = [table.value for table in page.dataframe if "value" in table.value]
    assert differences["setting"].tolist() == ["train.learning_rate"]
    assert len(whole_config) > 30 and "model.dropout" in set(whole_config["setting"])
    commands = [f"python -m scripts.train resonet --run {name}" for name in ("now", "whole")]
    assert [code.value for code in page.code] == commands  # protocol and fold differ nowhere else
    page.selectbox(key="one").set_value("whole").run()
    page.selectbox(key="other").set_value("old").run()
    assert "are the same" in texts(page)


def test_without_runs_the_page_says_how_to_start_one(page, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "none")
    page.session_state["experiments-table"] = True
    page.run()
    assert not page.exception and "scripts.train" in page.info[0].value
    shipped, experiments = (table.value for table in page.dataframe)
    assert shipped["model"][0] == DEFAULT_MODEL and 0 < shipped["UAR %"][0] < 100
    made_from = shipped.set_index("model")["made from"]
    assert made_from["whisper-light"] == "head on the encoder whisper-base" and made_from["resonet"] == "scratch"
    assert len(experiments) == len(read_experiments())
    charts = {chart.key: json.loads(chart.proto.spec)["data"] for chart in page.get("plotly_chart")}
    n_epochs = {line["name"]: len(line["y"]) for line in charts["shipped-uar"]}
    epochs = shipped.set_index("model")["epochs"]
    assert n_epochs == {name: epochs[name] for name in ("whisper", "whisper-light")}


def test_a_run_before_its_first_epoch(page, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    write_run(tmp_path / "runs" / "new", 0)
    page.run()
    assert not page.exception
    assert [chart.key for chart in page.get("plotly_chart")] == ["shipped-uar", "shipped-loss", "experiments"]
