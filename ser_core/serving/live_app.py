"""The live microphone: a page, made with Gradio, that says every half second what is heard.

The browser sends the sound itself, in memory: Gradio's own microphone would put each half second into a file. Beside
the page there is `predict`, for `gradio_client`; what it uploads stays in memory too.
"""

import asyncio
import base64
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType

import gradio as gr
from fastapi import FastAPI, Request, Response
from starlette.datastructures import Headers
from starlette.routing import Route
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
    inference_queue,
    prediction_record,
    shared_model,
)
from ser_core.labels import EMOTION_STYLES, EMOTIONS
from ser_core.models import HOW_TO_TRAIN, CheckpointError, available_models, resolve_model
from ser_core.plots import GREY, emotion_label, magma_colours
from ser_core.serving.errors import error_response
from ser_core.serving.gradio_uploads import GradioUploads
from ser_core.serving.live_sessions import LiveSessionError, LiveSessions
from ser_core.serving.middleware import BodyLimit, RequestLimits
from ser_core.serving.one_time_store import RECORDING_LIFETIME_S, OneTimeStoreError
from ser_core.serving.routes import is_serving, live_is_up

LIVE_TITLE = "Live microphone"
LIVE_SCRIPTS = (
    paths.STATIC / "microphone.js",
    paths.STATIC / "live_view.js",
    paths.STATIC / "live.js",
)  # in this order
REQUEST_OVERHEAD_BYTES = 1_000_000  # of what a request holds beside sound
MAX_GRADIO_STATES = (
    200  # that Gradio keeps in memory, one for each name that a page gives itself; here they hold nothing
)
STALE_PAGE_MESSAGE = "This page is older than the server. Reload it."
PREDICT_USAGE = "Ask with a sound file, as handle_file(...) of gradio_client sends it, and the name of a model or null."
FONT_FAMILY = ("system-ui", "sans-serif")  # nothing comes from elsewhere
USER_ERRORS = (AudioError, CheckpointError, OneTimeStoreError, LiveSessionError)


def build_live(limits: RequestLimits | None = None) -> FastAPI:
    """The application, to be mounted at `LIVE_PATH`."""
    limits = limits or RequestLimits()
    app, uploads = FastAPI(openapi_url=None), GradioUploads(limits)
    app.router.routes += [uploads.route("/gradio_api/upload"), Route("/gradio_api/deep_link", _not_found)]
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
        run_history=False,  # it would keep recordings in the browser
        ssr_mode=False,
        mcp_server=False,
    )
    app.add_middleware(BodyLimit, max_bytes=limits.max_body_bytes + REQUEST_OVERHEAD_BYTES)
    _stop_with_server(app, app.routes[-1].app)
    app.routes[-1].app = _reject_forms(app.routes[-1].app)
    return app


def _reject_forms(app: ASGIApp) -> ASGIApp:
    """Files that come in forms Gradio would write to disk; those for `predict` come another way."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_form = Headers(scope=scope).get("content-type", "").lower().startswith("multipart/")
        await (error_response(415, "Forms are not taken here.") if is_form else app)(scope, receive, send)

    return answer


def _not_found(request: Request) -> Response:
    """Gradio would write the state of a session to disk."""
    return error_response(404, "There is nothing at this address.")


class _DiscreetBlocks(gr.Blocks):
    """What cannot be understood, Gradio would write to the log with the names of files in it."""

    async def preprocess_data(self, *asked, **how) -> list:
        try:
            return await super().preprocess_data(*asked, **how)
        except Exception:  # whatever a client sends
            raise gr.Error(PREDICT_USAGE, print_exception=False) from None


def _blocks(limits: RequestLimits, uploads: GradioUploads) -> gr.Blocks:
    """The page, without its theme, and `predict`."""
    microphones = LiveSessions()
    with _DiscreetBlocks(title=LIVE_TITLE, analytics_enabled=False) as live:
        page = gr.HTML(**_page_arguments(microphones))
        live.load(_open_page, None, page, api_visibility="private", queue=False, show_progress="hidden")

        @live.unload
        def _close_page(request: gr.Request) -> None:
            microphones.forget(request.session_hash)

        _add_predict(limits, uploads)
    live.state_session_capacity = MAX_GRADIO_STATES
    return live.queue(max_size=MAX_WAITING_REQUESTS, api_open=False)


def _stop_with_server(app: FastAPI, live: gr.routes.App) -> None:
    """A server that is told to end waits for its connections, and each open page keeps one: those end at once."""
    begin = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if threading.current_thread() is threading.main_thread():  # only there are signals
            for number in (signal.SIGINT, signal.SIGTERM):
                _set_on_signal(live.stop_event, number)
        async with begin(app) as state:
            live_is_up.set()
            yield state
            live_is_up.clear()

    app.router.lifespan_context = lifespan


def _set_on_signal(event: asyncio.Event, number: signal.Signals) -> None:
    """When the signal comes; what was done then before is done after it."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(number)

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(event.set)
        if callable(before):
            before(number, frame)

    signal.signal(number, end)


