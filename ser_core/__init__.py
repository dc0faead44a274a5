"""Speech emotion recognition: read a recording, ask a trained model, measure how far to trust it."""

from importlib import import_module

from ser_core import threads  # noqa: F401 - before torch

_HOMES = {
    "audio": ("AudioError", "load_audio", "read_audio"),
    "checkpoint": ("CheckpointError", "available_models", "load_model"),
    "corpora": ("Utterance", "corpora_root", "read_corpora"),
    "inference": ("Prediction", "Trajectory", "analyse", "predict", "predict_emotion", "predict_windows"),
    "labels": ("EMOTIONS",),
    "quality": ("Quality", "speech_segments"),
}
__all__ = sorted(name for names in _HOMES.values() for name in names)


def __getattr__(name: str):
    """A public name, from where it lives, when it is first asked for: torch alone takes a second to import."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
