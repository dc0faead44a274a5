"""Damaged sound files through the page "Many files", in a real browser."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.bench.server import launch

PATIENCE_MS = 600_000  # for one batch
IN_BATCH = 200
# Milliseconds between two states of the progress bar: how long each file took.
WATCH = """() => {
    window.steps_ms = []; window.last_ms = performance.now(); let before = "";
    new MutationObserver(() => {
        const text = document.querySelector("[data-testid=stProgress]")?.innerText ?? "";
        if (text === before) return;
        before = text; steps_ms.push(performance.now() - last_ms); last_ms = performance.now();
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def through_page(address: str, model: str, files: dict[str, bytes]) -> dict[str, tuple[str, float]]:
    """The outcome for each file, and the longest time that one of its batch took, in seconds."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        browser = launch(playwright)
        found, names = {}, list(files)
        for first in range(0, len(names), IN_BATCH):
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(f"{address}/many_files?models={model}")
            found |= dict(_batch(page, [f"{folder}/{name}" for name in names[first : first + IN_BATCH]]))
            page.close()
        browser.close()
    return {name: found.get(name, ("nothing", 0.0)) for name in files}


def _batch(page, paths: list[str]) -> Iterator[tuple[str, tuple[str, float]]]:
    page.evaluate(WATCH)
    page.locator("input[type=file]").first.set_input_files(paths)
    page.locator(".st-key-stop").wait_for()
    page.wait_for_function("() => !document.querySelector('.st-key-stop') && !document.querySelector('.st-key-go')")
    longest_s = page.evaluate("Math.max(...steps_ms, performance.now() - last_ms)") / 1000
    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSON").click()
    predicted = {record["file"] for record in json.loads(Path(download.value.path()).read_text())}
    title = page.get_by_text(re.compile(r"^Files that cannot be read: \d+"))
    n_refused = int(re.search(r"\d+", title.first.inner_text())[0]) if title.count() else 0
    names = [Path(path).name for path in paths]
    outcome = "error" if n_refused == len(names) - len(predicted) else "nothing"
    yield from ((name, ("answer" if name in predicted else outcome, longest_s)) for name in names)
