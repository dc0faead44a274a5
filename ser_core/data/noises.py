"""ESC-50 as noise: environmental sounds, and human sounds that are not speech (Piczak 2015, CC BY-NC 3.0).

Both trees are read: folders of the classes (`301_crying_baby/1-187207-A.opus`), and the original ones, where the last
part of the name is the class (`audio/1-187207-A-20.wav`).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from ser_core.audio import AUDIO_SUFFIXES, walk_files
from ser_core.data.utterances import CorpusError

NOISE_CLASSES = (
    *("dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow"),
    *("rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds"),
    *("water_drops", "wind", "pouring_water", "toilet_flush", "thunderstorm"),
    *("crying_baby", "sneezing", "clapping", "breathing", "coughing"),
    *("footsteps", "laughing", "brushing_teeth", "snoring", "drinking_sipping"),
    *("door_knock", "mouse_click", "keyboard_typing", "door_wood_creaks", "can_opening"),
    *("washing_machine", "vacuum_cleaner", "clock_alarm", "clock_tick", "glass_breaking"),
    *("helicopter", "chainsaw", "siren", "car_horn", "engine"),
    *("train", "church_bells", "airplane", "fireworks", "hand_saw"),
)
"""The 50 classes in the order of the corpus: ten animals, nature, human non-speech, interior, exterior."""

HUMAN_NOISE_CLASSES = NOISE_CLASSES[20:30]
"""Human sounds that are not speech, the classes 301 to 310."""

NOISE_FILE_NAME = re.compile(r"([1-5])-\d+-[A-Z](?:-(\d+))?")
NOISE_FOLDER = re.compile(r"\d{3}_(\w+)")
NOISE_PARTS = {"train": range(1, 5), "test": range(5, 6)}
"""Part -> folds of ESC-50; clips of one source recording are in one fold."""


@dataclass(frozen=True)
class Noise:
    """One recording of ESC-50."""

    path: Path
    name: str  # one of NOISE_CLASSES
    fold: int  # 1 to 5

    @property
    def is_human(self) -> bool:
        """Whether a person makes the sound: laughing, coughing, a crying baby."""
        return self.name in HUMAN_NOISE_CLASSES


def read_noises(root: Path, part: str) -> list[Noise]:
    """Recordings of ESC-50 below a folder, sorted by class and name.

    Args:
        root: searched recursively, e.g. the folder of the corpora.
        part: "train" (folds 1 to 4) or "test" (fold 5).

    Raises:
        CorpusError: none is found.
        ValueError: another part.
    """
    if part not in NOISE_PARTS:
        raise ValueError(f"Unknown part of ESC-50: {part!r}. There are: {', '.join(NOISE_PARTS)}.")
    paths = (path for path in walk_files(root) if path.suffix.lower() in AUDIO_SUFFIXES)
    found = [noise for path in paths if (noise := _parse_noise(path)) and noise.fold in NOISE_PARTS[part]]
    if not found:
        raise CorpusError(
            f"No recording of ESC-50, part {part!r}, below {root}. Its home: github.com/karolpiczak/ESC-50"
        )
    return sorted(found, key=lambda noise: (NOISE_CLASSES.index(noise.name), noise.path.name))


def _parse_noise(path: Path) -> Noise | None:
    """Noise of a path; None if it does not belong to ESC-50."""
    if not (match := NOISE_FILE_NAME.fullmatch(path.stem)):
        return None
    if match[2]:
        name = NOISE_CLASSES[int(match[2])] if int(match[2]) < len(NOISE_CLASSES) else ""
    else:
        folder = NOISE_FOLDER.fullmatch(path.parent.name)
        name = folder[1] if folder else ""
    return Noise(path, name, int(match[1])) if name in NOISE_CLASSES else None
