"""The program as one command: quick help, and the same work as the scripts."""

import json
import resource
import socket
import subprocess
import sys

import pytest

from scripts import fuse, ood, predict, predict_archive, robustness, ser, serve, voice_ranges

MAX_HELP_CPU_S = 1.0
HELP = """
import sys
from scripts import ser
try:
    ser.main(sys.argv[1:])
except SystemExit as end:
    assert not end.code and "torch" not in sys.modules
"""


def children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.slow
def test_help_of_every_command_is_quick_and_names_it():
    for command in ser.SCRIPTS:
        before_s = children_cpu_s()
        done = subprocess.run([sys.executable, "-c", HELP, command, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout.startswith(f"usage: ser {command} "), command
        assert "scripts." + ser.SCRIPTS[command] + " " not in done.stdout, command
        assert children_cpu_s() - before_s < MAX_HELP_CPU_S, command


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (fuse, ["--every", "0"]),
        (ood, ["small", "--every", "0"]),
        (robustness, ["small", "--every", "-1"]),
        (voice_ranges, ["--clips", "0"]),
        (predict_archive, [".", "--out", "a.parquet", "--workers", "0"]),
    ],
)
def test_a_number_below_one_is_refused(script, arguments, capsys):
    with pytest.raises(SystemExit):
        script.main(arguments)
    assert f"argument {arguments[-2]}: {arguments[-1]!r} is no whole number above 0" in capsys.readouterr().err


def test_a_command_does_what_its_script_does(capsys, checkpoints, tmp_path):
    arguments = [str(tmp_path / "missing.wav"), "--model", "small"]
    assert predict.main(arguments) == 2
    printed = capsys.readouterr().out
    assert ser.main(["predict", *arguments]) == 2
    assert capsys.readouterr().out == printed and "error" in json.loads(printed)


def test_scripts_without_a_shorter_name_keep_their_own(capsys):
    """Messages name them: python -m scripts.prepare_corpora is ser prepare_corpora."""
    assert ser.other_scripts().keys() >= {"prepare_corpora", "fuse", "robustness"}
    assert not ser.other_scripts().keys() & {"ser", "predict", "predict_archive", "common"}
    with pytest.raises(SystemExit) as ended:
        ser.main(["voice_ranges", "--help"])
    assert ended.value.code == 0 and "--clips" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        *((["--port", port], "no port") for port in ("99999", "-1", "0", "x")),
        *((["--rate", rate], "no rate") for rate in ("0", "-1", "nan", "inf", "x")),
        *((["--host", host], "unknown address") for host in ("nope.invalid", "a..b")),
        (["--host", "192.0.2.1"], "an address of this machine"),
    ],
)
def test_a_server_is_refused_where_it_cannot_run(capsys, flags, words):
    with pytest.raises(SystemExit) as refused:
        ser.main(["serve", *flags])
    assert refused.value.code == 2 and words in capsys.readouterr().err


def test_a_server_is_refused_where_another_is(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(SystemExit):
        ser.main(["serve", "--port", str(other.getsockname()[1])])
    assert "already in use" in capsys.readouterr().err


def test_the_address_that_a_server_names_opens_in_a_browser():
    assert serve.web_address("127.0.0.1", 8501) == "http://127.0.0.1:8501"
    assert serve.web_address("::1", 8501) == "http://[::1]:8501"


def test_wrong_flags_are_refused_under_the_name_of_the_command(capsys):
    for arguments, usage in [
        (["sing"], "usage: ser "),
        (["export", "prosonet", "--format", "tape"], "usage: ser export "),
        (["train", "no-such-model"], "usage: ser train "),
        (["predict"], "usage: ser predict "),  # refused by the script itself
        (["fuse", "--every", "0"], "usage: ser fuse "),
    ]:
        with pytest.raises(SystemExit) as refused:
            ser.main(arguments)
        assert refused.value.code == 2
        assert capsys.readouterr().err.startswith(usage), arguments


@pytest.mark.parametrize("command", sorted({*ser.SCRIPTS, *ser.other_scripts()}))
def test_every_command_shows_its_help_and_does_nothing(command, capsys):
    with pytest.raises(SystemExit) as ended:
        ser.main([command, "--help"])
    assert ended.value.code == 0 and capsys.readouterr().out.startswith(f"usage: ser {command} ")


@pytest.mark.parametrize(
    "arguments", [["archive", "  "], ["evaluate", "prosonet", "--folder", ""], ["prepare_corpora", "--folder", ""]]
)
def test_a_folder_without_a_name_is_not_this_one(arguments, capsys):
    """As of a variable of the shell that is not set."""
    with pytest.raises(SystemExit) as refused:
        ser.main(arguments)
    assert refused.value.code == 2 and "the name is empty" in capsys.readouterr().err
