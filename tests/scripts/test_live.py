"""The microphone on the command line, with a device that plays a file."""

import re
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from scripts import live
from ser_core.audio.io import SAMPLE_RATE, load_audio

pytestmark = pytest.mark.slow


class PortAudioError(Exception):
    pass


class Microphone:
    """What PortAudio does: chunks arrive by a callback, until it is unplugged."""

    sound = np.zeros(0, np.int16)

    def __init__(self, samplerate, blocksize, device, channels, dtype, callback):
        assert (channels, dtype) == (1, "int16")
        if device == "broken":
            raise PortAudioError("Device unavailable")
        self.callback, self.blocksize = callback, blocksize

    def __enter__(self):
        self.thread = threading.Thread(target=self.play)
        self.thread.start()

    def play(self):
        for start in range(0, len(self.sound), self.blocksize):
            chunk = self.sound[start : start + self.blocksize, None]
            self.callback(chunk, len(chunk), None, None)
            time.sleep(0.01)

    def __exit__(self, *_):
        self.thread.join()


DEVICES = [
    {"index": 0, "name": "Speakers", "max_input_channels": 0, "default_samplerate": 48_000.0},
    {"index": 1, "name": "Headset", "max_input_channels": 2, "default_samplerate": float(SAMPLE_RATE)},
]


def query_devices(device=None, kind=None):
    if kind is None:
        return DEVICES
    if device in (99, "unheard-of"):
        raise ValueError(f"No input device matching {device!r}")
    return DEVICES[1]


@pytest.fixture
def microphone(monkeypatch, speech):
    module = SimpleNamespace(query_devices=query_devices, InputStream=Microphone, PortAudioError=PortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(Microphone, "sound", np.round(speech * 32_767).astype(np.int16))
    monkeypatch.setattr(live, "SILENT_DEVICE_S", 2.0)


@pytest.fixture
def until_ctrl_c(microphone, monkeypatch):
    """Ctrl-C where the recording ends."""
    original = live.sound

    def sound(device):
        try:
            yield from original(device)
        except live.MicrophoneError as error:
            if "nothing any more" in str(error):
                raise KeyboardInterrupt from None
            raise

    monkeypatch.setattr(live, "sound", sound)


def test_answers_follow_each_other_and_a_summary_ends_them(until_ctrl_c, checkpoints, capsys, speech):
    assert live.main(["--model", "small"]) == 0
    lines = capsys.readouterr().out.splitlines()
    answers = [line for line in lines if "dBFS" in line]
    assert len(answers) > 1 and all(" ms " in line for line in answers) and any("%" in line for line in answers)
    assert answers == lines[: len(answers)] and f", {len(answers)} predictions" in lines[len(answers)]
    assert lines[len(answers)].startswith(f"{len(speech) / SAMPLE_RATE:.1f} s, ") and lines[-1].startswith("latency")


def test_the_emotions_that_can_occur_are_chosen_among(until_ctrl_c, checkpoints, capsys):
    assert live.main(["--model", "small", "--emotions", "sad,happy"]) == 0
    answers = [line for line in capsys.readouterr().out.splitlines() if "dBFS" in line and "%" in line]
    assert answers and all(set(re.findall(r"(\w+) >?\d+%", line)) == {"happy", "sad"} for line in answers)


def test_in_a_terminal_one_line_is_written_again(until_ctrl_c, checkpoints, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    assert live.main(["--model", "small"]) == 0
    shown = capsys.readouterr().out.split("\r\x1b[K")
    assert len(shown) > 2 and all(len(line) <= 39 and "\n" not in line for line in shown[1:-1])


def test_the_session_is_kept_only_when_asked(until_ctrl_c, checkpoints, tmp_path, monkeypatch, speech):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    assert live.main(["--model", "small"]) == 0
    assert set(tmp_path.rglob("*")) == before
    assert live.main(["--model", "small", "--save", "session.wav"]) == 0
    np.testing.assert_allclose(load_audio(tmp_path / "session.wav"), speech, atol=1e-4)


def test_nothing_is_written_over(until_ctrl_c, checkpoints, tmp_path):
    (tmp_path / "mine.wav").write_text("mine")
    for path in (tmp_path / "mine.wav", tmp_path / "nowhere" / "a.wav"):
        with pytest.raises(SystemExit) as ended:
            live.main(["--model", "small", "--save", str(path)])
        assert ended.value.code == 2
    assert (tmp_path / "mine.wav").read_text() == "mine"


def test_a_recording_that_cannot_be_kept_is_refused_before_anybody_speaks(checkpoints, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("scripts.common.flags.os.access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(SystemExit):
        live.main(["--model", "small", "--save", str(tmp_path / "a.wav")])
    assert "a.wav' cannot be written" in capsys.readouterr().err


def test_what_was_said_is_not_lost_with_the_microphone(microphone, checkpoints, tmp_path, capsys, speech):
    assert live.main(["--model", "small", "--save", str(tmp_path / "a.wav")]) == 2
    said = capsys.readouterr()
    assert "nothing any more" in said.err and "predictions" in said.out
    assert len(load_audio(tmp_path / "a.wav")) == len(speech)


def test_sound_that_is_lost_is_told(until_ctrl_c, checkpoints, monkeypatch, capsys):
    monkeypatch.setattr(live, "MOST_WAITING", 1)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the microphone is faster than anybody can listen
    assert live.main(["--model", "small"]) == 0
    assert "lost" in capsys.readouterr().err


def test_devices_are_listed(microphone, capsys):
    assert live.main(["--list-devices"]) == 0
    assert capsys.readouterr().out == "  1  Headset, 16000 Hz\n"


@pytest.mark.parametrize("device", ["99", "unheard-of", "broken"])
def test_a_device_that_cannot_be_used_is_told(microphone, checkpoints, capsys, device):
    assert live.main(["--model", "small", "--device", device]) == 2
    assert "--list-devices" in capsys.readouterr().err


def test_a_machine_without_microphone_is_told(microphone, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["sounddevice"], "query_devices", lambda: DEVICES[:1])
    assert live.main(["--list-devices"]) == 2
    assert "no microphone" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--list-devices"]])
def test_without_portaudio_it_says_what_to_install(monkeypatch, capsys, arguments):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert live.main(arguments) == 2
    assert "libportaudio2" in capsys.readouterr().err


def test_an_unknown_model_is_told(microphone, capsys):
    assert live.main(["--model", "unheard-of"]) == 2
    assert "'unheard-of'" in capsys.readouterr().err
