"""Documentation of the REST API."""


def test_the_docs_are_complete_without_external_resources(client):
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/predict", "/windows", "/embed", "/reference", "/models", "/health"}
    page = client.get("/docs").text
    assert "src=" not in page and page.count("http") == page.count("http://testserver")
    for path in described["paths"]:
        assert f"http://testserver{path}</pre>" in page


def test_what_predicts_takes_the_emotions_that_can_occur(client):
    paths = client.get("/openapi.json").json()["paths"]
    taking = {
        path for path in paths for call in paths[path].values() if "'name': 'emotions'" in str(call.get("parameters"))
    }
    assert taking == {"/predict", "/windows"} and "<code>neutral,happy,sad,angry</code>" in client.get("/docs").text


def test_every_error_status_is_documented(client):
    """The documented statuses are those tested in this file."""
    for path in ("/predict", "/windows", "/embed", "/reference"):
        responses = client.get("/openapi.json").json()["paths"][path]["post"]["responses"]
        assert set(responses) == {"200", "400", "403", "404", "408", "413", "415", "422", "429", "500", "503"}
        assert all("Retry-After" in responses[status]["headers"] for status in ("429", "503"))
    for path in ("/models", "/health"):
        assert set(client.get("/openapi.json").json()["paths"][path]["get"]["responses"]) == {"200", "403"}
