"""Live page: a Gradio application with a prediction for the microphone four times a second.

The browser sends the samples directly, in memory: the microphone component of Gradio would write each piece to a
file. The application also offers `predict` to `gradio_client`, whose uploads are kept in memory too.
"""

import asyncio
import base64
import re
import signal
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType
from typing import Any, cast

import gradio as gr
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from ser_core import paths
from ser_core.audio import AudioError, read_audio
from ser_core.inference import (
    DEFAULT_LIVE_SMOOTHING,
    LIVE_HOP_S,
    MAX_LIVE_RECORDING_S,
    MAX_WAITING_REQUESTS,
    NOT_SURE,
    QueueFull,
    SpeakerReferenceError,
    inference_queue,
    prediction_record,
    shared_model,
)
from ser_core.labels import AROUSAL_VALENCE, EMOTION_STYLES, EMOTIONS
from ser_core.models import HOW_TO_TRAIN, CheckpointError, models_for_long_audio, models_with_reference, resolve_model
from ser_core.plots import GREY, emotion_label, magma_colours
from ser_core.serving.error_response import error_response
from ser_core.serving.gradio_uploads import GradioUploads
from ser_core.serving.live_sessions import LiveSessionError, LiveSessions
from ser_core.serving.middleware import BodyLimit, RequestLimits
from ser_core.serving.one_time_store import RECORDING_LIFETIME_S, OneTimeStoreError
from ser_core.serving.protection.fair_slots import client_address
from ser_core.serving.routes import is_serving, live_is_up

LIVE_TITLE = "Live microphone"
# Concatenated in this order: Gradio takes one script as text, without a module loader.
LIVE_SCRIPTS = tuple(
    paths.STATIC / name for name in ("microphone.js", "spectrogram.js", "live_view.js", "live_plane.js", "live.js")
)
REQUEST_OVERHEAD_BYTES = 1_000_000  # of a request besides the audio
MAX_GRADIO_STATES = 200  # kept by Gradio, one for each session hash; empty here
USED_ROUTES = re.compile(  # of Gradio
    r"/?|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|pwa_icon(/\d+)?)/?|/(assets|svelte|static)/.+|"
    r"/gradio_api/(info|app_id|startup-events|reset|cancel|component_server|queue/(join|data|status)|heartbeat/\w+)/?|"
    r"/gradio_api/call/(v2/)?\w+(/\w+)?|/gradio_api/run/\w+/?"
)
STALE_PAGE_MESSAGE = "This page is older than the server. Reload it."
PREDICT_USAGE = "Send an audio file, by handle_file(...) of gradio_client, and the name of a model or null."
FONT_FAMILY = ("system-ui", "sans-serif")  # no external fonts
USER_ERRORS = (AudioError, CheckpointError, OneTimeStoreError, LiveSessionError, SpeakerReferenceError)


def build_live(limits: RequestLimits | None = None) -> FastAPI:
    """ASGI application, to be mounted at `LIVE_PATH`."""
    limits = limits or RequestLimits()
    app, uploads = FastAPI(openapi_url=None), GradioUploads(limits)
    app.router.routes += [uploads.route("/gradio_api/upload")]
    icon = base64.b64encode(paths.ICON.read_bytes()).decode()
    gr.mount_gradio_app(
        app,
        _blocks(limits, uploads),
        "/",
        theme=live_theme(),
        head=f'<link rel="icon" href="data:image/svg+xml;base64,{icon}">',
        server_name="127.0.0.1",
        max_file_size=limits.max_body_bytes,
        footer_links=[],
        run_history=False,  # would keep recordings in the browser
        ssr_mode=False,
        mcp_server=False,
    )
    app.add_middleware(BodyLimit, max_bytes=limits.max_body_bytes + REQUEST_OVERHEAD_BYTES)
    mount = cast(Mount, app.routes[-1])
    _stop_with_server(app, cast(gr.routes.App, mount.app))
    mount.app = _only_used_routes(mount.app)
    return app


def _only_used_routes(app: ASGIApp) -> ASGIApp:
    """Hides the routes of Gradio that neither the page nor `gradio_client` uses, and refuses forms.

    Among them are some that fetch addresses on a client's order, or write to disk. Uploads for `predict` have their
    own route.
    """

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        response = app
        if scope["type"] == "http" and not USED_ROUTES.fullmatch(
            scope["path"].removeprefix(scope.get("root_path", ""))
        ):
            response = error_response(404, "Unknown path.")
        elif Headers(scope=scope).get("content-type", "").lower().startswith("multipart/"):
            response = error_response(415, "Forms are not accepted here.")
        await response(scope, receive, send)

    return respond


