"""The image, read from its recipe: what goes in, who runs it, and that the program in it needs to write nowhere."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCS = (ROOT / "docs" / "deployment.md").read_text()
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def read_instructions() -> list[tuple[str, str]]:
    """(name, arguments) of each instruction, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(" ", 1)) for line in lines]


INSTRUCTIONS = read_instructions()
NAMES = [name for name, _ in INSTRUCTIONS]


def arguments(name: str) -> list[str]:
    return [given for instruction, given in INSTRUCTIONS if instruction == name]


def goes_in(path: str) -> bool:
    """Whether .dockerignore lets a file through; the last line that fits a folder above it, or itself, decides."""
    found, parts = True, path.split("/")
    above = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    for line in IGNORED:
        pattern = line.removeprefix("!")
        if pattern.startswith("**/"):
            fits = any(fnmatch(part, pattern[3:]) for part in parts)
        else:
            fits = any(fnmatch(folder, pattern) and folder.count("/") == pattern.count("/") for folder in above)
        found = line.startswith("!") if fits else found
    return found


def tracked() -> list[str]:
    """Every file of the repository, without what git ignores."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """The folder /app of the image, which nobody may write to."""
    folder = tmp_path_factory.mktemp("image") / "app"
    for path in filter(goes_in, tracked()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in [folder, *filter(Path.is_dir, folder.rglob("*"))]:
        path.chmod(0o755)


# --- the recipe ------------------------------------------------------------------------------------------------------


def test_the_base_is_pinned_and_slim_and_new_enough():
    (base,) = arguments("FROM")
    version, minor, patch = map(int, re.fullmatch(r"python:(\d+)\.(\d+)\.(\d+)-slim-\w+", base).groups())
    assert (version, minor) >= (3, 11) and patch >= 0


def test_an_unprivileged_user_runs_it_and_owns_nothing():
    (user,) = arguments("USER")
    assert user.isdigit() and int(user) > 0
    last_root = max(i for i, name in enumerate(NAMES) if name in ("RUN", "COPY"))
    assert NAMES.index("USER") > last_root
    assert not any("--chown" in given for given in arguments("COPY"))


def test_packages_are_those_of_the_files_with_exact_versions():
    installs = [given for given in arguments("RUN") if "pip install" in given]
    assert len(installs) == 1 and "-r requirements.txt -c constraints.txt" in installs[0]
    first_code = next(i for i, (name, given) in enumerate(INSTRUCTIONS) if name == "COPY" and "ser_core" in given)
    assert INSTRUCTIONS.index(("RUN", installs[0])) < first_code  # or each change of the code would install anew


def test_nothing_secret_is_written_into_it():
    text = (ROOT / "Dockerfile").read_text()
    assert not re.search(r"(?i)password|token|secret|api_?key|://[^/\s]*@", text)
    assert "ADD" not in NAMES and not re.search(r"curl|wget|git clone", text)


def test_its_port_is_the_same_everywhere():
    (port,) = arguments("EXPOSE")
    command = json.loads(arguments("CMD")[0])
    assert command == ["python", "-m", "scripts.serve", "--headless", "--host", "0.0.0.0", "--port", port]
    (check,) = arguments("HEALTHCHECK")
    assert f"http://127.0.0.1:{port}/api/v1/health" in check
    compile(json.loads(check.partition("CMD ")[2])[2], "check", "exec")
    assert f"-p {port}:{port}" in DOCS or f":{port}:{port}" in DOCS


def test_all_that_is_written_goes_to_the_temporary_folder():
    values = dict(pair.split("=", 1) for given in arguments("ENV") for pair in shlex.split(given))
    assert values["HOME"] == "/tmp" and values["HF_HUB_OFFLINE"] == "1"
    assert all(path.startswith("/tmp") for path in values.values() if path.startswith("/"))


# --- what goes in ----------------------------------------------------------------------------------------------------


def test_what_is_copied_goes_in_and_nothing_else():
    copied = [source for given in arguments("COPY") for source in given.split()[:-1]]
    assert all((ROOT / source).exists() and goes_in(source) for source in copied)
    in_image = {path.split("/")[0] for path in filter(goes_in, tracked())}
    assert in_image == {source.split("/")[0] for source in copied}


def test_what_the_program_does_not_need_stays_out(subtests):
    for path in [
        *(".git/config", ".env", ".venv/bin/python", "tests/conftest.py", "cache/x", "runs/x", "Makefile", "id_rsa"),
        *(".streamlit/secrets.toml", "ser_core/__pycache__/audio.pyc", "assets/screenshots/a.png", "Dockerfile"),
        "checkpoints/folds/prosonet-1/model.safetensors",
    ]:
        with subtests.test(path=path):
            assert not goes_in(path)


# --- it runs where nothing can be written ----------------------------------------------------------------------------

PAGES = ("app.py", "pages/workspace/page.py", "pages/models/page.py", "pages/settings/page.py")
LIKE_OTHERS = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.getuid() == 0 else []
"""Takes from root the right to write where nobody may."""

VISIT = """
import os, sys
sys.dont_write_bytecode = True
try:
    open("app.py", "a")
    sys.exit("the tree can be written to")
except PermissionError:
    pass
from streamlit.testing.v1 import AppTest
from ser_core import available_models, load_audio, load_model, predict
waveform = load_audio("assets/samples/low_slow.ogg")
for name in available_models()[:1]:
    predict(load_model(name, "cpu"), waveform)
for path in sys.argv[1:]:
    page = AppTest.from_file(os.path.abspath(path), default_timeout=200).run()
    assert not page.exception, (path, page.exception[0].value)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_models_samples_and_pages_work_without_writing(image):
    """As a user without a home, in a tree that is read-only."""
    before = sorted(image.rglob("*"))
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "OMP_NUM_THREADS") if name in os.environ}
    values = dict(pair.split("=", 1) for given in arguments("ENV") for pair in shlex.split(given))
    image.parent.chmod(0o755)
    done = subprocess.run(
        [*LIKE_OTHERS, sys.executable, "-c", VISIT, *PAGES],
        cwd=image,
        env=environment | values,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(image.rglob("*")) == before


# --- what the guide says ---------------------------------------------------------------------------------------------


def test_the_header_of_a_space_fits_the_image():
    header = yaml.safe_load(re.search(r"```yaml\n---\n(.*?)\n---\n```", DOCS, re.S)[1])
    assert (header["sdk"], header["app_port"]) == ("docker", int(arguments("EXPOSE")[0]))


def test_the_guide_names_what_protects_it(subtests):
    for words in ["--read-only", "--tmpfs /tmp", "--cap-drop ALL", "Upgrade", "localhost"]:
        with subtests.test(words=words):
            assert words in DOCS
