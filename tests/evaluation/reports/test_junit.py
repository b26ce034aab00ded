"""JUnit XML that several readers accept. Pure."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from lxml import etree

from promptuary.evaluation.reports.junit import TEXT_LIMIT, junit_report
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun

Values = dict[str, Any]
Make = Callable[..., ReportedResult]
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


def read(*runs: tuple[Values, list[ReportedResult]]) -> Any:
    """Return the suites as a reader sees them; assert that every reader accepts them."""
    text = "".join(junit_report([(ReportedRun.from_json(run), lambda results=results: results) for run, results in runs]))
    root = etree.fromstring(text.encode())
    COMMON.assertValid(root)
    return list(root)


def cases_in(suite: Any) -> list[Any]:
    return list(suite.iterfind("testcase"))


def test_each_result_of_the_candidate_and_each_check_has_a_test(run: Values, result_of: Make) -> None:
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
    assert {entry.get("name"): entry.get("value") for entry in suite.iterfind("properties/property")} == {
        **{"id": "run_1", "state": "finished", "verdict": "regression", "prompt": "word"},
    }
    tests = [
        (test.get("classname"), test.get("name"), [(kind.tag, kind.get("message")) for kind in test])
        for test in cases_in(suite)
    ]
    assert tests == [
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


def test_characters_that_xml_cannot_express_are_left_out(run: Values, result_of: Make) -> None:
    results = [result_of("c\x0b1", passed=False, output="a\x00b\x1b[31m\ud800\ufffe & <c> ]]> 😀\r\n")]
    (suite,) = read((run, results))
    (test, *_) = cases_in(suite)
    assert test.get("name") == "c1"
    assert test[0].text == "ab[31m & <c> ]]> 😀\r\n"


def test_foreign_texts_stay_text(hostile: tuple[Values, list[ReportedResult]]) -> None:
    (suite,) = read(hostile)
    assert len(cases_in(suite)) == 4
    assert "<script>" in cases_in(suite)[0][0].text


def test_long_outputs_are_cut(run: Values, result_of: Make) -> None:
    (suite,) = read((run, [result_of("c1", passed=False, output="x" * (TEXT_LIMIT + 7))]))
    assert cases_in(suite)[0][0].text.endswith("x… (7 more characters)")


def test_a_failed_run_is_an_error(failed: Values, run: Values) -> None:
    first, second = read((failed, []), (run, []))
    assert dict(first.attrib) == {"name": "words", "tests": "1", "failures": "0", "errors": "1", "time": "0.000"}
    assert cases_in(first)[0][0].get("message") == "failed: NotFound: it is gone"
    assert (second.get("tests"), second.get("failures"), second.get("errors")) == ("2", "1", "0")


def test_checks_of_several_candidates_have_different_names(run: Values) -> None:
    run["variants"][1]["role"] = "candidate"
    gate = run["summary"]["gates"][0]
    run["summary"]["gates"] = [gate, {**gate, "candidate": "v1"}]
    (suite,) = read((run, []))
    assert [test.get("name") for test in cases_in(suite)] == ["exact at_least 0.5 v2", "exact at_least 0.5 v1"]


@pytest.mark.parametrize("number", [2_000])
def test_results_are_streamed_and_never_collected(run: Values, result_of: Make, number: int) -> None:
    alive = most = 0

    def count_deletion() -> None:
        nonlocal alive
        alive -= 1

    def results() -> Iterable[ReportedResult]:
        nonlocal alive, most
        for index in range(number):
            result = result_of(f"c{index}")
            alive += 1
            most = max(most, alive)
            weakref.finalize(result, count_deletion)
            yield result

    pieces = junit_report([(ReportedRun.from_json(run), results)])
    assert sum(piece.count("<testcase") for piece in pieces) == number + 2
    assert most <= 3
