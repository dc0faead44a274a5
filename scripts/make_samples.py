"""Makes the samples of the app in assets/samples/: synthetic ones, and eight real voices from CREMA-D.

python -m scripts.make_samples synthetic    needs espeak-ng; the same version makes the same sound
python -m scripts.make_samples voices       needs SER_CORPORA with CREMA-D; copies clips of unseen speakers
"""

import io
import json
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from scripts.common.errors import explains
from scripts.common.flags import command_parser
from ser_core import paths
from ser_core.audio import SAMPLE_RATE, load_audio
from ser_core.data import (
    CorpusError,
    ProtocolError,
    Utterance,
    corpora_root,
    read_corpora,
    training_speakers,
    unseen_speaker_fold,
)
from ser_core.inference import predict
from ser_core.models import DEFAULT_MODEL, FAST_MODEL, CheckpointError, load_model, read_metrics
from ser_core.plots import spectrogram

PAUSE_S = 0.6
EDGE_S = 0.3
ROOM_NOISE_DBFS = -60.0
SEED = 7
N_VOICES = 8  # half of them of each sex
VOICES = paths.SAMPLES / "crema_d"
EXAMPLE_COLUMNS = 640  # pixels of its spectrogram


@dataclass(frozen=True)
class Passage:
    """How espeak-ng speaks one passage: its own units (speed in words a minute, pitch 0-99, amplitude 0-200)."""

    text: str
    voice: str = "en-gb"
    speed: int = 160
    pitch: int = 50
    amplitude: int = 100


@dataclass(frozen=True)
class Sample:
    file: str
    title: str
    passages: tuple[Passage, ...]
    seconds_of_noise: float = 0.0
    noise_dbfs: float = ROOM_NOISE_DBFS


QUIET = "The lake was still this morning. Nobody had come down to the water yet."
LOUD = "You will not believe what just happened. They opened the door and everybody was already here!"
FLAT = "The meeting starts at nine. The second room on the left is free until noon."
STORY = (
    Passage("It was late, and the house was almost dark.", "en-gb", 125, 25, 60),
    Passage("Then the telephone rang, and rang again!", "en-gb", 195, 80, 170),
    Passage("I did not want to answer it. Not tonight.", "en-gb", 110, 15, 80),
    Passage("But it was you! You were at the station, and the train was on time!", "en-gb", 210, 90, 190),
    Passage("So I put on my coat, took the keys, and walked down to the river.", "en-gb", 150, 50, 100),
    Passage("The street lamps went out, one after another, while I was waiting.", "en-gb", 120, 35, 70),
    Passage("And nobody came. Nobody came at all.", "en-gb", 105, 10, 60),
)
SAMPLES = (
    Sample("story.ogg", "Changing voice, half a minute", STORY),
    Sample("low_slow.ogg", "Low and slow", (Passage(QUIET, "en-gb", 115, 20, 60),)),
    Sample("high_fast.ogg", "High, fast and loud", (Passage(LOUD, "en-us+f3", 215, 85, 190),)),
    Sample("even.ogg", "Even, as read aloud", (Passage(FLAT, "en-us+m3", 165, 45, 100),)),
    Sample("empty_room.ogg", "Nobody speaks", (), seconds_of_noise=6.0, noise_dbfs=-45.0),
)


