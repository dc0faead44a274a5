"""Who may ask: programs, and the pages of this server. A page of another site would do it behind a person's back."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class OwnPages:
    """ASGI middleware. Browsers say in `Origin` whose page asks, and in `Host` whom it means to ask; programs send no
    `Origin`. A name of another site that leads here (DNS rebinding) makes both agree, so names are known where only
    this machine can ask.
    """

    def __init__(self, app: ASGIApp, names: Collection[str], public_name: str):
        """
        Args:
            names: of this server; empty where they are not known.
            public_name: another one, which people see behind a proxy.
        """
        self._app, self._names, self._public_name = app, names, public_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._app
        if scope["type"] in ("http", "websocket") and (problem := self._problem(Headers(scope=scope))):
            answer = JSONResponse({"error": problem}, 403)
        await answer(scope, receive, send)

    def _problem(self, headers: Headers) -> str | None:
        asked = _name(f"//{headers.get('host', '')}")
        if self._names and asked not in (*self._names, self._public_name):
            return (
                f"Only this machine may ask this server, as {self._names[0]}. "
                "Behind a proxy, name the address that people see: STREAMLIT_BROWSER_SERVER_ADDRESS."
            )
        if "origin" in headers and _name(headers["origin"]) not in (asked, self._public_name):
            return "A page of another site may not ask this server."
        return None


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # no address at all
        return None
