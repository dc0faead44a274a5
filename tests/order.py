"""Which tests run in one worker, one after the other, and which start first."""

from xdist.scheduler import LoadScopeScheduling

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
