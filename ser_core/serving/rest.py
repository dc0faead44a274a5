"""REST API: predictions, windows and embeddings as JSON, as printed by the command line.

Child processes decode recordings, a few at once; the models run in the same queue as the pages, a batch of a request
after the other.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from ser_core.audio import SAMPLE_RATE, AudioError, Recording, read_audio
from ser_core.inference import (
    MAX_REFERENCE_CLIPS,
    MIN_REFERENCE_CLIPS,
    OWN_RECORDING,
    ClientGone,
    Embedding,
    Reference,
    ReferenceChoice,
    SpeakerReferenceError,
    Ticket,
    check_reference,
    collection_reference,
    embedding_record,
    inference_queue,
    loaded_models,
    prediction_record,
    shared_model,
    speaker_reference,
)
from ser_core.labels import EMOTIONS, parse_possible_emotions
from ser_core.models import SERModel, available_models, limit_emotions, resolve_model
from ser_core.progress import Progress
from ser_core.serving.errors import ERROR_RESPONSES, add_error_handlers
from ser_core.serving.middleware import RateLimit, RequestLimits, RequestMiddleware
from ser_core.serving.openapi import add_docs
from ser_core.serving.protection.fair_slots import N_SLOTS, FairSlots, client_address
from ser_core.serving.request_body import (
    REFERENCE_BODY_SCHEMA,
    REFERENCE_FIELD,
    REQUEST_BODY_SCHEMA,
    BodyReader,
    RequestContent,
)
from ser_core.serving.routes import live_is_up
from ser_core.serving.schemas import HealthResponse, ModelsResponse, PredictResponse, ReferenceResponse, WindowsResponse

RESAMPLED_END_S = 0.5  # decoded and cut off: where decoding stops, resampling gives samples of its own

RecordFunction = Callable[..., dict]  # (recording, model, name=, progress=, reference=) -> JSON-serialisable result
RunFunction = Callable[[RequestContent, list[Recording], SERModel, Progress], dict]


def build_rest(limits: RequestLimits) -> FastAPI:
    """The application, to be mounted at `API_PATH`."""
    rest = FastAPI(
        title="Speech emotion workbench",
        description="Speech emotion recognition with trained models. Recordings are kept in memory until the response.",
        version="1",
        openapi_url=None,  # own docs: the default pages load their code from the internet
        redirect_slashes=False,  # an answer with neither a result nor an error
    )
    rest.add_middleware(RequestMiddleware, rate=RateLimit(limits))
    add_error_handlers(rest)
    service = InferenceService(limits)
    _add_prediction_routes(rest, service)
    _add_reference_route(rest, service)
    _add_info_routes(rest, service)
    add_docs(rest)
    return rest


class InferenceService:
    """Runs a model on the recording of a request: decoded beside the queue, predicted in it."""

    def __init__(self, limits: RequestLimits):
        self._limits, self._body_reader, self._slots = limits, BodyReader(limits), FairSlots()
        self._decoders, self._workers = (ThreadPoolExecutor(N_SLOTS, name) for name in ("decode", "rest"))

    @property
    def n_waiting(self) -> int:
        """Number of requests that are not in the inference queue yet."""
        return self._slots.n_waiting

    async def respond(
        self, request: Request, model: str | None, make_record: RecordFunction, emotions: str | None = None
    ) -> JSONResponse:
        """Response with the result of one model for the recording of a request.

        Args:
            emotions: that can occur, "neutral,happy"; None or "": all.

        Raises:
            HTTPException, QueueFull, ClientDisconnect: as BodyReader.content.
            AudioError, CheckpointError, EmotionError, SpeakerReferenceError: one of them cannot be used.
            ClientGone: the client closed the connection.
        """
        possible = parse_possible_emotions(emotions) if emotions else EMOTIONS

        def run(content: RequestContent, recordings: list[Recording], loaded: SERModel, progress: Progress) -> dict:
            limited, reference = limit_emotions(loaded, possible), _parse_reference(content.reference)
            check_reference(limited, reference)
            return make_record(recordings[0], limited, name=content.files[0][1], progress=progress, reference=reference)

        return await self._respond(request, model, 1, run, self._limits.duration_s)

    async def respond_reference(
        self, request: Request, model: str | None, collection: bool, emotion: str | None
    ) -> JSONResponse:
        """Response with the reference of the clips of a request. Errors as `respond`.

        Args:
            collection: of recordings of one kind, of any speaker; otherwise of one speaker.
            emotion: of all clips of the speaker; None: unknown.
        """
        if collection and emotion:
            raise HTTPException(400, "'emotion' is for the clips of one speaker: leave it out, or 'collection'.")
        clip_s = self._limits.duration_s / MAX_REFERENCE_CLIPS  # all together no longer than one recording may be

        def run(content: RequestContent, recordings: list[Recording], loaded: SERModel, progress: Progress) -> dict:
            if content.reference:
                raise HTTPException(400, f"A reference is made of clips alone: leave out {REFERENCE_FIELD!r}.")
            longest = round(clip_s * SAMPLE_RATE)
            clips = [recording.waveform[:longest] for recording in recordings]
            if not collection:
                return speaker_reference(loaded, clips, progress, [emotion] * len(clips) if emotion else ()).to_dict()
            if (found := collection_reference(loaded, clips, progress)) is None:
                raise SpeakerReferenceError(f"A collection needs {MIN_REFERENCE_CLIPS} clips with speech: send more.")
            return found.to_dict()

        return await self._respond(request, model, MAX_REFERENCE_CLIPS, run, clip_s + RESAMPLED_END_S)

    async def _respond(
        self, request: Request, model: str | None, max_files: int, run: RunFunction, longest_s: float
    ) -> JSONResponse:
        _check_query(request)
        model_name = resolve_model(model or None)  # `?model=` is the default, as without
        async with (
            self._body_reader.content(request, max_files) as content,
            _watch_client(request) as gone,
            self._slots.slot(client_address(request.scope), gone),
        ):
            return await self._run(content, longest_s, run, model_name, gone)

    async def _run(
        self, content: RequestContent, longest_s: float, run: RunFunction, model_name: str, gone: asyncio.Event
    ) -> JSONResponse:
        def stop_when_gone() -> None:
            if gone.is_set():
                raise ClientGone

        def prepare() -> tuple[list[Recording], SERModel]:
            contents = [data for data, _ in content.files]
            recordings = [_read(contents, i, longest_s, stop_when_gone) for i in range(len(contents))]
            return recordings, shared_model(model_name)  # loaded before the turn, which all others wait for

        def predict() -> dict:
            return run(content, recordings, loaded, ticket.let_others)

        loop = asyncio.get_running_loop()
        recordings, loaded = await loop.run_in_executor(self._decoders, prepare)
        ticket = inference_queue.place()
        cancellation = asyncio.create_task(_cancel_when(gone, ticket))
        try:
            return JSONResponse(await loop.run_in_executor(self._workers, ticket.run, predict))
        finally:
            cancellation.cancel()
            ticket.cancel()


def _read(contents: Sequence[bytes], i: int, longest_s: float, check: Callable[[], None]) -> Recording:
    """One of the recordings; of several, an error says which one it is."""
    try:
        return read_audio(contents[i], max_duration_s=longest_s, check=check)
    except AudioError as error:
        if len(contents) == 1:
            raise
        raise AudioError(f"Recording {i + 1} of {len(contents)}: {error}") from None


def _check_query(request: Request) -> None:
    """A parameter of another name, or a second one of a name, would be left out of the answer."""
    known = [parameter.alias for parameter in request.scope["route"].dependant.query_params]
    if unknown := sorted({*request.query_params} - {*known}):
        raise HTTPException(
            400, f"Unknown parameter {unknown[0][:80]!r} in the address. There are: {', '.join(known)}."
        )
    for name in request.query_params:
        if len(request.query_params.getlist(name)) > 1:
            raise HTTPException(400, f"Several parameters {name!r} in the address. Send one.")


def _parse_reference(text: str) -> ReferenceChoice:
    """The reference of a form: the JSON of /reference, the word for the recording itself, or nothing."""
    text = text.removeprefix("\ufeff").strip()  # as editors and shells leave a file
    if text == OWN_RECORDING:
        return OWN_RECORDING
    return Reference.from_json(text) if text else None


@asynccontextmanager
async def _watch_client(request: Request) -> AsyncIterator[asyncio.Event]:
    """An event that is set as soon as the client has closed the connection; after the body was read."""
    gone = asyncio.Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()

    watcher = asyncio.create_task(watch())
    try:
        yield gone
    finally:
        watcher.cancel()


async def _cancel_when(gone: asyncio.Event, ticket: Ticket) -> None:
    await gone.wait()
    ticket.cancel()


def _add_prediction_routes(rest: FastAPI, service: InferenceService) -> None:
    """Routes that take a recording."""
    post = partial(rest.post, openapi_extra={"requestBody": REQUEST_BODY_SCHEMA}, response_class=JSONResponse)

    @post("/predict", responses={200: {"model": PredictResponse}, **ERROR_RESPONSES})
    async def predict(request: Request, model: str | None = None, emotions: str | None = None) -> JSONResponse:
        """Prediction for a recording, as printed by `python -m scripts.predict`.

        With `emotions`, such as `neutral,happy,sad,angry`, among these: no other can occur.
        """
        return await service.respond(request, model, prediction_record, emotions)

    @post("/windows", responses={200: {"model": WindowsResponse}, **ERROR_RESPONSES})
    async def windows(request: Request, model: str | None = None, emotions: str | None = None) -> JSONResponse:
        """Prediction for a recording and each of its windows, as printed by `python -m scripts.predict --windows`.

        With `emotions`, as for /predict.
        """
        return await service.respond(request, model, partial(prediction_record, windows=True), emotions)

    @post("/embed", responses={200: {"model": Embedding}, **ERROR_RESPONSES})
    async def embed(request: Request, model: str | None = None) -> JSONResponse:
        """Embedding of a recording: the mean over its windows."""
        return await service.respond(request, model, _embedding_without_reference)


def _add_reference_route(rest: FastAPI, service: InferenceService) -> None:
    @rest.post(
        "/reference",
        openapi_extra={"requestBody": REFERENCE_BODY_SCHEMA},
        response_class=JSONResponse,
        responses={200: {"model": ReferenceResponse}, **ERROR_RESPONSES},
    )
    async def reference(
        request: Request, model: str | None = None, collection: bool = False, emotion: str | None = None
    ) -> JSONResponse:
        """Reference of one speaker from 1 to 30 unlabelled clips, for the field `reference` of /predict and /windows.

        With `emotion`, of clips that all have this emotion: `neutral` for sentences in an ordinary voice, `everyday`
        for natural speech, which is mostly neutral. With `collection`, of 3 to 30 recordings of one kind (microphone,
        room, language) in several moods, of any speaker. The server keeps nothing: the response is the reference.
        """
        return await service.respond_reference(request, model, collection, emotion or None)


def _embedding_without_reference(
    recording: Recording, model: SERModel, name: str, progress: Progress, reference: ReferenceChoice
) -> dict:
    """An embedding does not depend on a reference."""
    return embedding_record(recording, model, name, progress=progress)


def _add_info_routes(rest: FastAPI, service: InferenceService) -> None:
    """Routes on the state of the server."""

    get = partial(rest.get, responses={403: ERROR_RESPONSES[403]})

    @get("/models")
    async def models() -> ModelsResponse:
        """Available models, the default first, and the classes."""
        return ModelsResponse(available_models(), EMOTIONS)

    @rest.head("/health", include_in_schema=False)  # uptime monitors and load balancers ask so
    @get("/health")
    async def health() -> HealthResponse:
        """State of the server: live page ready, length of the queue, models in memory."""
        return HealthResponse(
            "ok", live_is_up.is_set(), len(inference_queue) + service.n_waiting, tuple(loaded_models())
        )
