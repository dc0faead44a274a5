import errno
import os
import sys

import pytest

from scripts import export, fuse, live, ood, robustness, speaker_adaptation, train_heads
from scripts.common.errors import explains
from ser_core import paths

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


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (robustness, ["no-such-model"]),
        (ood, ["no-such-model"]),
        (speaker_adaptation, ["no-such-model"]),
        (train_heads, ["whisper", "--protocol", "left-out"]),
        (fuse, []),
    ],
)
def test_results_that_cannot_be_written_are_noticed_before_the_work(script, arguments, tmp_path, monkeypatch, capsys):
    results = tmp_path / "results"
    results.touch()  # no folder
    monkeypatch.setattr(paths, "RESULTS", results)
    monkeypatch.setattr(script, "RESULT", results / "result.json", raising=False)
    for work in ("load_model", "protocol_scores", "left_out_predictions"):
        monkeypatch.setattr(script, work, lambda *given: pytest.fail("it began"), raising=False)
    assert script.main(arguments) == 2
    assert "could not be written: nothing was computed" in capsys.readouterr().err
