"""Room responses by the image-source method, for recordings as they sound in a shoebox-shaped room."""

from dataclasses import dataclass

import numpy as np

from ser_core.audio.io import SAMPLE_RATE

SPEED_OF_SOUND_M_S = 343.0
WALL_DISTANCE_M = 0.3  # the least distance of speaker and microphone from a wall
MAX_REFLECTIONS = 30  # of an image; the later ones are weaker than -20 dB


@dataclass(frozen=True)
class RoomRange:
    """Ranges from which a room is drawn uniformly."""

    size_m: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]  # length, width, height
    reflection: tuple[float, float]  # pressure reflection coefficient of all six walls


SMALL_ROOM = RoomRange(((2.0, 4.0), (2.0, 3.5), (2.3, 2.6)), (0.75, 0.88))
LARGE_ROOM = RoomRange(((6.0, 10.0), (5.0, 8.0), (2.8, 4.0)), (0.82, 0.92))


def draw_room_response(rooms: RoomRange, rng: np.random.Generator) -> np.ndarray:
    """Impulse response between two random points of a random room, shape = (n_samples,), begins with the direct sound.

    Image-source method: Allen & Berkley, "Image method for efficiently simulating small-room acoustics", 1979.
    """
    size = np.array([rng.uniform(*limits) for limits in rooms.size_m])
    speaker, microphone = (rng.uniform(WALL_DISTANCE_M, size - WALL_DISTANCE_M) for _ in range(2))
    distance_m, n_reflections = _images(size, speaker, microphone)
    gain = rng.uniform(*rooms.reflection) ** n_reflections / distance_m
    delay = np.round((distance_m - distance_m.min()) / SPEED_OF_SOUND_M_S * SAMPLE_RATE).astype(int)
    response = np.bincount(delay, gain)
    return response / response[0]


def _images(size: np.ndarray, speaker: np.ndarray, microphone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each mirror image of the speaker from the microphone in metres, and its number of reflections."""
    order = np.arange(-MAX_REFLECTIONS, MAX_REFLECTIONS + 1)
    position = order[:, None] * size + np.where(order[:, None] % 2, size - speaker, speaker)
    offset = position - microphone
    squares = offset[:, None, None, 0] ** 2 + offset[None, :, None, 1] ** 2 + offset[None, None, :, 2] ** 2
    bounces = np.abs(order)
    count = bounces[:, None, None] + bounces[None, :, None] + bounces[None, None, :]
    kept = count <= MAX_REFLECTIONS
    return np.sqrt(squares[kept]), count[kept]
