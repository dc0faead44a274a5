"""What the program says of itself and of the machine."""

import mmap
import re
import subprocess
import sys

import numpy as np
import torch

import ser_core
from ser_core import paths
from ser_core.evaluation import environment as machine


def test_the_code_of_a_result_is_marked_when_it_was_changed_and_only_then(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "ser_core").mkdir()
    (tmp_path / "ser_core" / "a.py").write_text("1")
    (tmp_path / "README.md").write_text("1")
    commit = ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "all"]
    for command in (["init", "-q"], ["add", "."], commit):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    (tmp_path / "README.md").write_text("2")
    version = machine.code_version()
    assert re.fullmatch("[0-9a-f]{7,}", version)
    (tmp_path / "ser_core" / "a.py").write_text("2")
    assert machine.code_version() == f"{version}-dirty"


def test_without_git_the_version_is_that_of_the_package(tmp_path, monkeypatch):
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    monkeypatch.setattr(paths, "ROOT", tmp_path / "site-packages")  # installed in somebody else's repository
    assert machine.code_version() == ser_core.__version__


def test_packages_are_those_that_are_asked_for(tmp_path, monkeypatch):
    found = {name: (installed, required) for name, installed, required in machine.required_packages()}
    assert found["numpy"] == (np.__version__, np.__version__) and found["torch"][0].startswith("2.") and len(found) > 15
    (tmp_path / "requirements.txt").write_text("# nothing\nno-such-package==1.0\n")
    monkeypatch.setattr(machine, "REQUIREMENTS_FILE", tmp_path / "requirements.txt")
    assert machine.required_packages() == [("no-such-package", "missing", "1.0")]


def test_the_system_is_described():
    found = machine.system_info()
    assert found["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["threads"] == str(torch.get_num_threads()) and all(found.values())


def test_memory_grows_with_what_is_kept(tmp_path, monkeypatch):
    before = machine.resident_bytes()
    kept = mmap.mmap(-1, 50_000_000)  # new pages: an array might get some that were left over
    kept.write(b"x" * len(kept))
    assert machine.resident_bytes() - before > 0.8 * len(kept)
    monkeypatch.setattr(machine, "PROCESS_STATUS_FILE", tmp_path / "none")
    assert machine.resident_bytes() is None


def test_a_folder_is_as_large_as_its_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"123")
    (tmp_path / "c").write_bytes(b"4567")
    assert machine.folder_bytes(tmp_path) == 7 and machine.folder_bytes(tmp_path / "none") == 0
