"""The whole program in one process on one port: the pages at /, REST at /api/v1, the live microphone at /api/live.

python -m scripts.serve [--port 8501] [--host 127.0.0.1] [--headless]

Only this machine can reach it unless --host names another address: 0.0.0.0 admits everybody in the network, without
a password and unencrypted; they get only predictions for their own recordings.
"""

import logging
import os
import re
import socket
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path

import streamlit as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from scripts.common.flags import serve_parser
from ser_core.serving import (
    API_PATH,
    LIVE_PATH,
    LOCALHOST_NAMES,
    LazyApp,
    OriginCheck,
    RequestLimits,
    SecurityHeaders,
    is_serving,
    limit_request_heads,
)

PAGES = Path(__file__).parent.parent / "app.py"
OPTIONS_FILE = PAGES.parent / ".streamlit" / "config.toml"
PUBLIC_ADDRESS_VARIABLE = "STREAMLIT_BROWSER_SERVER_ADDRESS"
FIRST_PAGE_S = 4.0  # by then it is drawn; torch, REST and Gradio would keep it waiting by seconds of imports


def build(limits: RequestLimits, host: str) -> st.App:
    """The application for a web server at an address."""
    import_module(PAGES.stem)  # before the first session: so that Streamlit does not list pages/ by itself
    rest, live = LazyApp(partial(_rest, limits)), LazyApp(partial(_live, limits))

    @asynccontextmanager
    async def lifespan(app: st.App) -> AsyncIterator[None]:
        async with AsyncExitStack() as faces:
            for face in (rest, live):
                await faces.enter_async_context(face.lifespan(FIRST_PAGE_S))
            is_serving.set()
            yield
            is_serving.clear()

    faces = [Mount(API_PATH, rest), Mount(LIVE_PATH, live)]
    doors = [
        Route(API_PATH, partial(_redirect, f"{API_PATH}/docs")),
        Route(LIVE_PATH, partial(_redirect, f"{LIVE_PATH}/")),
    ]
    return st.App(PAGES, routes=doors + faces, lifespan=lifespan, middleware=[Middleware(_own_pages, host=host)])


def _own_pages(app: ASGIApp, host: str) -> SecurityHeaders:
    """Made when the server starts: only then Streamlit knows its options."""
    is_local = host in LOCALHOST_NAMES
    names = LOCALHOST_NAMES if is_local else (*LOCALHOST_NAMES, host.lower(), socket.gethostname().lower())
    return SecurityHeaders(OriginCheck(app, names, st.get_option("browser.serverAddress").lower(), is_local))


def _rest(limits: RequestLimits) -> Starlette:
    from ser_core.serving import build_rest

    return build_rest(limits)


def _live(limits: RequestLimits) -> Starlette:
    from ser_core.serving import build_live

    return build_live(limits)


async def _redirect(to: str, request: Request) -> RedirectResponse:
    return RedirectResponse(to)


def web_address(host: str, port: int) -> str:
    """As a browser takes it: an IPv6 address stands in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def address_fault(host: str, port: int) -> str:
    """Why no server can listen there, and what to do; "" if one can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        return f"--host {host}: unknown address. Name one of this machine, or 0.0.0.0 for all of them."
    try:
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that has just ended is no obstacle
            probe.bind(address)
    except OSError as error:
        return f"{host}, port {port}: {error.strerror}. Name a free --port, and as --host an address of this machine."
    return ""


def public_name_fault(name: str) -> str:
    """Why no request can have this name, and what to do; "" if one can."""
    if re.fullmatch(r"[\w.-]*|[\da-f]*:[\da-f]*:[\da-f:]*", name.lower()):  # the latter: IPv6
        return ""
    return f"{PUBLIC_ADDRESS_VARIABLE}={name}: give the name alone, such as voice.example.org."


def page_options(table: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Options of Streamlit in a table of .streamlit/config.toml, with their dotted names."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from page_options(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def main(arguments: list[str] | None = None) -> int:
    parser = serve_parser()
    options = parser.parse_args(arguments)
    public = os.environ.get(PUBLIC_ADDRESS_VARIABLE, "")  # only `streamlit run` reads variables of options itself
    if fault := public_name_fault(public) or address_fault(options.host, options.port):
        parser.error(fault)
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("ser_core").setLevel(logging.INFO)
    limits = RequestLimits() if options.rate is None else RequestLimits(requests_per_s=options.rate)
    server = dict(page_options(tomllib.loads(OPTIONS_FILE.read_text())))  # Streamlit seeks it in the working folder
    server |= {"server.address": options.host, "server.port": options.port, "server.headless": options.headless}
    server["logger.hideWelcomeMessage"] = True  # or Streamlit lays an advertisement for its own tools over the pages
    server["server.allowedHosts"] = []  # that of .streamlit/config.toml is for `streamlit run`, without OriginCheck
    if public:
        server["browser.serverAddress"] = public
    print(f"Speech emotion workbench: {web_address(options.host, options.port)}", flush=True)
    limit_request_heads()
    with suppress(KeyboardInterrupt):  # Ctrl-C, when everything has ended
        build(limits, options.host).run(config=server)
    return 0


if __name__ == "__main__":
    sys.exit(main())