class _DiscreetBlocks(gr.Blocks):
    """Blocks that do not log invalid requests: the log of Gradio would contain file names."""

    async def preprocess_data(self, *args, **kwargs) -> list:
        try:
            return await super().preprocess_data(*args, **kwargs)
        except Exception:  # any content from a client
            raise gr.Error(PREDICT_USAGE, print_exception=False) from None


def _blocks(limits: RequestLimits, uploads: GradioUploads) -> gr.Blocks:
    """Live page without its theme, and `predict`."""
    sessions = LiveSessions()
    with _DiscreetBlocks(title=LIVE_TITLE, analytics_enabled=False) as live:
        page = gr.HTML(**_page_arguments(sessions))

        def _open(request: gr.Request) -> gr.HTML:
            sessions.open(request.session_hash or "", client_address(request.request.scope))  # type: ignore[union-attr]  # set by Gradio
            return _open_page(request)

        live.load(_open, None, page, api_visibility="private", queue=False, show_progress="hidden")

        @live.unload
        def _close_page(request: gr.Request) -> None:
            sessions.forget(request.session_hash or "")

        _add_predict(limits, uploads)
    live.state_session_capacity = MAX_GRADIO_STATES
    return live.queue(max_size=MAX_WAITING_REQUESTS, api_open=False)


def _stop_with_server(app: FastAPI, live: gr.routes.App) -> None:
    """Close the connections of open pages at shutdown: the server would wait for them."""
    original = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any] | None]:
        if threading.current_thread() is threading.main_thread():  # signals are delivered there only
            for number in (signal.SIGINT, signal.SIGTERM):
                _set_on_signal(live.stop_event, number)
        async with original(app) as state:
            live_is_up.set()
            yield state
            live_is_up.clear()

    app.router.lifespan_context = lifespan  # type: ignore[assignment]  # with or without a state, as the original


def _set_on_signal(event: asyncio.Event, number: signal.Signals) -> None:
    """Set an event on a signal, then call the previous handler."""
    loop, previous = asyncio.get_running_loop(), signal.getsignal(number)

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(event.set)
        if callable(previous):
            previous(number, frame)

    signal.signal(number, handle)


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


def _page_arguments(sessions: LiveSessions) -> dict:
    """Arguments of gr.HTML: templates, server functions, and the properties (`props`) of live.js."""
    return {
        "html_template": _page_template(),
        "css_template": (paths.STATIC / "live.css").read_text(),
        "js_on_load": "\n".join(script.read_text() for script in LIVE_SCRIPTS),
        "apply_default_css": False,
        "server_functions": [
            _page_callable(getattr(sessions, name)) for name in ("start", "feed", "stop", "hand_over")
        ],
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
        except (TypeError, ValueError):
            return {"error": STALE_PAGE_MESSAGE}

    call.__name__ = function.__name__
    return call


def _open_page(request: gr.Request) -> gr.HTML:
    return gr.HTML(page_id=request.session_hash, trajectory_available=is_serving.is_set())


def _add_predict(limits: RequestLimits, uploads: GradioUploads) -> None:
    """Add the endpoint `predict`; its widgets are invisible."""
    file, model = gr.File(visible=False), gr.Textbox(visible=False)
    file.async_move_resource_to_block_cache = _keep_in_memory  # type: ignore[method-assign, assignment]  # no other way
    prediction = gr.JSON(visible=False)
    predict = partial(predict_upload, limits, uploads)
    gr.Button(visible=False).click(
        predict, [file, model], prediction, api_name="predict", api_description=predict_upload.__doc__, preprocess=False
    )


async def _keep_in_memory(name: str | None) -> str | None:
    """Uploads are not files: nothing to move into the cache of Gradio."""
    return name


def predict_upload(limits: RequestLimits, uploads: GradioUploads, file: dict | None, model: str | None = None) -> dict:
    """Prediction for an audio file, as printed by `python -m scripts.predict`.

    Args:
        file: the audio file.
        model: name of a model; None: the default.
    """
    content = uploads.take(file["path"]) if file else None
    try:
        name = resolve_model(model or None)
        if file is None or content is None:
            raise AudioError(f"The audio file is missing. {PREDICT_USAGE}")
        recording = read_audio(content, max_duration_s=limits.duration_s)
        with inference_queue.place().turn():
            return prediction_record(recording, shared_model(name), file["orig_name"] or "")
    except (AudioError, CheckpointError, QueueFull) as error:
        raise gr.Error(str(error), print_exception=False) from None
