"""Error response {"error": cause and cure}; apart from `errors`, so that the middleware needs no torch and fastapi."""

import math
from dataclasses import asdict, dataclass

from starlette.responses import JSONResponse


@dataclass(frozen=True)
class ErrorResponse:
    """Body of every error response."""

    error: str  # cause and cure


def error_response(status: int, message: str, retry_after_s: float | None = None) -> JSONResponse:
    """JSON error response, with Retry-After in full seconds if given."""
    headers = {} if retry_after_s is None else {"Retry-After": str(math.ceil(retry_after_s))}
    return JSONResponse(asdict(ErrorResponse(message)), status, headers)
