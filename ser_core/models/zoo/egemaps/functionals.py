"""The 88 eGeMAPSv02 functionals of a clip: statistics of pitch, loudness, spectrum and voice quality."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.util import find_spec

import numpy as np

N_FUNCTIONALS = 88
MIN_FUNCTIONALS_SAMPLES = 960  # 60 ms, the longest frame of eGeMAPS: below it opensmile returns NaN
EGEMAPS_LEVEL_QUANTILE, EGEMAPS_TARGET_LEVEL = 0.99, 0.1
EGEMAPS_PACKAGES = {"opensmile": "opensmile==2.6.0", "sklearn": "scikit-learn==1.9.1", "skops": "skops==0.16.0"}


def check_egemaps_installed() -> None:
    """Checks for the packages without importing them, which takes a second.

    Raises:
        ImportError: the message holds the command that installs it.
    """
    if missing := [package for package in EGEMAPS_PACKAGES if find_spec(package) is None]:
        raise ImportError(
            f"needs {' and '.join(missing)}: pip install {' '.join(EGEMAPS_PACKAGES[package] for package in missing)}"
            " (opensmile has a research licence); the other models work without."
        )


def egemaps_functionals(waveform: np.ndarray) -> np.ndarray:
    """The 88 eGeMAPSv02 functionals of one clip, float32, shape = (88,), all finite.

    Args:
        waveform: 16 kHz, shape = (n_samples,); below 60 ms it is padded with silence.

    Raises:
        ImportError: opensmile is not installed.
    """
    waveform = np.pad(_normalise_level(waveform), (0, max(0, MIN_FUNCTIONALS_SAMPLES - len(waveform))))
    kept = _functionals_cache.get()
    if kept is None:
        return _extract_functionals(waveform)
    digest = hashlib.sha256(waveform.tobytes()).digest()
    if digest not in kept:
        kept[digest] = _extract_functionals(waveform)
    return kept[digest].copy()


def functional_names() -> list[str]:
    """Names of the functionals by opensmile, in order.

    Raises:
        ImportError: opensmile is not installed.
    """
    return opensmile_extractor().feature_names


_functionals_cache: ContextVar[dict[bytes, np.ndarray] | None] = ContextVar("functionals", default=None)


@contextmanager
def functionals_cache() -> Iterator[None]:
    """Within the context, the functionals of a clip are extracted once; on exit the cache is deleted, for privacy."""
    token = _functionals_cache.set({})
    try:
        yield
    finally:
        _functionals_cache.reset(token)


def _extract_functionals(waveform: np.ndarray) -> np.ndarray:
    """In a thread of its own: opensmile calls Python back from C, where Ctrl-C is lost, and NaN the result."""
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(opensmile_extractor(), waveform, 16_000).result()
    return found.astype(np.float32).reshape(N_FUNCTIONALS)


def _normalise_level(waveform: np.ndarray) -> np.ndarray:
    """The waveform at a fixed level, as loudness is among the functionals and depends on the microphone.

    The level is the 99 % quantile of the absolute samples: a click would set the peak, and pauses lower the RMS, whose
    functional would become constant. It leaves 20 dB of headroom; louder samples are clipped, as opensmile computes in
    16 bits, which wrap around.
    """
    loud = np.quantile(np.abs(waveform), EGEMAPS_LEVEL_QUANTILE)
    return np.clip(waveform * (EGEMAPS_TARGET_LEVEL / max(loud, 1e-9)), -1, 1 - 2**-15).astype(np.float32)


@lru_cache(maxsize=1)
def opensmile_extractor():
    """One extractor for the process; it keeps no state between clips."""
    check_egemaps_installed()
    try:
        import opensmile
    except OSError as error:  # its library is built for other machines
        raise ImportError(f"needs opensmile, which does not run here ({error!s:.80}); the other models do.") from None

    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
