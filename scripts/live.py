"""Predictions for the microphone of this machine, four times a second, in the terminal.

python -m scripts.live [--model NAME] [--device 3] [--save session.wav] [--emotions neutral,happy]
python -m scripts.live --list-devices

Ctrl-C ends the session with a summary. No sound is kept without --save, and with it at most the first hour.
"""

import argparse
import queue
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scripts.common.errors import explains
from scripts.common.flags import add_emotions_flag, command_parser, writable_path
from ser_core import paths
from ser_core.audio import AudioError, encode_wav
from ser_core.inference import LivePrediction, LiveSession, LiveSummary, SpeakerReferenceError
from ser_core.labels import format_probability
from ser_core.models import CheckpointError, fast_model, limit_emotions, load_model

CHUNK_S = 0.1
SILENT_DEVICE_S = 5.0  # without a chunk: unplugged
MOST_WAITING = 100  # chunks; a machine that cannot follow loses sound instead of memory
HOW_TO_INSTALL = (
    "The microphone needs the Python package sounddevice (pip install sounddevice) and the PortAudio library "
    "(Debian, Ubuntu: sudo apt install libportaudio2; macOS and Windows: it comes with the package)."
)


class MicrophoneError(Exception):
    """No sound can be recorded here; the message names the cure."""


def microphones():
    """The sounddevice module, which looks for PortAudio when it is imported.

    Raises:
        MicrophoneError: it or PortAudio is not installed.
    """
    try:
        import sounddevice
    except (ImportError, OSError):
        raise MicrophoneError(HOW_TO_INSTALL) from None
    return sounddevice


def list_devices() -> str:
    """One line for each device that records."""
    devices = [d for d in microphones().query_devices() if d["max_input_channels"]]
    if not devices:
        raise MicrophoneError("This machine has no microphone that PortAudio knows. Connect one, or start its driver.")
    return "\n".join(f"{d['index']:>3}  {d['name']}, {d['default_samplerate']:.0f} Hz" for d in devices)


def sound(device: int | str | None) -> Iterator[tuple[np.ndarray, int]]:
    """(int16 samples of shape (n_samples, 1), sample rate in Hz) of the microphone, without end.

    Raises:
        MicrophoneError: there is none, or it has stopped.
    """
    sounddevice, chunks, rate = microphones(), _Chunks(), 0
    try:
        rate = int(sounddevice.query_devices(device, "input")["default_samplerate"])
        n_samples = round(CHUNK_S * rate)
        with sounddevice.InputStream(rate, n_samples, device, channels=1, dtype="int16", callback=chunks.keep):
            while True:
                yield chunks.take(), rate
    except queue.Empty:
        raise MicrophoneError("The microphone sends nothing any more. Connect it again, then start again.") from None
    except (sounddevice.PortAudioError, ValueError) as error:
        raise MicrophoneError(
            f"The microphone cannot be used ({error!s:.120}). --list-devices shows those there are."
        ) from None
    finally:
        if chunks.n_lost:
            print(f"{chunks.n_lost / rate:.1f} s of sound were lost: this machine was too slow.", file=sys.stderr)


class _Chunks:
    """What the thread of the microphone has recorded, until it is taken."""

    def __init__(self):
        self._waiting: queue.Queue[np.ndarray] = queue.Queue(MOST_WAITING)
        self.n_lost = 0  # samples

    def keep(self, samples, n_frames, time, status) -> None:
        """Called by PortAudio."""
        try:
            self._waiting.put_nowait(samples.copy())
        except queue.Full:
            self.n_lost += n_frames

    def take(self) -> np.ndarray:
        """All of it at once, so that a slow machine skips predictions and catches up; waits for the first chunk.

        Raises:
            queue.Empty: the microphone sends nothing any more.
        """
        taken = [self._waiting.get(timeout=SILENT_DEVICE_S)]
        while not self._waiting.empty():
            taken.append(self._waiting.get_nowait())
        return np.concatenate(taken)


def as_line(prediction: LivePrediction) -> str:
    """The state of now, for one line of a terminal."""
    probabilities = prediction.ranked()[:3]
    adapted = "r" if prediction.prediction.reference_clips else " "  # with a running reference
    ranked = "  ".join(f"{emotion} {format_probability(p)}" for emotion, p in probabilities)
    clock = f"{int(prediction.at_s) // 60}:{int(prediction.at_s) % 60:02d}"
    measured = f"{prediction.level_dbfs:4.0f} dBFS  {1000 * prediction.latency_s:4.0f} ms"
    return f"{clock} {'*' if prediction.speaking else ' '}{adapted}{prediction.label:<9}  {measured}  {ranked}"


def as_text(summary: LiveSummary) -> str:
    """The session in a few lines."""
    lines = [f"{summary.duration_s:.1f} s, {summary.speech_s:.1f} s of speech, {summary.n_predictions} predictions"]
    lines += [f"  {label:<10}{seconds:7.1f} s" for label, seconds in summary.label_durations_s.items()]
    if summary.n_predictions:
        lines.append(f"latency {1000 * summary.mean_latency_s:.0f} ms, at most {1000 * summary.max_latency_s:.0f} ms")
    return "\n".join(lines)


def follow(session: LiveSession, chunks: Iterator[tuple[np.ndarray, int]]) -> None:
    """Shows every prediction until Ctrl-C: one line rewritten in a terminal, a line each elsewhere."""
    before, after = ("\r\x1b[K", "") if sys.stdout.isatty() else ("", "\n")
    width = shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else None
    try:
        for samples, sample_rate in chunks:
            if prediction := session.feed(samples, sample_rate):
                print(before + as_line(prediction)[:width], end=after, flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        if before:
            print()


def listen(
    model: str, device: int | str | None, save: Path | None, running_reference: bool, emotions: Sequence[str]
) -> int:
    """A session from its first sound to its summary, which also comes when the microphone is lost."""
    microphones()  # before the model is loaded
    loaded = limit_emotions(load_model(model), emotions)
    session = LiveSession(loaded, keep_recording=save is not None, running_reference=running_reference)
    print("Recording. Ctrl-C ends.", file=sys.stderr)
    code = 0
    try:
        follow(session, sound(device))
    except (AudioError, MicrophoneError) as error:
        print(error, file=sys.stderr)
        code = 2
    if session.duration_s:
        print(as_text(session.summary()))
    if save and session.duration_s:
        paths.write_bytes(save, encode_wav(session.recording()))
    return code


def live_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__)
    parser.add_argument("--model", default=fast_model(), help="name or folder; by default %(default)s")
    parser.add_argument("--list-devices", action="store_true", help="the microphones of this machine, then end")
    parser.add_argument("--device", help="number or part of the name; by default that of the system")
    parser.add_argument(
        "--save", type=writable_path, metavar="FILE", help="keep the session as a WAV file, 16 kHz mono"
    )
    parser.add_argument(
        "--running-reference",
        action="store_true",
        help="predict relative to the speech so far, from 10 s on; for one speaker, by models that take a reference",
    )
    add_emotions_flag(parser)
    return parser


@explains(CheckpointError, MicrophoneError, SpeakerReferenceError, cure="Choose another file for --save.")
def main(arguments: list[str] | None = None) -> int:
    parser = live_parser()
    options = parser.parse_args(arguments)
    device = int(options.device) if (options.device or "").isdecimal() else options.device
    if options.save and (options.save.exists() or not options.save.absolute().parent.is_dir()):
        parser.error(f"{options.save} is there already, or its folder is not. Choose another file.")
    try:
        if options.list_devices:
            print(list_devices())
            return 0
        return listen(options.model, device, options.save, options.running_reference, options.emotions)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
