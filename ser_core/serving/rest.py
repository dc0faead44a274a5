"""REST: what the command line answers, as JSON for other programs.

One thread does the work, one request after the other, and waits in the same line as the pages.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from ser_core.audio import read_audio
from ser_core.inference import (
    ClientGone,
    Embedding,
    Ticket,
    embedding_record,
    inference_queue,
    loaded_models,
    prediction_record,
    shared_model,
)
from ser_core.labels import EMOTIONS
from ser_core.models import available_models, resolve_model
from ser_core.serving.errors import ERROR_RESPONSES, add_error_handlers
from ser_core.serving.middleware import RateLimit, RequestLimits, RequestMiddleware
from ser_core.serving.openapi import add_docs
from ser_core.serving.request_body import REQUEST_BODY_SCHEMA, BodyReader
from ser_core.serving.routes import live_is_up
from ser_core.serving.schemas import HealthResponse, ModelsResponse, PredictResponse, WindowsResponse

RecordFunction = Callable[
    ..., dict
]  # of a recording, a model, the name of the file, and whom to tell the share that is done


def build_rest(limits: RequestLimits | None = None) -> FastAPI:
    """The application, to be mounted at `API_PATH`."""
    limits = limits or RequestLimits()
    rest = FastAPI(
        title="Speech emotion workbench",
        description="Which emotion a trained model hears in a recording. Recordings stay in memory until the answer.",
        version="1",
        openapi_url=None,  # see docs: the usual pages load their code from the internet
    )
    rest.add_middleware(RequestMiddleware, rate=RateLimit(limits))
    add_error_handlers(rest)
    _add_prediction_routes(rest, InferenceService(limits))
    _add_info_routes(rest)
    add_docs(rest)
    return rest


class InferenceService:
    """Takes in a recording, waits in the line, and gives the answer."""

    def __init__(self, limits: RequestLimits):
        self._limits, self._body_reader = limits, BodyReader(limits)
        self._worker = ThreadPoolExecutor(1, "rest")

    async def answer(self, request: Request, model: str | None, make_record: RecordFunction) -> JSONResponse:
        """Raises what the intake raises, AudioError, CheckpointError, QueueFull, and Left when the client went away."""
        model_name = resolve_model(model)
        async with self._body_reader.recording(request) as (content, name):
            place = inference_queue.place()
            watch = asyncio.create_task(_cancel_on_disconnect(request, place))
            try:
                job = partial(self._run, content, name, model_name, make_record, place)
                return JSONResponse(await asyncio.get_running_loop().run_in_executor(self._worker, place.run, job))
            finally:
                watch.cancel()
                place.cancel()

    def _run(self, content: bytes, name: str, model_name: str, ask: RecordFunction, place: Ticket) -> dict:
        def stop_when_left(share: float) -> None:
            if place.cancelled:
                raise ClientGone

        recording = read_audio(content, max_duration_s=self._limits.duration_s)
        return ask(recording, shared_model(model_name), name, progress=stop_when_left)


async def _cancel_on_disconnect(request: Request, place: Ticket) -> None:
    """Free the place as soon as the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    place.cancel()


def _add_prediction_routes(rest: FastAPI, desk: InferenceService) -> None:
    """What is asked about a recording."""
    question = partial(rest.post, openapi_extra={"requestBody": REQUEST_BODY_SCHEMA}, response_class=JSONResponse)

    @question("/predict", responses={200: {"model": PredictResponse}} | ERROR_RESPONSES)
    async def predict(request: Request, model: str | None = None) -> JSONResponse:
        """The emotion of a whole recording: what `python -m scripts.predict` prints."""
        return await desk.answer(request, model, prediction_record)

    @question("/windows", responses={200: {"model": WindowsResponse}} | ERROR_RESPONSES)
    async def windows(request: Request, model: str | None = None) -> JSONResponse:
        """The same, and the emotion of each window: what `python -m scripts.predict --windows` prints."""
        return await desk.answer(request, model, partial(prediction_record, windows=True))

    @question("/embed", responses={200: {"model": Embedding}} | ERROR_RESPONSES)
    async def embed(request: Request, model: str | None = None) -> JSONResponse:
        """Where the recording lies in the space that the model has learned: the mean over its windows."""
        return await desk.answer(request, model, embedding_record)


def _add_info_routes(rest: FastAPI) -> None:
    """What is asked about the server."""

    @rest.get("/models")
    async def models() -> ModelsResponse:
        """The models there are, first the one that answers when none is named, and the emotions they tell apart."""
        return ModelsResponse(available_models(), EMOTIONS)

    @rest.get("/health")
    async def health() -> HealthResponse:
        """REST answers; whether the live page is up, how many are in the line, and which models are in memory."""
        return HealthResponse("ok", live_is_up.is_set(), len(inference_queue), tuple(loaded_models()))
