"""XML, HTML and SQL that would hurt: what grows, reaches out or takes long, and what is asked of them."""

import asyncio
import socket
import time
from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.markup.xml_output import SIZE_LIMIT
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec

TEN = "&a;" * 10
BOMB = f'<!DOCTYPE a [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "{TEN}"><!ENTITY c "{TEN.replace("a", "b")}">]><a>&c;</a>'
READS = """<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>"""


def nobody(*_: Any, **__: Any) -> Any:
    raise AssertionError("these scorers ask nobody")


def score(kind: str, output: str, value: Any = None) -> Score:
    scorer = build_scorer(
        ScorerSpec.model_validate({"type": kind, "value": value}), ScorerDependencies(embed=nobody, ask=nobody)
    )
    return asyncio.run(run_scorer(scorer, ScorerInput(Case("c", {"path": "a.b"}), output)))


@pytest.mark.parametrize(
    "output", [BOMB, READS, f"<?xml version='1.0'?>\n<!-- c -->\n{BOMB}", "<!DOCTYPE a SYSTEM 'x' []><a/>"]
)
def test_a_document_type_with_declarations_is_not_taken(output: str) -> None:
    assert "declarations of its own" in score("is-xml", output).reason


@pytest.mark.parametrize("kind", ["is-xml", "contains-xml"])
def test_nothing_is_fetched(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", nobody)
    output = '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a xmlns:xi="http://www.w3.org/2001/XInclude">&x;</a>'
    assert score(kind, output).passed is True


def test_an_output_over_the_limit_is_no_xml() -> None:
    assert "over the limit" in score("is-xml", "<a>" + "x" * SIZE_LIMIT + "</a>").reason


def test_paths_may_be_a_template() -> None:
    assert score("is-xml", "<a><b/></a>", "{{path}}").passed is True
    assert score("is-xml", "<a><c/></a>", "{{path}}").reason == "the XML lacks a.b"


@pytest.mark.parametrize("value", [5, {"elements": []}, [""], [5], {"requiredElements": "a", "x": 1}])
def test_paths_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="element"):
        ScorerSpec.model_validate({"type": "is-xml", "value": value})


@pytest.mark.parametrize("kind", ["is-xml", "contains-xml", "is-html", "contains-html"])
@pytest.mark.parametrize(
    "piece", ["<a ", "<a>", "<!--", "</a>", "<a b='", "<a/>", "<![CDATA[", "<!DOCTYPE a ", "&lt;", '<p x="']
)
def test_time_grows_with_the_output_alone(kind: str, piece: str) -> None:
    def taken(times: int) -> float:
        started = time.process_time()
        score(kind, piece * times)
        return time.process_time() - started

    taken(1)
    assert taken(20_000) < 5  # in quadratic time it would be minutes


def test_deep_nesting_is_no_crash() -> None:
    assert score("is-xml", "<a>" * 50_000 + "</a>" * 50_000).passed is False
    assert score("contains-xml", "<a>" * 50_000 + "</a>" * 50_000).error is None
    for html in ("<div>" * 50_000, "<table>" + "<td>" * 50_000, "<b>" * 50_000 + "</b>" * 50_000):
        assert score("is-html", html).passed is True
    assert score("is-sql", "SELECT " + "(" * 5000 + "1" + ")" * 5000).passed is False


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"databaseType": "Oracle"}, "does not know the databaseType 'Oracle'"),
        ({"tables": []}, "must be an object of databaseType"),
        ({"allowedTables": "users"}, "as lists of texts"),
        ({"allowedTables": ["("]}, "not one that RE2 takes"),
        ("MySQL", "must be an object of databaseType"),
    ],
)
def test_demands_on_sql_that_are_none_are_refused(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ScorerSpec.model_validate({"type": "is-sql", "value": value})


def test_what_sqlglot_says_of_an_output_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert score("is-sql", "CALL secret()").passed is True
    assert caplog.text == ""
