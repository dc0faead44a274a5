"""The package: requirements, cost of an import, a wheel without this repository, and files that appear complete."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ser_core
from ser_core import paths
from ser_core.models.names import DEFAULT_MODEL, FAST_MODEL

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PUBLIC_NAMES = {
    "EMOTIONS",
    "load_audio",
    "read_audio",
    "Recording",
    "AudioError",
    "speech_segments",
    "measure_quality",
    "Quality",
    "available_models",
    "load_model",
    "limit_emotions",
    "CheckpointError",
    "predict",
    "collection_reference",
    "speaker_reference",
    "Reference",
    "predict_windows",
    "predict_batch",
    "embed",
    "evaluate",
    "Prediction",
    "Trajectory",
    "Metrics",
    "Utterance",
    "read_corpora",
    "corpora_root",
}
MAX_IMPORT_S = 0.3
MAX_WHEEL_BYTES = 60_000_000  # PyPI takes 100 MB; the encoder of Whisper is half of it


def run_python(code: str, *arguments: str, **environment: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


# --- requirements ----------------------------------------------------------------------------------------------------


def pins(name: str) -> dict[str, str]:
    """Package -> exact version, of one requirements file without those that it includes."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if "==" in line]
    return {canonicalize_name(package): version for package, _, version in (line.partition("==") for line in lines)}


def requirements(lines: list[str]) -> dict[str, Requirement]:
    found = map(Requirement, lines)
    return {canonicalize_name(r.name): r for r in found if r.name != PROJECT["name"]}


@pytest.mark.parametrize(
    ("file", "lines"),
    [
        ("requirements.txt", PROJECT["dependencies"] + EXTRAS["app"]),
        ("requirements-archive.txt", EXTRAS["archive"]),
        ("requirements-docs.txt", EXTRAS["docs"]),
        ("requirements-maps.txt", EXTRAS["maps"]),
        ("requirements-wav2vec2.txt", EXTRAS["wav2vec2"]),
        ("requirements-dev.txt", EXTRAS["export"] + EXTRAS["dev"]),
    ],
)
def test_the_pins_are_those_of_the_project(file, lines):
    pinned, required = pins(file), requirements(lines)
    assert pinned.keys() == required.keys()
    assert not [str(r) for name, r in required.items() if not r.specifier.contains(pinned[name])]


def test_no_pin_contradicts_the_constraints():
    constraints = pins("constraints.txt")
    for file in ROOT.glob("requirements*.txt"):
        differing = {name for name, version in pins(file.name).items() if constraints.get(name, version) != version}
        assert not differing, file.name


def test_a_library_requires_no_page_or_server():
    assert not requirements(PROJECT["dependencies"]).keys() & {"streamlit", "gradio", "fastapi", "dask", "pytest"}


# --- import ----------------------------------------------------------------------------------------------------------

TIMED_IMPORT = """
import sys, time
start = time.perf_counter()
import ser_core
from ser_core.models.names import DEFAULT_MODEL
elapsed_s = time.perf_counter() - start
assert not {"torch", "numpy", "streamlit", "gradio"} & sys.modules.keys()
print(elapsed_s)
"""


def test_import_is_quick_and_loads_no_torch():
    assert min(float(run_python(TIMED_IMPORT)) for _ in range(3)) < MAX_IMPORT_S


FOLDERS = """
import sys
from ser_core import paths
from ser_core.data import audio_cache_folder, corpora_root
from scripts import download_corpora
download_corpora.get = lambda name, root: print(root)
download_corpora.main(["tess", "--accept-licence"])
print(paths.EMBEDDINGS == paths.ASSETS / "embeddings", audio_cache_folder(), corpora_root())
"""


def test_an_empty_variable_counts_as_none(tmp_path, monkeypatch):
    """As a compose file passes on those that are not set: downloads and caches went into the working folder."""
    monkeypatch.chdir(tmp_path)
    empty = dict.fromkeys(("SER_CORPORA", "SER_CACHE", "SER_EMBEDDINGS"), "")
    found = run_python(FOLDERS, PYTHONPATH=str(ROOT), **empty).split()
    assert found[-4:] == ["datasets", "True", "cache", "datasets"]


