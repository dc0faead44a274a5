"""Environment of the program: its version, packages, device, and memory."""

import platform
import re
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import ser_core
from ser_core import paths

VERSIONED_PATHS = ("ser_core", "scripts", "assets/protocols")  # other files do not change a result
REQUIREMENTS_FILE = paths.ROOT / "requirements.txt"
CITATION_FILE = paths.ROOT / "CITATION.cff"
PROCESS_STATUS_FILE = Path("/proc/self/status")  # exists on Linux only


def code_version() -> str:
    """Git commit, marked if the code was changed since; without git the version of the package."""
    if not (paths.ROOT / ".git").exists():  # an installed library may stand in a repository that is not its own
        return ser_core.__version__
    try:
        commit = _run_git("describe", "--always")
        return f"{commit}-dirty" if _run_git("status", "--porcelain", "--", *VERSIONED_PATHS) else commit
    except (OSError, subprocess.CalledProcessError):
        return ser_core.__version__


def _run_git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(paths.ROOT), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def citation_bibtex() -> str:
    """A BibTeX entry from CITATION.cff; "" where that file is missing."""
    try:
        text = CITATION_FILE.read_text()
    except OSError:
        return ""
    found = dict(re.findall(r'^(\S+): *"?([^">\n]+?)"?$', text, re.MULTILINE))
    authors = re.findall(r'^ +- name: *"?(.+?)"?$', text, re.MULTILINE)
    fields = {
        "title": f"{{{found['title']}}}",
        "author": " and ".join(f"{{{name}}}" for name in authors),  # a group: no first and last name
        "year": found["date-released"][:4],
        "version": found["version"],
        "url": found.get("repository-code", found.get("url", "")),
    }
    lines = ",\n".join(f"  {name:7} = {{{value}}}" for name, value in fields.items() if value)
    return f"@software{{speech_emotion_workbench,\n{lines}\n}}\n"


def required_packages() -> list[tuple[str, str, str]]:
    """(name, installed version or "missing", required version) of each package in requirements.txt."""
    lines = (line.partition("==") for line in REQUIREMENTS_FILE.read_text().splitlines() if "==" in line)
    return [(name, _installed_version(name), required) for name, _, required in lines]


@lru_cache(maxsize=64)  # metadata of a package takes milliseconds to read
def _installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def system_info() -> dict[str, str]:
    """Title -> value: version, Python, operating system, default device, and threads."""
    cuda = torch.cuda.is_available()
    return {
        "program": code_version(),
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name() if cuda else "CPU",
        "threads": str(torch.get_num_threads()),
    }


def resident_bytes() -> int | None:
    """Resident memory of this process; None where the system does not report it."""
    if not PROCESS_STATUS_FILE.is_file():
        return None
    line = next((line for line in PROCESS_STATUS_FILE.read_text().splitlines() if line.startswith("VmRSS:")), None)
    return 1024 * int(line.split()[1]) if line else None


def folder_bytes(folder: Path) -> int:
    """Size of all files in a folder, 0 without one."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
