import errno
import os
import sys

import pytest

from scripts import export, live
from scripts.common.errors import explains

FULL = OSError(errno.ENOSPC, "No space left on device")


def command(*raised: Exception, printed: str = "") -> int:
    """The exit code of a command that prints, then fails with each of these errors."""

    @explains(KeyError, cure="Name another folder.")
    def main(arguments):
        print(printed, end="")
        for error in raised:
            raise error
        return 0

    return main(None)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FULL, "No space left on device. Name another folder.\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            "/x cannot be read or written: Permission denied. Name another folder.\n",
        ),
        (OSError("No model of this name."), "No model of this name. Name another folder.\n"),
        (KeyError("x"), "'x'\n"),
    ],
)
def test_an_error_is_a_sentence_after_what_was_printed(error, message, capsys):
    assert command(error, printed="a table") == 2
    assert capsys.readouterr() == ("a table", message)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_output_is_said_once(monkeypatch, capfd):
    with open("/dev/full", "w") as output, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        assert command(printed="a table") == 2
    assert capfd.readouterr().err == "No space left on device. Name another folder.\n"


@pytest.mark.parametrize(
    ("script", "function", "arguments"),
    [
        (live, "list_devices", ["--list-devices"]),
        (export, "export_hub", ["small", "--format", "hub", "--out", "{}/out"]),
    ],
)
def test_no_command_takes_a_reader_that_left_for_a_file(script, function, arguments, tmp_path, monkeypatch, capsys):
    def unread(*given):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(script, function, unread)
    monkeypatch.setattr("scripts.common.errors.discard_output", lambda: None)  # that of the tests
    assert script.main([argument.format(tmp_path) for argument in arguments]) == 1
    assert not capsys.readouterr().err
