"""Live page: a Gradio application with a prediction for the microphone four times a second.

The browser sends the samples directly, in memory: the microphone component of Gradio would write each piece to a
file. The application also offers `predict` to `gradio_client`, whose uploads are kept in memory too.
"""

import base64
import re
from functools import partial
from typing import Any, cast

import gradio as gr
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from ser_core import paths
from ser_core.audio import AudioError, read_audio
from ser_core.inference import MAX_WAITING_REQUESTS, QueueFull, inference_queue, prediction_record, shared_model
from ser_core.labels import EMOTIONS, EmotionError, parse_possible_emotions
from ser_core.models import CheckpointError, limit_emotions, resolve_model
from ser_core.serving.error_response import error_response
from ser_core.serving.gradio_calls import GradioCalls
from ser_core.serving.gradio_uploads import GradioUploads
from ser_core.serving.live.page import LIVE_TITLE, live_theme, page_arguments
from ser_core.serving.live.sessions import LiveSessions
from ser_core.serving.live.shutdown import stop_with_server
from ser_core.serving.middleware import RequestLimits
from ser_core.serving.protection.fair_slots import client_address
from ser_core.serving.routes import is_serving

MAX_GRADIO_STATES = 200  # kept by Gradio, one for each session hash; empty here
USED_ROUTES = re.compile(  # of Gradio
    r"/?|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|pwa_icon(/\d+)?)/?|/(assets|svelte|static)/.+|"
    r"/gradio_api/(info|app_id|startup-events|reset|cancel|component_server|queue/(join|data|status)|heartbeat/\w+)/?|"
    r"/gradio_api/call/(v2/)?\w+(/\w+)?|/gradio_api/run/\w+/?"
)
PLAIN_GRADIO: dict[str, Any] = {
    "run_history": False,  # would keep recordings in the browser
    "footer_links": [],
    "ssr_mode": False,
    "mcp_server": False,
}
PREDICT_USAGE = (
    "Send an audio file, by handle_file(...) of gradio_client, the name of a model or null, and the emotions that can "
    "occur, such as neutral,happy, or null."
)


def build_live(limits: RequestLimits) -> FastAPI:
    """ASGI application, to be mounted at `LIVE_PATH`."""
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
        **PLAIN_GRADIO,
    )
    mount = cast(Mount, app.routes[-1])
    stop_with_server(app, cast(gr.routes.App, mount.app))
    mount.app = _only_used_routes(GradioCalls(mount.app, limits))
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
    """Blocks that do not log invalid requests: the log of Gradio would contain file names.

    Values that a program leaves out at the end of its call are null, as with `gradio_client`.
    """

    async def preprocess_data(self, block_fn, inputs, *args, **kwargs) -> list:
        try:
            left_out = [None] * (len(block_fn.inputs) - len(inputs))
            return await super().preprocess_data(block_fn, [*inputs, *left_out], *args, **kwargs)
        except Exception:  # any content from a client
            raise gr.Error(PREDICT_USAGE, print_exception=False) from None


def _blocks(limits: RequestLimits, uploads: GradioUploads) -> gr.Blocks:
    """Live page without its theme, and `predict`."""
    sessions = LiveSessions()
    with _DiscreetBlocks(title=LIVE_TITLE, analytics_enabled=False) as live:
        page = gr.HTML(**page_arguments(sessions))

        def _open(request: gr.Request) -> gr.HTML:
            sessions.open(request.session_hash or "", client_address(request.request.scope))  # type: ignore[union-attr]  # set by Gradio
            return gr.HTML(page_id=request.session_hash, trajectory_available=is_serving.is_set())

        live.load(_open, None, page, api_visibility="private", queue=False, show_progress="hidden")

        @live.unload
        def _close_page(request: gr.Request) -> None:
            sessions.leave(request.session_hash or "")

        _add_predict(limits, uploads)
    live.state_session_capacity = MAX_GRADIO_STATES
    return live.queue(max_size=MAX_WAITING_REQUESTS, api_open=False)


def _add_predict(limits: RequestLimits, uploads: GradioUploads) -> None:
    """Add the endpoint `predict`; its widgets are invisible."""
    file, model, emotions = gr.File(visible=False), gr.Textbox(visible=False), gr.Textbox(visible=False)
    file.async_move_resource_to_block_cache = _keep_in_memory  # type: ignore[method-assign, assignment]  # no other way
    prediction = gr.JSON(visible=False)
    predict = partial(predict_upload, limits, uploads)
    gr.Button(visible=False).click(
        predict,
        [file, model, emotions],
        prediction,
        api_name="predict",
        api_description=predict_upload.__doc__,
        preprocess=False,
    )


async def _keep_in_memory(name: str | None) -> str | None:
    """Uploads are not files: nothing to move into the cache of Gradio."""
    return name


def predict_upload(
    limits: RequestLimits,
    uploads: GradioUploads,
    file: dict | None,
    model: str | None = None,
    emotions: str | None = None,
) -> dict:
    """Prediction for an audio file, as printed by `python -m scripts.predict`.

    Args:
        file: the audio file.
        model: name of a model; None: the default.
        emotions: that can occur, such as neutral,happy,sad,angry; None: all.
    """
    content = uploads.take(file["path"]) if file else None
    try:
        name = resolve_model(model or None)
        possible = parse_possible_emotions(str(emotions)) if emotions else EMOTIONS
        if file is None or content is None:
            raise AudioError(f"The audio file is missing. {PREDICT_USAGE}")
        recording = read_audio(content, max_duration_s=limits.duration_s)
        loaded = limit_emotions(shared_model(name), possible)  # before the turn, which all others wait for
        ticket = inference_queue.place()
        with ticket.turn():
            return prediction_record(recording, loaded, file["orig_name"] or "", progress=ticket.let_others)
    except (AudioError, CheckpointError, EmotionError, QueueFull) as error:
        raise gr.Error(str(error), print_exception=False) from None