@explains(CheckpointError, CorpusError, ProtocolError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("kind", choices=("synthetic", "voices"))
    if parser.parse_args(arguments).kind == "voices":
        copy_voices()
    else:
        make_synthetic()
    return 0


def make_synthetic() -> None:
    if not shutil.which("espeak-ng"):
        sys.exit("espeak-ng is missing. Install it with the system's package manager, e.g. apt install espeak-ng.")
    paths.SAMPLES.mkdir(parents=True, exist_ok=True)
    listing = [write(sample) for sample in SAMPLES]
    paths.write_text(paths.SAMPLES / "samples.json", json.dumps(listing, indent=2) + "\n")


def copy_voices() -> None:
    """Copies the chosen clips as they are, in place of those of before.

    Raises:
        CheckpointError, CorpusError, ProtocolError: there is nothing to choose from; the folder stays as it is.
    """
    clips = [u for u in read_corpora(corpora_root()).utterances if u.corpus == "crema_d"]
    parts = [unseen_speaker_fold(name, read_metrics(name)) for name in (DEFAULT_MODEL, FAST_MODEL)]
    known = frozenset().union(*(training_speakers(*part) for part in parts))
    try:
        chosen = choose_voices([u for u in clips if u.speaker not in known])  # before the old ones go
    except (IndexError, ValueError):
        raise CorpusError(
            f"Too few clips of CREMA-D in {corpora_root()}. Get them: python -m scripts.download_corpora crema_d"
        ) from None
    VOICES.mkdir(parents=True, exist_ok=True)
    for old in [path for path in VOICES.iterdir() if path.suffix != ".md"]:
        old.unlink()
    for clip in chosen:
        paths.write_bytes(VOICES / clip.path.name, clip.path.read_bytes())
        print(clip.path.name)
    write_example()


def write_example() -> None:
    """Predicts the clips with the default model: the most confident one is the example of Home, right or wrong."""
    model, waveforms = load_model(DEFAULT_MODEL), {path: load_audio(path) for path in sorted(VOICES.glob("*_*_*_*.*"))}
    predictions = {path: predict(model, waveform) for path, waveform in waveforms.items()}
    path, found = max(predictions.items(), key=lambda item: item[1].confidence)
    example = {"file": path.name, "model": found.model, "version": found.version, "emotion": found.emotion}
    example |= {"confidence": round(found.confidence, 4)}
    paths.write_text(VOICES / "example.json", json.dumps(example, indent=2) + "\n")
    paths.write_bytes(VOICES / "example.png", spectrogram(waveforms[path], EXAMPLE_COLUMNS).png)


def choose_voices(clips: list[Utterance]) -> list[Utterance]:
    """Random clips of different speakers and sentences: as many of each sex, each emotion at least once.

    What a model predicts for them plays no part.

    Raises:
        IndexError, ValueError: too few clips.
    """
    rng = random.Random(SEED)
    clips = sorted(clips, key=lambda u: u.id)
    emotions = sorted({u.emotion for u in clips})
    wanted = emotions + rng.sample(emotions, max(0, N_VOICES - len(emotions)))
    chosen: list[Utterance] = []
    for i, emotion in enumerate(rng.sample(wanted, N_VOICES)):
        taken = {name for u in chosen for name in (u.speaker, u.sentence)}
        sex = ("female", "male")[i % 2]
        fitting = [u for u in clips if (u.emotion, u.sex) == (emotion, sex) and not {u.speaker, u.sentence} & taken]
        chosen.append(rng.choice(fitting))
    return chosen


def write(sample: Sample) -> dict:
    """Writes one sample and returns its entry in the list."""
    parts = [np.zeros(round(sample.seconds_of_noise * SAMPLE_RATE))]
    for passage in sample.passages:
        parts += [spoken(passage), np.zeros(round(PAUSE_S * SAMPLE_RATE))]
    edge = np.zeros(round(EDGE_S * SAMPLE_RATE))
    sound = np.concatenate([edge, *parts[: -1 if sample.passages else None], edge])
    sound = sound + room_noise(len(sound), sample.noise_dbfs)
    encoded = io.BytesIO()  # the error of libsndfile on a full disk is no OSError
    soundfile.write(encoded, np.clip(sound, -1, 1), SAMPLE_RATE, format="OGG", subtype="OPUS")
    paths.write_bytes(paths.SAMPLES / sample.file, encoded.getvalue())
    text = " ".join(passage.text for passage in sample.passages)
    print(f"{sample.file:16s} {len(sound) / SAMPLE_RATE:5.1f} s {len(encoded.getvalue()) / 1e3:6.1f} kB")
    return {"file": sample.file, "title": sample.title, "text": text}


def spoken(passage: Passage) -> np.ndarray:
    """The speech of espeak-ng, shape = (n_samples,), at 16 kHz, without the silence it puts at the ends."""
    flags = ["-v", passage.voice, "-s", str(passage.speed), "-p", str(passage.pitch), "-a", str(passage.amplitude)]
    wav = subprocess.run(["espeak-ng", *flags, "--stdout", passage.text], check=True, capture_output=True).stdout
    sound, rate = soundfile.read(io.BytesIO(wav))
    (loud,) = np.nonzero(np.abs(sound) > 1e-3)
    return soxr.resample(sound[loud[0] : loud[-1]], rate, SAMPLE_RATE) * 0.7


def room_noise(n_samples: int, level_dbfs: float) -> np.ndarray:
    """Pink noise of that RMS level, shape = (n_samples,)."""
    spectrum = np.fft.rfft(np.random.default_rng(SEED).standard_normal(n_samples))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), n_samples)
    return noise / np.sqrt(np.mean(noise**2)) * 10 ** (level_dbfs / 20)


if __name__ == "__main__":
    sys.exit(main())