def test_every_public_name_is_there():
    assert set(ser_core.__all__) == PUBLIC_NAMES
    assert all(getattr(ser_core, name) is not None for name in PUBLIC_NAMES)
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", ser_core.__version__)


def test_another_system_is_told_what_to_do():
    message = run_python("import sys; sys.platform = 'win32'\ntry: import ser_core\nexcept ImportError as e: print(e)")
    assert "Linux and macOS" in message and "WSL 2" in message


# --- wheel -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this tree, built with what is installed: without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder that holds the installed wheel alone; its dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    install = ["install", "--no-deps", "--no-index", "--target", str(folder), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, capture_output=True)
    return folder


WITHOUT_PAGES = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("streamlit", "gradio", "fastapi", "starlette"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


def readme_example() -> str:
    """The README's Python example: the first block that imports from ser_core."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return next(block for block in blocks if "from ser_core import" in block)


@pytest.mark.slow
def test_the_wheel_is_small_and_complete(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    packaged = {p.relative_to(ROOT).as_posix() for p in (ROOT / "ser_core").rglob("*") if p.is_file()}
    assert {name for name in packaged if "__pycache__" not in name} <= names
    assert {"ser_core/py.typed", "ser_core/checkpoints/whisper-light/README.md"} <= names
    assert {f"ser_core/assets/results/possible-emotions-{model}.json" for model in (DEFAULT_MODEL, FAST_MODEL)} <= names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"ser_core", "ser_workbench"}
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


@pytest.mark.slow
def test_the_example_of_the_readme_runs_installed_and_without_pages(installed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    samples = installed / "ser_core" / "assets" / "samples"
    example = readme_example().replace("assets/samples", samples.as_posix())
    where = f"import ser_core; assert ser_core.__file__.startswith({str(installed)!r})\n"
    assert run_python(WITHOUT_PAGES + where + example, PYTHONPATH=str(installed))


@pytest.mark.slow
def test_the_command_runs_installed(installed, tmp_path):
    sample = installed / "ser_core" / "assets" / "samples" / "story.ogg"
    command = [installed / "bin" / "ser", "predict", sample]
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["model"] == DEFAULT_MODEL


@pytest.mark.slow
def test_an_older_python_is_refused_with_what_it_needs(wheel, tmp_path):
    """By the pip of another version: its `download` checks for that version what `install` checks for its own."""
    download = ["download", "--no-deps", "--no-index", "-d", str(tmp_path), "--only-binary=:all:"]
    command = [sys.executable, "-m", "pip", *download, "--python-version", "3.10", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode and PROJECT["requires-python"] in done.stderr


def test_writers_of_one_file_wait_for_each_other(tmp_path):
    path, start = tmp_path / "result.json", Barrier(4)

    def write(letter: str) -> None:
        start.wait()
        for _ in range(50):
            with paths.atomic_file(path, "w") as file:
                for _ in range(3):
                    file.write(letter)
                    file.flush()
            assert path.read_text() in {"aaa", "bbb", "ccc", "ddd"}

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert [found.name for found in tmp_path.iterdir()] == ["result.json"]


def test_a_pipe_or_device_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        paths.write_json(pipe, [1])
        assert read.result(10) == "[\n 1\n]\n"
    assert pipe.is_fifo() and [found.name for found in tmp_path.iterdir()] == ["pipe"]


def test_standard_output_is_written_to_also_where_it_is_a_file(tmp_path):
    program = "from pathlib import Path; from ser_core import paths; paths.write_text(Path('/dev/fd/1'), 'written')"
    with (tmp_path / "out.txt").open("w") as out:
        subprocess.run([sys.executable, "-c", program], stdout=out, check=True)
    assert (tmp_path / "out.txt").read_text() == "written"


def test_a_failed_write_leaves_the_file_before_it(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("before")
    with pytest.raises(OSError, match="full"), paths.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise OSError("full")
    assert path.read_text() == "before" and [found.name for found in tmp_path.iterdir()] == ["result.json"]
