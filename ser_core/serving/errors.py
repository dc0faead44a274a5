"""What is answered when something goes wrong: {"error": cause and cure}, and for how long to stay away."""

import math
from dataclasses import asdict, dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ser_core.audio import AudioError
from ser_core.inference import QueueFull
from ser_core.models import CheckpointError, UnknownModel
from ser_core.serving.routes import API_PATH


@dataclass(frozen=True)
class ErrorResponse:
    """What is answered when something goes wrong."""

    error: str  # cause and cure


_RETRY_AFTER = {"headers": {"Retry-After": {"description": "seconds to stay away", "schema": {"type": "integer"}}}}
_DESCRIPTIONS = {
    400: "a form without one recording",
    404: "no such model",
    408: "the recording came too slowly",
    413: "it is larger than what is taken",
    415: "it is sent as something else than sound",
    422: "nothing can be heard in it: no sound, damaged, too short",
    429: "too many requests from this address",
    500: "the server failed, or the model cannot be used",
    503: "too many wait already",
}
ERROR_RESPONSES = {
    status: {"model": ErrorResponse, "description": why} | (_RETRY_AFTER if status in (429, 503) else {})
    for status, why in _DESCRIPTIONS.items()
}
"""In the terms of FastAPI: what may be answered instead of what was asked for."""


def error_response(status: int, message: str, retry_after_s: float | None = None) -> JSONResponse:
    headers = {} if retry_after_s is None else {"Retry-After": str(math.ceil(retry_after_s))}
    return JSONResponse(asdict(ErrorResponse(message)), status, headers)


def add_error_handlers(app: FastAPI) -> None:
    """Every error of this application is a Fault."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        unknown = {404: "There is nothing at this address.", 405: "This address is asked in another way."}
        if error.detail == HTTPStatus(error.status_code).phrase:
            return error_response(
                error.status_code, f"{unknown.get(error.status_code, error.detail)} See {API_PATH}/docs."
            )
        return error_response(error.status_code, str(error.detail))

    @app.exception_handler(AudioError)
    async def unreadable(request: Request, error: AudioError) -> JSONResponse:
        return error_response(422, str(error))

    @app.exception_handler(UnknownModel)
    async def unknown_model(request: Request, error: UnknownModel) -> JSONResponse:
        return error_response(404, str(error))

    @app.exception_handler(CheckpointError)
    async def unusable(request: Request, error: CheckpointError) -> JSONResponse:
        return error_response(500, str(error))

    @app.exception_handler(QueueFull)
    async def full(request: Request, error: QueueFull) -> JSONResponse:
        return error_response(503, str(error), error.retry_after_s)
