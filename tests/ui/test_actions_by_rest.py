"""Each action of the pages is a route of the REST API, which everybody else can call, too."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest

import promptuary_ui
from paths import ROOT
from promptuary_ui.review.routes import CALLS

CLIENT = next(iter(promptuary_ui.__path__)) + "/client.py"
CARD = ROOT / "server" / "promptuary" / "ui_assets" / "review_card"
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
CALL = re.compile(r'\bcall\("([A-Z]+)", (?:path\(((?:[^()]|\([^()]*\))*)\)|["`]([^"`?]*)[^"`]*["`])')
Route = tuple[str, str]


def shape(path: str) -> str:
    """Return a path with `{}` for each of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


@pytest.fixture
def routes(local: Any) -> set[Route]:
    """The method and the shape of each route in the OpenAPI document."""
    paths = local.get("/openapi.json").json()["paths"]
    return {(method.upper(), shape(path)) for path, methods in paths.items() for method in methods}


def texts_in(node: ast.AST) -> Iterator[str]:
    """Yield the texts of an expression, with `{}` for what is inserted into one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts_in(child)


def is_call_of(called: Route, route: Route) -> bool:
    """Return whether a call may be one of a route; a segment that is not constant matches each."""
    (method, path), (route_method, route_path) = called, route
    segments = [(part, other) for part, other in zip(path.split("/"), route_path.split("/"), strict=False)]
    is_as_long = path.count("/") == route_path.count("/")
    return method == route_method and is_as_long and all("{}" in pair or pair[0] == pair[1] for pair in segments)


def client_calls() -> Iterator[tuple[str, Route]]:
    """Yield what each method of the UI's client calls."""
    with open(CLIENT, encoding="utf-8") as source:
        tree = ast.parse(source.read())
    (api,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Api")
    for function in api.body:
        if isinstance(function, ast.FunctionDef):
            texts = list(texts_in(function))
            method = next((text for text in texts if text in METHODS), "GET")
            yield from ((function.name, (method, text)) for text in texts if text.startswith("/v1/"))


def card_calls() -> Iterator[tuple[str, Route]]:
    """Yield what the review card calls; what is not constant in a path is `{}`."""
    for file in sorted(CARD.glob("*.js")):
        for method, parts, literal in CALL.findall(file.read_text(encoding="utf-8")):
            path = literal or "/" + "/".join(
                part if quoted else "{}" for quoted, part in re.findall(r'(")?([\w.()]+)"?', parts)
            )
            yield file.name, (method, path)


def test_each_call_of_the_pages_client_is_in_the_openapi_document(sqlite: Any, routes: set[Route]) -> None:
    calls = list(client_calls())
    assert len({name for name, _ in calls}) > 20
    assert [call for call in calls if call[1] not in routes] == []


def test_each_route_of_the_review_card_is_in_the_openapi_document(sqlite: Any, routes: set[Route]) -> None:
    assert [call for call in CALLS if (call[0], shape(f"/v1{call[1]}")) not in routes] == []


def test_each_call_of_the_review_card_has_its_route() -> None:
    relayed = [(method, shape(path)) for method, path in CALLS]
    calls = list(card_calls())
    assert len(calls) > 10
    assert [call for call in calls if not any(is_call_of(call[1], route) for route in relayed)] == []


def test_each_action_of_a_reviewer_is_in_the_review_card(sqlite: Any, local: Any) -> None:
    paths = local.get("/openapi.json").json()["paths"]
    actions = {
        (method.upper(), shape(path))
        for path, methods in paths.items()
        if path.startswith(("/v1/claims/", "/v1/decisions/", "/v1/me/")) or path == "/v1/queues/{name}/claims"
        for method in methods
    }
    in_card = {(method, shape(f"/v1{path}")) for method, path in CALLS}
    by_signing_out = ("POST", "/v1/claims/release")
    # The card has a claim from the call that made it.
    assert actions - in_card == {("GET", "/v1/claims/{}"), by_signing_out}
    assert by_signing_out in {call for _, call in client_calls()}


LEADS_ACTIONS = {
    ("PUT", "/v1/queues/{}"),
    ("POST", "/v1/queues/{}/items"),
    ("GET", "/v1/queues/{}/agreement"),
    ("GET", "/v1/queues/{}/disagreements"),
    ("POST", "/v1/queues/{}/adjudications"),
    ("GET", "/v1/queues/{}/corrections"),
    ("POST", "/v1/datasets/{}/gold"),
    ("GET", "/v1/queues/{}/export"),
}
"""What a lead does with a queue on the pages, beside reviewing in it."""


def test_each_action_of_a_lead_on_a_queue_is_on_a_page_and_a_route(sqlite: Any, routes: set[Route]) -> None:
    assert LEADS_ACTIONS - {call for _, call in client_calls()} == set()
    assert LEADS_ACTIONS - routes == set()
