"""What a run says in lines, Markdown, JUnit XML and JSON. Pure."""

from typing import Any
from xml.etree import ElementTree

import pytest

from promptuary.cli import report

Values = dict[str, Any]


def interval(estimate: float, low: float, high: float, n: int = 20) -> Values:
    return {"estimate": estimate, "low": low, "high": high, "n": n}


def variant(name: str, role: str, **metrics: Values | None) -> Values:
    held = {metric: {"interval": found} for metric, found in metrics.items()}
    return {"name": name, "role": role, "metrics": held, "errors": 0, "results": 20}


def result(case: str, name: str = "v2", *, passed: bool | None = True, repeat: int = 0, **changes: Any) -> Values:
    score = None if passed is None else float(passed)
    known = {"case": case, "variant": name, "repeat": repeat, "pass": passed, "score": score, "metrics": {"exact": score}}
    return known | {"output": None if passed is None else "yes", "error": "no answer" if passed is None else None} | changes


@pytest.fixture
def run() -> Values:
    """A finished run of two versions: one metric, one demand that is met and one that is not."""
    gates = [
        {"metric": "exact", "kind": "at_least", "bound": 0.5, "label": None, "verdict": "pass", "sentence": "it reaches 0.500"},
        {
            "metric": "exact",
            "kind": "not_worse_than",
            "bound": -0.02,
            "label": "production",
            "verdict": "regression",
            "sentence": "the upper bound is below −0.020",
        },
    ]
    figures = {name: interval(0.8, 0.6, 0.95) for name in ("exact", "pass", "score")}
    compared = {"candidate": "v2", "baseline": "v1", "worse": ["c2"], "better": []}
    return {
        "id": "run_1",
        "suite": "words",
        "state": "finished",
        "verdict": "regression",
        "error": None,
        "done": 40,
        "tracking_id": "abc",
        "variants": [{"name": "v2", "role": "candidate"}, {"name": "v1", "role": "baseline"}],
        "summary": {
            "metrics": ["exact", "pass", "score"],
            "variants": [variant("v2", "candidate", **figures), variant("v1", "baseline", **figures)],
            "comparisons": [
                {**compared, "metric": metric, "interval": interval(-0.1, -0.2, -0.05)} for metric in ("exact", "pass")
            ],
            "gates": gates,
        },
    }


@pytest.fixture
def failed() -> Values:
    """A run that could not be done at all."""
    return {
        "id": "run_2",
        "suite": "words",
        "state": "failed",
        "verdict": None,
        "error": "NotFound: it is gone",
        "done": 3,
        "tracking_id": None,
        "variants": [{"name": "v2", "role": "candidate"}],
        "summary": None,
    }


def test_the_lines_give_every_figure_with_its_interval(run: Values) -> None:
    run["summary"]["variants"][0]["errors"] = 2
    assert report.text(run) == [
        "words  run run_1  40 results",
        "  v2  exact 0.800 [0.600, 0.950]  (2 of 20 without an answer)",
        "  v1  exact 0.800 [0.600, 0.950]",
        "  v2 − v1  exact −0.100 [−0.200, −0.050]",
        "  gate: it reaches 0.500 → pass",
        "  gate: the upper bound is below −0.020 → regression",
        "  verdict: regression (the gate failed: a regression was shown)",
    ]


def test_of_several_scorers_whether_all_passed_is_shown_too(run: Values) -> None:
    run["summary"]["metrics"].insert(1, "polite")
    for one in run["summary"]["variants"]:
        one["metrics"]["polite"] = {"interval": None}
    assert "exact 0.800 [0.600, 0.950], pass 0.800 [0.600, 0.950]" in report.text(run)[1]
    assert [line for line in report.text(run) if "v2 − v1  pass" in line]


def test_a_run_without_a_summary_says_why(failed: Values) -> None:
    assert report.text(failed) == ["words  run run_2  3 results", "failed: NotFound: it is gone"]
    assert report.markdown(failed, []) == "## words: failed\n\nNotFound: it is gone\n"
    assert report.as_values(failed, [])["verdict"] is None


@pytest.mark.parametrize("verdict", ["pass", "regression", "inconclusive", "infrastructure"])
def test_every_verdict_is_explained(run: Values, verdict: str) -> None:
    run["verdict"] = verdict
    assert report.text(run)[-1] == f"  verdict: {verdict} ({report.VERDICTS[verdict]})"
    assert report.markdown(run, []).splitlines()[0] == f"## words: {verdict}"