def live_theme() -> gr.themes.Base:
    """Light and dark, as in the other pages."""
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


def _page_arguments(microphones: LiveSessions) -> dict:
    """Arguments of gr.HTML: what is drawn, what may be called, and what the page knows."""
    return {
        "html_template": _page_template(),
        "css_template": (paths.STATIC / "live.css").read_text(),
        "js_on_load": "\n".join(script.read_text() for script in LIVE_SCRIPTS),
        "apply_default_css": False,
        "server_functions": [
            _page_callable(getattr(microphones, name)) for name in ("start", "feed", "stop", "hand_over")
        ],
        "page": "",  # its name, when it is open
        "models": available_models(),
        "no_model": f"There is no trained model yet. {HOW_TO_TRAIN}",
        "looks": {emotion: {"symbol": look.symbol, "colour": look.colour} for emotion, look in EMOTION_STYLES.items()},
        "magma": magma_colours(),
        "hop_s": LIVE_HOP_S,
        "calm_s": DEFAULT_LIVE_SMOOTHING.amount,
        "longest_s": MAX_LIVE_RECORDING_S,
        "lifetime_min": round(RECORDING_LIFETIME_S / 60),
        "opens": False,
    }


def _page_template() -> str:
    now = "".join(
        _bar_row(emotion, EMOTION_STYLES[emotion].colour, emotion_label(emotion), "<u hidden></u>")
        for emotion in EMOTIONS
    )
    shares = "".join(_bar_row(emotion, EMOTION_STYLES[emotion].colour, emotion_label(emotion)) for emotion in EMOTIONS)
    shares += _bar_row(NOT_SURE, GREY, f"? {NOT_SURE}")
    page = (paths.STATIC / "live.html").read_text().replace("TITLE", LIVE_TITLE)
    return page.replace("NOW", now).replace("SHARES", shares)


def _bar_row(answer: str, colour: str, name: str, mark: str = "") -> str:
    return (
        f'<li data-answer="{answer}"><span class="name">{name}</span>'
        f'<span class="track"><i style="background: {colour}"></i>{mark}</span><span class="value">–</span></li>'
    )


def _page_callable(answer: Callable[..., dict]) -> Callable[[dict], dict]:
    """For the page: one dict in, and {"problem": a sentence} out where there is one."""

    def tell(question: dict) -> dict:
        try:
            return answer(**question)
        except USER_ERRORS as error:
            return {"problem": str(error)}
        except (TypeError, ValueError):
            return {"problem": STALE_PAGE_MESSAGE}

    tell.__name__ = answer.__name__
    return tell


def _open_page(request: gr.Request) -> gr.HTML:
    return gr.HTML(page=request.session_hash, opens=is_serving.is_set())


def _add_predict(limits: RequestLimits, uploads: GradioUploads) -> None:
    """The endpoint; its widgets are not seen."""
    file, model = gr.File(visible=False), gr.Textbox(visible=False)
    file.async_move_resource_to_block_cache = _keep_in_memory
    answer = gr.JSON(visible=False)
    ask = partial(predict_upload, limits, uploads)
    gr.Button(visible=False).click(
        ask, [file, model], answer, api_name="predict", api_description=predict_upload.__doc__, preprocess=False
    )


async def _keep_in_memory(name: str | None) -> str | None:
    """An upload is no file, so that none is moved."""
    return name


def predict_upload(limits: RequestLimits, uploads: GradioUploads, file: dict | None, model: str | None = None) -> dict:
    """What `python -m scripts.predict` prints of a sound file.

    Args:
        file: the file.
        model: the name of a model, by default the one that answers first.
    """
    content = uploads.take(file["path"]) if file else None
    try:
        name = resolve_model(model or None)
        if content is None:
            raise AudioError(f"A sound file is needed. {PREDICT_USAGE}")
        with inference_queue.place().turn():
            recording = read_audio(content, max_duration_s=limits.duration_s)
            return prediction_record(recording, shared_model(name), file["orig_name"] or "")
    except (AudioError, CheckpointError, QueueFull) as error:
        raise gr.Error(str(error), print_exception=False) from None
