"""REST: what the command line answers, as JSON for other programs.

One thread does the work, one request after the other, and waits in the same line as the pages.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from ser_core.audio import read_audio
from ser_core.checkpoint import DEFAULT_MODEL, HOW_TO_TRAIN, available_models
from ser_core.labels import EMOTIONS
from ser_core.loaded import loaded, shared_model
from ser_core.queue import Left, Place, inference_queue
from ser_core.records import Embedding, answer_record, embedding_record
from ser_core.serving import live_is_up
from ser_core.serving.answers import Answer, Health, Models, WindowsAnswer
from ser_core.serving.docs import add_docs
from ser_core.serving.faults import REFUSALS, add_faults
from ser_core.serving.gate import Gate
from ser_core.serving.intake import BODY, Intake
from ser_core.serving.limits import Limits, RateLimit

Ask = Callable[..., dict]  # of a recording, a model, the name of the file, and whom to tell the share that is done


def build_rest(limits: Limits | None = None) -> FastAPI:
    """The application, to be mounted at `API`."""
    limits = limits or Limits()
    rest = FastAPI(
        title="Speech emotion workbench",
        description="Which emotion a trained model hears in a recording. Recordings stay in memory until the answer.",
        version="1",
        openapi_url=None,  # see docs: the usual pages load their code from the internet
    )
    rest.add_middleware(Gate, rate=RateLimit(limits))
    add_faults(rest)
    _add_questions(rest, Desk(limits))
    _add_facts(rest)
    add_docs(rest)
    return rest


class Desk:
    """Takes in a recording, waits in the line, and gives the answer."""

    def __init__(self, limits: Limits):
        self._limits, self._intake = limits, Intake(limits)
        self._worker = ThreadPoolExecutor(1, "rest")

    async def answer(self, request: Request, model: str | None, ask: Ask) -> JSONResponse:
        """Raises what the intake raises, AudioError, CheckpointError, QueueFull, and Left when the client went away."""
        model_name = _known(model)
        async with self._intake.recording(request) as (content, name):
            place = inference_queue.place()
            watch = asyncio.create_task(_leave_with(request, place))
            try:
                job = partial(self._work, content, name, model_name, ask, place)
                return JSONResponse(await asyncio.get_running_loop().run_in_executor(self._worker, place.run, job))
            finally:
                watch.cancel()
                place.leave()

    def _work(self, content: bytes, name: str, model_name: str, ask: Ask, place: Place) -> dict:
        def stop_when_left(share: float) -> None:
            if place.left:
                raise Left

        recording = read_audio(content, max_duration_s=self._limits.duration_s)
        return ask(recording, shared_model(model_name), name, progress=stop_when_left)


async def _leave_with(request: Request, place: Place) -> None:
    """Free the place as soon as the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    place.leave()


def _known(model: str | None) -> str:
    """The name of a model; never a path."""
    names = available_models()
    if model is None and names:
        return names[0]
    if model not in names:
        listed = ", ".join(names) or f"none. {HOW_TO_TRAIN}"
        named = DEFAULT_MODEL if model is None else model
        raise HTTPException(404, f"Unknown model {named[:80]!r}. There are: {listed}.")
    return model


def _add_questions(rest: FastAPI, desk: Desk) -> None:
    """What is asked about a recording."""
    question = partial(rest.post, openapi_extra={"requestBody": BODY}, response_class=JSONResponse)

    @question("/predict", responses={200: {"model": Answer}} | REFUSALS)
    async def predict(request: Request, model: str | None = None) -> JSONResponse:
        """The emotion of a whole recording: what `python -m scripts.predict` prints."""
        return await desk.answer(request, model, answer_record)

    @question("/windows", responses={200: {"model": WindowsAnswer}} | REFUSALS)
    async def windows(request: Request, model: str | None = None) -> JSONResponse:
        """The same, and the emotion of each window: what `python -m scripts.predict --windows` prints."""
        return await desk.answer(request, model, partial(answer_record, windows=True))

    @question("/embed", responses={200: {"model": Embedding}} | REFUSALS)
    async def embed(request: Request, model: str | None = None) -> JSONResponse:
        """Where the recording lies in the space that the model has learned: the mean over its windows."""
        return await desk.answer(request, model, embedding_record)


def _add_facts(rest: FastAPI) -> None:
    """What is asked about the server."""

    @rest.get("/models")
    async def models() -> Models:
        """The models there are, first the one that answers when none is named, and the emotions they tell apart."""
        return Models(available_models(), EMOTIONS)

    @rest.get("/health")
    async def health() -> Health:
        """REST answers; whether the live page is up, how many are in the line, and which models are in memory."""
        return Health("ok", live_is_up.is_set(), len(inference_queue), tuple(loaded()))
