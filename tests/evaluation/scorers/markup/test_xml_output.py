"""XML outputs that try to grow, to reach the network or to take long, and the required elements."""

import socket
import time
from typing import Any

import pytest

from factories.scorers import no_model, score_sample
from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.markup.xml_output import SIZE_LIMIT
from promptuary.evaluation.scorers.score import Score, ScorerInput
from promptuary.evaluation.scorers.spec import ScorerSpec

TEN = "&a;" * 10
BOMB = f'<!DOCTYPE a [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "{TEN}"><!ENTITY c "{TEN.replace("a", "b")}">]><a>&c;</a>'
READS_A_FILE = """<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>"""
CPU_DEADLINE = 60.0


def score(name: str, output: str, value: Any = None) -> Score:
    return score_sample(ScorerInput(Case("c", {"path": "a.b"}), output), type=name, value=value)


@pytest.mark.parametrize(
    "output", [BOMB, READS_A_FILE, f"<?xml version='1.0'?>\n<!-- c -->\n{BOMB}", "<!DOCTYPE a SYSTEM 'x' []><a/>"]
)
def test_a_document_type_with_declarations_is_refused(output: str) -> None:
    assert "declarations of its own" in score("is-xml", output).reason


@pytest.mark.parametrize("name", ["is-xml", "contains-xml"])
def test_nothing_is_fetched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", no_model)
    output = '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a xmlns:xi="http://www.w3.org/2001/XInclude">&x;</a>'
    assert score(name, output).passed is True


def test_an_output_over_the_limit_is_no_xml() -> None:
    assert "over the limit" in score("is-xml", "<a>" + "x" * SIZE_LIMIT + "</a>").reason


def test_the_required_elements_can_be_a_template() -> None:
    assert score("is-xml", "<a><b/></a>", "{{path}}").passed is True
    assert score("is-xml", "<a><c/></a>", "{{path}}").reason == "the XML lacks a.b"


@pytest.mark.parametrize("value", [5, {"elements": []}, [""], [5], {"requiredElements": "a", "x": 1}])
def test_invalid_paths_of_elements_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="element"):
        ScorerSpec.model_validate({"type": "is-xml", "value": value})


@pytest.mark.parametrize("name", ["is-xml", "contains-xml", "is-html", "contains-html"])
@pytest.mark.parametrize(
    "piece", ["<a ", "<a>", "<!--", "</a>", "<a b='", "<a/>", "<![CDATA[", "<!DOCTYPE a ", "&lt;", '<p x="']
)
def test_a_repeated_piece_takes_no_quadratic_time(name: str, piece: str) -> None:
    score(name, piece)
    started = time.process_time()
    score(name, piece * 20_000)
    assert time.process_time() - started < CPU_DEADLINE  # in quadratic time it would be many minutes


@pytest.mark.parametrize("name", ["is-xml", "contains-xml"])
def test_deeply_nested_xml_is_scored_without_an_error(name: str) -> None:
    assert score(name, "<a>" * 50_000 + "</a>" * 50_000).error is None


def test_xml_that_is_nested_too_deep_does_not_pass() -> None:
    assert score("is-xml", "<a>" * 50_000 + "</a>" * 50_000).passed is False
