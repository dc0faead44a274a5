"""Which tests run, in which order, and in which worker; the fixtures are those of tests/fixtures.py."""

import gc
import os
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent.parent

# Workers that compile at the same time damage a cache that they share.
os.environ["NUMBA_CACHE_DIR"] = str(ROOT / ".pytest_cache" / "numba" / os.environ.get("PYTEST_XDIST_WORKER", "main"))

QUICK_PAGES = {"test_home.py", "test_curves.py"}  # all pages take about two minutes of a core
COMPILING = {  # what numba compiles for librosa and UMAP takes half a minute of each worker
    "audio/test_features.py",
    "audio/test_prosody.py",
    "data/test_statistics.py",
    "interpret/test_lessons.py",
    "interpret/test_projection.py",
    "pages/workspace/test_map.py",
    "scripts/bench/test_benchmark.py",
}
FIRST_IN_BROWSER = {"test_workspace.py", "test_why.py", "test_frame.py"}  # half of the time
FOLDER_UPLOAD = "test_ways.py"  # first: a browser that has drawn all other pages no longer takes a folder
SLOWEST_FOLDERS = ["browser", "serving", "scripts", "pages"]  # first, so that no worker waits for the last of them


def group(path: str) -> str:
    """The group of a file of tests, by its path below tests/.

    Those of a browser share a server, with its models, and a browser; in two groups, because they often wait.
    """
    folder, _, name = path.partition("/")
    if folder == "browser":
        return "browser, first" if name in FIRST_IN_BROWSER else "browser"
    return "compiling" if path in COMPILING else path


def start_order(path: str) -> tuple[int, bool]:
    """Where a file of tests, by its path below tests/, stands among the others."""
    folder, _, name = path.partition("/")
    place = SLOWEST_FOLDERS.index(folder) if folder in SLOWEST_FOLDERS else len(SLOWEST_FOLDERS)
    return place, name != FOLDER_UPLOAD


class GroupScheduling(LoadScopeScheduling):
    """A group for each worker that is free. (`--dist loadgroup` of xdist 3.8 has no effect with pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid.partition("::")[0].removeprefix("tests/"))


def path_of(item) -> str:
    """The file of a test, below tests/."""
    return item.path.relative_to(ROOT / "tests").as_posix()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return GroupScheduling(config, log)


def pytest_configure(config):
    """What distributes tests to workers runs none: it need not import torch. Imports leave nothing to collect."""
    if hasattr(config, "workerinput") or config.getoption("dist", "no") == "no":
        gc.disable()
        config.pluginmanager.import_plugin("tests.fixtures")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: start_order(path_of(item)))
    for item in items:
        if path_of(item).startswith("pages/") and item.path.name not in QUICK_PAGES:
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("corpora") and not os.environ.get("SER_CORPORA"):
            item.add_marker(pytest.mark.skip(reason="needs the recordings: set SER_CORPORA"))


def pytest_collection_finish():
    """What is imported by now stays: the collector need not look for garbage in it again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()
