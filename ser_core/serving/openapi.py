"""Documentation of the REST API: OpenAPI, and a plain HTML page without external resources."""

import html
import re
from collections.abc import Iterator

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

CURL_SAMPLE = "assets/samples/story.ogg"
CURL_BODY = f" -H 'Content-Type: audio/ogg' --data-binary @{CURL_SAMPLE}"
CURL_FORM = f" -F 'file=@{CURL_SAMPLE};type=audio/ogg'"  # one file or several
DOCS_TEMPLATE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{font: 16px system-ui; max-width: 52em; margin: 2em auto; padding: 0 1em; color-scheme: light dark}}
pre {{white-space: pre-wrap; padding: .6em; border: 1px solid #8884}}</style>
<h1>{title}</h1><p>{description}</p>{parts}
<p>An error is <code>{{"error": "cause and cure"}}</code>; 429 and 503 have a Retry-After header.</p>
<p>Machine-readable: <a href="openapi.json">openapi.json</a></p></html>
"""


def add_docs(rest: FastAPI) -> None:
    """Add the routes openapi.json and docs."""

    @rest.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> dict:
        return openapi_schema(rest, _base_url(request))

    @rest.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(_docs_page(openapi_schema(rest, _base_url(request))))


def openapi_schema(rest: FastAPI, address: str) -> dict:
    """OpenAPI schema, with a working command for each path.

    Args:
        rest: the application.
        address: public URL of the API.
    """
    schema = get_openapi(title=rest.title, version=rest.version, description=rest.description, routes=rest.routes)
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            upload = CURL_FORM if path == "/reference" else CURL_BODY
            arguments = upload if method == "post" else ""
            operation["x-codeSamples"] = [{"lang": "shell", "source": f"curl{arguments} {address}{path}"}]
    return schema | {"servers": [{"url": address}]}


def _base_url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


def _docs_page(schema: dict) -> str:
    title, description = (html.escape(schema["info"][name]) for name in ("title", "description"))
    return DOCS_TEMPLATE.format(title=title, description=description, parts="".join(_docs_sections(schema)))


def _docs_sections(schema: dict) -> Iterator[str]:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            sample = html.escape(operation["x-codeSamples"][0]["source"])
            about = re.sub("`(.+?)`", r"<code>\1</code>", html.escape(operation["description"]))
            yield f"<h2>{method.upper()} {html.escape(path)}</h2><p>{about}</p>"
            yield f"<pre>{sample}</pre>"
