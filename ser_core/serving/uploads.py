"""What `gradio_client` uploads for `predict`: in memory, under a random name, for one answer.

Gradio itself would write it to disk, under the name that the client gives.
"""

from fastapi import FastAPI, Request
from gradio.utils import get_upload_folder
from starlette.routing import Route

from ser_core.handover import Handover, HandoverError
from ser_core.queue import QueueFull, inference_queue
from ser_core.serving.faults import add_faults
from ser_core.serving.gate import Gate
from ser_core.serving.intake import Intake
from ser_core.serving.limits import Limits, RateLimit

FIELD = "files"  # of the form, as Gradio's clients fill it in
ANY_KIND = ("",)  # they guess it from the name; `predict` says what is no sound


class Uploads:
    """Recordings that wait for their answer, by the name that was given out for them."""

    def __init__(self, limits: Limits):
        self._limits, self._intake = limits, Intake(limits, FIELD, ANY_KIND)
        self._waiting = Handover(limits.all_bodies_bytes, limits.all_bodies_bytes)  # of one the intake knows the most

    def take(self, name: str) -> bytes | None:
        """The content, once; None when it was taken already, is too old or never was here."""
        return self._waiting.take(name.rpartition("/")[2])

    def route(self, path: str) -> Route:
        """In place of Gradio's own."""
        app = FastAPI(openapi_url=None)
        app.add_middleware(Gate, rate=RateLimit(self._limits))
        add_faults(app)

        @app.post(path)
        async def upload(request: Request) -> list[str]:
            async with self._intake.recording(request) as (content, _):
                return [f"{get_upload_folder()}/{self._put(content)}"]  # the only place where Gradio allows one

        return Route(path, app, methods=["POST"])

    def _put(self, content: bytes) -> str:
        try:
            return self._waiting.put(content)
        except HandoverError:
            raise QueueFull(inference_queue.wait_s()) from None
