"""The page itself: its template, its scripts and their properties, its theme."""

from collections.abc import Callable

import gradio as gr

from ser_core import paths
from ser_core.audio import AudioError
from ser_core.inference import DEFAULT_LIVE_SMOOTHING, LIVE_HOP_S, MAX_LIVE_RECORDING_S, NOT_SURE, SpeakerReferenceError
from ser_core.labels import AROUSAL_VALENCE, EMOTION_STYLES, EMOTIONS, EmotionError
from ser_core.models import HOW_TO_TRAIN, CheckpointError, models_for_long_audio, models_with_reference
from ser_core.plots import GREY, emotion_label, magma_colours
from ser_core.serving.live.sessions import LiveSessionError, LiveSessions
from ser_core.serving.one_time_store import RECORDING_LIFETIME_S, OneTimeStoreError

LIVE_TITLE = "Live microphone"
# Concatenated in this order: Gradio takes one script as text, without a module loader.
LIVE_SCRIPTS = tuple(
    paths.STATIC / name for name in ("microphone.js", "spectrogram.js", "live_view.js", "live_plane.js", "live.js")
)
STALE_PAGE_MESSAGE = "This page is older than the server. Reload it."
FONT_FAMILY = ("system-ui", "sans-serif")  # no external fonts
USER_ERRORS = (AudioError, CheckpointError, EmotionError, OneTimeStoreError, LiveSessionError, SpeakerReferenceError)


def live_theme() -> gr.themes.Base:
    """Light and dark theme, as on the other pages."""
    return gr.themes.Base(font=FONT_FAMILY, font_mono=("ui-monospace", "monospace")).set(
        body_background_fill="#FFFFFF",
        body_background_fill_dark="#11171D",
        body_text_color="#1B2530",
        body_text_color_dark="#DEE5EC",
        body_text_color_subdued="#55626F",
        body_text_color_subdued_dark="#A5B1BD",
        background_fill_secondary="#F2F5F8",
        background_fill_secondary_dark="#1B242D",
        border_color_primary="#D5DCE4",
        border_color_primary_dark="#35414D",
    )


def page_arguments(sessions: LiveSessions) -> dict:
    """Arguments of gr.HTML: templates, server functions, and the properties (`props`) of live.js."""
    functions = [_page_callable(getattr(sessions, name)) for name in ("start", "feed", "stop", "hand_over")]
    return {
        "html_template": _page_template(),
        "css_template": (paths.STATIC / "live.css").read_text(),
        "js_on_load": "\n".join(script.read_text() for script in LIVE_SCRIPTS),
        "apply_default_css": False,
        "server_functions": functions,
        **_properties(),
    }


def _properties() -> dict:
    return {
        "page_id": "",  # set when the page is open
        "models": models_for_long_audio(),
        "models_with_reference": models_with_reference(),
        "no_model_message": f"There is no trained model yet. {HOW_TO_TRAIN}",
        "styles": {emotion: {"symbol": s.symbol, "colour": s.colour} for emotion, s in EMOTION_STYLES.items()},
        "places": AROUSAL_VALENCE,
        "colormap": magma_colours(),
        "hop_s": LIVE_HOP_S,
        "smoothing_s": DEFAULT_LIVE_SMOOTHING.amount,
        "max_recording_s": MAX_LIVE_RECORDING_S,
        "token_lifetime_min": round(RECORDING_LIFETIME_S / 60),
        "trajectory_available": False,
    }


def _page_template() -> str:
    current = "".join(
        _bar_row(emotion, EMOTION_STYLES[emotion].colour, emotion_label(emotion), "<u hidden></u>")
        for emotion in EMOTIONS
    )
    shares = "".join(_bar_row(emotion, EMOTION_STYLES[emotion].colour, emotion_label(emotion)) for emotion in EMOTIONS)
    shares += _bar_row(NOT_SURE, GREY, f"? {NOT_SURE}")
    page = (paths.STATIC / "live.html").read_text().replace("TITLE", LIVE_TITLE)
    return page.replace("CURRENT_ROWS", current).replace("SHARE_ROWS", shares)


def _bar_row(label: str, colour: str, name: str, threshold: str = "") -> str:
    return (
        f'<li data-answer="{label}"><span class="name">{name}</span>'
        f'<span class="track"><i style="background: {colour}"></i>{threshold}</span><span class="value">–</span></li>'
    )


def _page_callable(function: Callable[..., dict]) -> Callable[[dict], dict]:
    """Server function for the page: keyword arguments as one dict; {"error": message} for a user error."""

    def call(arguments: dict) -> dict:
        try:
            return function(**arguments)
        except USER_ERRORS as error:
            return {"error": str(error)}
        except (TypeError, ValueError, OverflowError):
            return {"error": STALE_PAGE_MESSAGE}

    call.__name__ = function.__name__
    return call
