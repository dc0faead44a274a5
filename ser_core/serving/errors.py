"""Errors of the REST API: which exception becomes which response, and their description."""

from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from ser_core.audio import AudioError
from ser_core.inference import QueueFull, SpeakerReferenceError
from ser_core.labels import EmotionError
from ser_core.models import CheckpointError, UnknownModel
from ser_core.serving.error_response import ErrorResponse, error_response
from ser_core.serving.routes import API_PATH

_RETRY_AFTER = {"headers": {"Retry-After": {"description": "seconds until a retry", "schema": {"type": "integer"}}}}
_DESCRIPTIONS = {
    400: "the form is cut off, has no recording or too many, or a part or parameter is unknown or repeated",
    403: "a page of another site, or a foreign Host",
    404: "unknown model",
    408: "the upload was too slow",
    413: "the recording is too large",
    415: "the content type is not audio, or the body is compressed",
    422: "the recording cannot be used: not audio, damaged, empty; or a reference or parameter does not fit",
    429: "too many requests from this address",
    500: "internal error, or the model cannot be loaded",
    503: "the queue is full",
}
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": why} | (_RETRY_AFTER if status in (429, 503) else {})
    for status, why in _DESCRIPTIONS.items()
}
"""Status -> error response, as the argument `responses` of a FastAPI route."""


STATUS_OF_ERROR: dict[type[Exception], int] = {
    AudioError: 422,
    EmotionError: 422,
    SpeakerReferenceError: 422,
    UnknownModel: 404,
    CheckpointError: 500,
}


def add_error_handlers(app: FastAPI) -> None:
    """Every error of this application becomes an ErrorResponse."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        reasons = {404: "Unknown path.", 405: "Method not allowed for this path."}
        detail = str(error.detail)
        if detail == HTTPStatus(error.status_code).phrase:
            detail = f"{reasons.get(error.status_code, detail)} See {API_PATH}/docs."
        response = error_response(error.status_code, detail)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(_allowed_methods(app, request))
        return response

    for kind, status in STATUS_OF_ERROR.items():
        app.add_exception_handler(kind, partial(_plain_error, status))

    @app.exception_handler(RequestValidationError)
    async def invalid_parameter(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return error_response(422, f"The parameter {first['loc'][-1]!r} of the address: {first['msg']}.")

    @app.exception_handler(QueueFull)
    async def queue_full(request: Request, error: QueueFull) -> JSONResponse:
        return error_response(503, str(error), error.retry_after_s)


async def _plain_error(status: int, request: Request, error: Exception) -> JSONResponse:
    return error_response(status, str(error))


def _allowed_methods(app: FastAPI, request: Request) -> list[str]:
    """Methods of the path of a request, over all routes: Starlette names those of the first one only."""
    routes = [route for route in app.routes if isinstance(route, Route)]
    found = [route.methods or () for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for methods in found for method in methods})
