"""JUnit XML, which several readers take. Pure."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from lxml import etree

from promptuary.evaluation.reports.junit import TEXT_LIMIT, junit_report

Values = dict[str, Any]
Make = Callable[..., Values]
# What the readers of Jenkins, GitLab and GitHub's actions have in common: names, order and the types of figures.
COMMON = etree.RelaxNG(
    etree.fromstring("""
<element name="testsuites" xmlns="http://relaxng.org/ns/structure/1.0"
  datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
 <zeroOrMore><element name="testsuite">
  <attribute name="name"/><attribute name="tests"><data type="nonNegativeInteger"/></attribute>
  <attribute name="failures"><data type="nonNegativeInteger"/></attribute>
  <attribute name="errors"><data type="nonNegativeInteger"/></attribute>
  <attribute name="time"><data type="decimal"/></attribute>
  <optional><attribute name="timestamp"><data type="dateTime"/></attribute></optional>
  <optional><element name="properties"><oneOrMore><element name="property">
    <attribute name="name"/><attribute name="value"/></element></oneOrMore></element></optional>
  <zeroOrMore><element name="testcase">
   <attribute name="name"/><attribute name="classname"/>
   <optional><attribute name="time"><data type="decimal"/></attribute></optional>
   <optional><choice>
     <element name="failure"><attribute name="message"/><text/></element>
     <element name="error"><attribute name="message"/><text/></element>
   </choice></optional>
  </element></zeroOrMore>
 </element></zeroOrMore>
</element>""")
)


def read(*runs: tuple[Values, list[Values]]) -> Any:
    """Give the suites as a reader sees them; what no reader takes is told."""
    text = "".join(junit_report([(run, lambda results=results: results) for run, results in runs]))
    root = etree.fromstring(text.encode())
    COMMON.assertValid(root)
    return list(root)


def cases_in(suite: Any) -> list[Any]:
    return list(suite.iterfind("testcase"))


def test_there_is_a_test_for_each_of_the_candidates_results_and_each_demand(run: Values, result_of: Make) -> None:
    why = {"scores": {"exact": {"passed": False, "reason": "it is not yes", "error": None}}}
    results = [
        result_of("c1"),
        result_of("c1", "v1", passed=False),
        result_of("c2", passed=False, output="no", detail=why),
        result_of("c2", repeat=1, latency_ms=None),
        result_of("c3", passed=None),
        result_of("c4", passed=None, output="yes", error=None),
    ]
    (suite,) = read((run, results))
    assert suite.attrib == {
        **{"name": "words", "tests": "7", "failures": "2", "errors": "2", "time": "6.000"},
        "timestamp": "2026-03-02T12:00:00",
    }
    assert {one.get("name"): one.get("value") for one in suite.iterfind("properties/property")} == {
        **{"id": "run_1", "state": "finished", "verdict": "regression", "prompt": "word"},
    }
    told = [
        (test.get("classname"), test.get("name"), [(kind.tag, kind.get("message")) for kind in test])
        for test in cases_in(suite)
    ]
    assert told == [
        ("words.v2", "c1", []),
        ("words.v2", "c2", [("failure", "exact 0.000")]),
        ("words.v2", "c2 #2", []),
        ("words.v2", "c3", [("error", "no answer")]),
        ("words.v2", "c4", [("error", "a scorer could not answer")]),
        ("words.gate", "exact at_least 0.5", []),
        ("words.gate", "exact not_worse_than production", [("failure", "regression: the upper bound is below −0.020")]),
    ]
    assert cases_in(suite)[1][0].text == "exact: it is not yes\nno"
    assert [test.get("time") for test in cases_in(suite)[:3]] == ["1.500", "1.500", None]


def test_nothing_is_said_that_xml_cannot(run: Values, result_of: Make) -> None:
    results = [result_of("c\x0b1", passed=False, output="a\x00b\x1b[31m\ud800\ufffe & <c> ]]> 😀\r\n")]
    (suite,) = read((run, results))
    (test, *_) = cases_in(suite)
    assert test.get("name") == "c1"
    assert test[0].text == "ab[31m & <c> ]]> 😀\r\n"


def test_whatever_is_said_stays_a_text(hostile: tuple[Values, list[Values]]) -> None:
    (suite,) = read(hostile)
    assert len(cases_in(suite)) == 4
    assert "<script>" in cases_in(suite)[0][0].text


def test_long_outputs_are_cut(run: Values, result_of: Make) -> None:
    (suite,) = read((run, [result_of("c1", passed=False, output="x" * (TEXT_LIMIT + 7))]))
    assert cases_in(suite)[0][0].text.endswith("x… (7 more characters)")


def test_a_run_that_could_not_be_done_is_an_error(failed: Values, run: Values) -> None:
    first, second = read((failed, []), (run, []))
    assert dict(first.attrib) == {"name": "words", "tests": "1", "failures": "0", "errors": "1", "time": "0.000"}
    assert cases_in(first)[0][0].get("message") == "failed: NotFound: it is gone"
    assert (second.get("tests"), second.get("failures"), second.get("errors")) == ("2", "1", "0")


def test_demands_on_several_candidates_have_names_of_their_own(run: Values) -> None:
    run["variants"][1]["role"] = "candidate"
    gate = run["summary"]["gates"][0]
    run["summary"]["gates"] = [gate, {**gate, "candidate": "v1"}]
    (suite,) = read((run, []))
    assert [test.get("name") for test in cases_in(suite)] == ["exact at_least 0.5 v2", "exact at_least 0.5 v1"]


@pytest.mark.parametrize("number", [2_000])
def test_results_are_gone_through_and_never_held(run: Values, result_of: Make, number: int) -> None:
    alive = most = 0

    class Counted(dict[str, Any]):
        def __init__(self, values: Values) -> None:
            nonlocal alive, most
            super().__init__(values)
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def results() -> Iterable[Values]:
        return (Counted(result_of(f"c{place}")) for place in range(number))

    assert sum(piece.count("<testcase") for piece in junit_report([(run, results)])) == number + 2
    assert most <= 3
