"""The picture of the figures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.bench.server import launch
from ser_core.plots import CostPanel, cost_lines

PLOT = ".js-plotly-plot"


def write_picture(found: dict[str, list[dict]], path: Path) -> None:
    """Draws all kinds of work in a browser, as a PNG."""
    from playwright.sync_api import sync_playwright

    figure = cost_lines([panel for panel in panels(found) if all(x for x, _ in panel.lines.values())])
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": figure.layout.width, "height": figure.layout.height})
        page.set_content(figure.to_html(include_plotlyjs=True, config={"displayModeBar": False}))
        page.locator(PLOT).screenshot(path=path, type="png")  # whatever the name
        browser.close()


def panels(found: dict[str, list[dict]]) -> Iterator[CostPanel]:
    """A panel for each kind of work."""
    length, files, names, clients, workers = (
        found.get(kind, []) for kind in ("length", "files", "names", "clients", "workers")
    )
    seconds, megabytes, duration = "processor time [s]", "above that before [MB]", "length of the recording [s]"
    yield CostPanel("One recording: time", duration, seconds, {"": _line(length, "duration_s", "all_s")})
    yield CostPanel("One recording: memory", duration, megabytes, {"": _line(length, "duration_s", "all_mb")})
    took = {"with the fast model": _line(files, "files", "all_s"), "listing": _line(names, "files", "plan_s")}
    took["restart"] = _line(names, "files", "restart_s")
    yield CostPanel("Archive: time", "files of 3 s", seconds, took)
    memory = {"listing": _line(names, "files", "plan_mb"), "results": _line(names, "files", "results_mb")}
    yield CostPanel("Archive: memory of the main process", "files", megabytes, memory)
    answered = {"server": _line(clients, "clients", "server_s")}
    yield CostPanel("Requests of many clients", "clients", "processor time of a request [s]", answered)
    speed = {
        f"{kb} kB a file": _line(workers, "workers", f"{kind}_speedup") for kb, kind in ((96, "wav"), (10, "small"))
    }
    yield CostPanel("Workers on a network of 1 Gbit/s, simulated", "workers", "speed, times that of one", speed)


def _line(rows: Sequence[dict], x: str, y: str) -> tuple[list[float], list[float]]:
    """Without what was too little to be measured."""
    shown = [(row[x], row[y]) for row in rows if row[y] > 0]
    return [work for work, _ in shown], [cost for _, cost in shown]
