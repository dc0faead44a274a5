"""Responses against their documented schemas."""

import jsonschema
import pytest

from ser_core.serving import rest
from tests.serving.rest.server import OGG


@pytest.mark.parametrize("path", ["/predict", "/windows", "/embed", "/reference", "/models", "/health"])
def test_responses_match_the_schema(client, sound, path, enrolling_model, monkeypatch):
    if path == "/reference":
        monkeypatch.setattr(rest, "shared_model", lambda name: enrolling_model)
    described = client.get("/openapi.json").json()
    ((method, operation),) = described["paths"][path].items()
    answer = client.request(method, path, content=sound if method == "post" else None, headers=OGG)
    shape = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), shape | {"components": described["components"]})
    named = described["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    assert set(answer.json()) == set(named["properties"]) and answer.headers["Content-Type"] == "application/json"
