"""A corpus of synthetic voices under real file names, decoded when a test asks for it: no recording is committed."""

import wave
from pathlib import Path

import numpy as np

from ser_core.audio.io import SAMPLE_RATE
from ser_core.data.audio_store.reading import AudioStore
from ser_core.data.audio_store.writing import decode_recordings
from ser_core.data.corpora import read_corpora
from ser_core.data.file_names import CREMA_EMOTIONS
from ser_core.training.config import TrainingExample

TRAIN_SPEAKERS = ("1037", "1038", "1039")  # in the training part of speaker-independent fold 0
DEV_SPEAKERS = ("1019",)  # in its development part


def voice(pitch_hz: float, seed: int, duration_s: float = 0.6) -> np.ndarray:
    """A buzz with a wavering pitch in a little noise, float32, shape = (n_samples,)."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * pitch_hz * (time_s + 0.01 * np.sin(2 * np.pi * 4 * time_s))
    buzz = sum(np.sin(k * phase) / k for k in range(1, 8))
    return (0.2 * buzz * rng.uniform(0.5, 1) + 0.01 * rng.standard_normal(len(time_s))).astype(np.float32)


def write_wav(path: Path, waveform: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((np.clip(waveform, -1, 1) * 32_767).astype("<i2").tobytes())
    return path


def empty_files(root: Path, *names: str) -> Path:
    """The folder, with these files of no content."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def write_crema_d(folder: Path, speakers=(*TRAIN_SPEAKERS, *DEV_SPEAKERS), sentences=("DFA", "ITH")) -> Path:
    """One file of each emotion, speaker and sentence; each emotion has its pitch, each file its length."""
    for i, speaker in enumerate(speakers):
        for j, sentence in enumerate(sentences):
            for k, code in enumerate(CREMA_EMOTIONS):
                seed = 100 * i + 10 * j + k
                waveform = voice(120 * 1.3**k, seed, duration_s=0.4 + 0.01 * seed % 0.3)
                write_wav(folder / "AudioWAV" / f"{speaker}_{sentence}_{code}_XX.wav", waveform)
    return folder


def decoded(corpora: Path, cache: Path) -> AudioStore:
    """The store of a corpora folder."""
    assert not [
        reason for _, reason in decode_recordings(read_corpora(corpora).utterances, cache, n_workers=1) if reason
    ]
    return AudioStore(cache)


def clips(corpora: Path, speakers=TRAIN_SPEAKERS) -> list[TrainingExample]:
    """The training examples of some speakers."""
    found = read_corpora(corpora).utterances
    return [TrainingExample(u.id, u.corpus, u.emotion) for u in found if u.speaker.split("-")[1] in speakers]
