"""Layout shared by all pages: numbers in tables."""

import ast
import json

from pages.ui.export import rows_as_csv
from pages.ui.layout import same_decimals
from ser_core import paths
from tests.make_page import open_view


def formats(rows: list[dict]) -> dict[str, str]:
    return {name: column["type_config"]["format"] for name, column in same_decimals(rows).items()}


def test_every_row_has_as_many_decimals_as_the_longest():
    rows = [
        {"file": "a", "seconds": 4.93, "speech s": 2.0, "clips": 3, "rate": 0.0003, "p": 1e-12, "ECE": None},
        {"file": "b", "seconds": 6.0, "speech s": 2.7, "clips": 12, "rate": 0.001, "p": 0.5, "ECE": 0.051},
    ]
    assert formats(rows) == {"seconds": "%.2f", "speech s": "%.1f", "ECE": "%.3f"}
    assert formats([]) == {}


def test_the_table_of_segments_has_the_same_decimals_in_all_rows(checkpoints, monkeypatch):
    monkeypatch.delenv("SER_CORPORA", raising=False)
    page = open_view("over_time", timeout_s=600).run()
    page.button(key="sample-low_slow.ogg").click().run()
    columns = json.loads(page.dataframe[0].proto.columns)
    assert not page.exception and columns["duration (s)"]["type_config"]["format"] == "%.1f"


def test_no_download_runs_the_page_again():
    """While it runs, a file that is made on demand has another address: a click on its button then gives nothing."""
    calls = [
        (path.name, node.lineno, {keyword.arg: keyword.value for keyword in node.keywords})
        for path in (paths.ROOT / "pages").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "download_button"
    ]
    assert calls
    assert not [call[:2] for call in calls if getattr(call[2].get("on_click"), "value", "") != "ignore"]


def test_a_table_has_the_columns_of_every_row():
    """Models that were published elsewhere have other emotions."""
    assert rows_as_csv([{"model": "a", "sad": 0.5}, {"model": "b", "joy": 1}]).split() == [
        "model,sad,joy",
        "a,0.5,",
        "b,,1",
    ]