def test_the_summary_shows_figures_differences_gate_and_what_got_worse(run: Values) -> None:
    results = [result("c2", "v2", passed=False, output="no | nay\r\n`x`"), result("c2", "v1", output="yes")]
    assert report.markdown(run, results).splitlines() == [
        "## words: regression",
        "",
        "The gate failed: a regression was shown. Run `run_1`.",
        "",
        "| variant | metric | mean | 95 % interval | cases |",
        "|---|---|---|---|---|",
        "| v2 | exact | 0.800 | 0.600 to 0.950 | 20 |",
        "| v1 | exact | 0.800 | 0.600 to 0.950 | 20 |",
        "",
        "| paired difference | metric | mean | 95 % interval | cases |",
        "|---|---|---|---|---|",
        "| v2 − v1 | exact | -0.100 | -0.200 to -0.050 | 20 |",
        "",
        "- **pass**: it reaches 0.500",
        "- **regression**: the upper bound is below −0.020",
        "",
        "Worse on exact: 1 cases",
        "",
        "| case | v2 | v1 |",
        "|---|---|---|",
        "| c2 | `no \\| nay 'x'` | `yes` |",
    ]


def test_a_case_cannot_break_the_summarys_table(run: Values) -> None:
    run["summary"]["comparisons"][0]["worse"] = ["a | b"]
    assert report.markdown(run, []).splitlines()[-1] == "| a \\| b |  |  |"


def test_only_the_first_cases_that_got_worse_are_shown_and_long_outputs_are_cut(run: Values) -> None:
    cases = [f"c{number}" for number in range(9)]
    run["summary"]["comparisons"][0]["worse"] = cases
    lines = report.markdown(run, [result(case, output="x" * 5000) for case in cases]).splitlines()
    assert "Worse on exact: 9 cases" in lines
    assert [line.split(" |")[0] for line in lines[-5:]] == [f"| c{number}" for number in range(5)]
    assert max(map(len, lines)) < 300


def junit(*runs: tuple[Values, list[Values]]) -> ElementTree.Element:
    return ElementTree.fromstring(report.junit(runs))


def test_junit_has_a_test_for_each_of_the_candidates_results_and_each_demand(run: Values) -> None:
    results = [
        result("c1"),
        result("c1", "v1", passed=False),
        result("c2", passed=False, output="no"),
        result("c2", repeat=1),
        result("c3", passed=None),
        result("c4", passed=None, output="yes", error=None),
    ]
    (suite,) = junit((run, results))
    assert suite.attrib == {"name": "words", "tests": "7", "failures": "2", "errors": "2"}
    told = [(test.get("classname"), test.get("name"), [(kind.tag, kind.get("message")) for kind in test]) for test in suite]
    assert told == [
        ("words.v2", "c1", []),
        ("words.v2", "c2", [("failure", "exact 0.000")]),
        ("words.v2", "c2 #2", []),
        ("words.v2", "c3", [("error", "no answer")]),
        ("words.v2", "c4", [("error", "a scorer could not answer")]),
        ("words.gate", "exact at_least 0.5", []),
        ("words.gate", "exact not_worse_than production", [("failure", "regression: the upper bound is below −0.020")]),
    ]
    assert suite[1][0].text == "no"


def test_junit_says_nothing_that_xml_cannot(run: Values) -> None:
    results = [result("c\x0b1", passed=False, output="a\x00b\x1b[31m\ud800\ufffe & <c> 😀")]
    (suite,) = junit((run, results))
    assert suite[0].get("name") == "c1"
    assert suite[0][0].text == "ab[31m & <c> 😀"


def test_junit_shows_a_run_that_could_not_be_done_as_an_error(failed: Values, run: Values) -> None:
    first, second = junit((failed, []), (run, []))
    assert first.attrib == {"name": "words", "tests": "1", "failures": "0", "errors": "1"}
    assert first[0][0].get("message") == "failed: NotFound: it is gone"
    assert (second.get("tests"), second.get("failures"), second.get("errors")) == ("2", "1", "0")


def test_the_values_are_the_runs_and_its_results_in_their_order(run: Values) -> None:
    results = [result("c2", ordinal=0, detail={}), result("c1", passed=False, ordinal=1, detail={})]
    values = report.as_values(run, results)
    assert list(values) == ["run", "suite", "verdict", "tracking_id", "summary", "results"]
    assert values["results"][1] == {
        "case": "c1",
        "variant": "v2",
        "repeat": 0,
        "pass": False,
        "score": 0.0,
        "metrics": {"exact": 0.0},
        "output": "yes",
        "error": None,
    }
    assert [one["case"] for one in values["results"]] == ["c2", "c1"]
