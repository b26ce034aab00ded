"""The summary for a pull request. Pure."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from promptuary.evaluation.reports.markdown import ROWS_LIMIT, TEXT_LIMIT, markdown_report
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun

Values = dict[str, Any]
Make = Callable[..., ReportedResult]


def markdown_of(run: Values, results: Iterable[ReportedResult] = ()) -> str:
    return markdown_report(ReportedRun.from_json(run), results)


def test_the_summary_shows_gate_figures_differences_and_regressions(run: Values, result_of: Make) -> None:
    run["summary"]["comparisons"][0] |= {"p_value": 0.0301, "adjusted": 0.0602}
    why = {"scores": {"exact": {"passed": False, "reason": "it is not yes", "error": None}}}
    results = [result_of("c2", passed=False, output="no | nay\r\n\n`x`", detail=why), result_of("c2", "v1")]
    assert markdown_of(run, results).splitlines() == [
        "## words: regression",
        "",
        "The gate failed: a regression was shown. Run `run_1`.",
        "",
        "- **pass**: it reaches 0.500",
        "- **regression**: the upper bound is below −0.020",
        "",
        "| variant | metric | mean | interval | cases |",
        "|---|---|---|---|---|",
        "| v2 | exact | 0.800 | 0.600 to 0.950 | 20 |",
        "| v1 | exact | 0.800 | 0.600 to 0.950 | 20 |",
        "",
        "| paired difference | metric | mean | interval | cases | better | worse | p | adjusted p |",
        "|---|---|---|---|---|---|---|---|---|",
        "| v2 − v1 | exact | −0.100 | −0.200 to −0.050 | 20 | 0 | 1 | 0.030 | 0.060 |",
        "",
        "### Worse on exact: 1 case",
        "",
        "<details><summary><code>c2</code> fell by 1.000</summary>",
        "<p>Input</p><pre>the input of c2</pre>",
        "<table><tr><th><code>v2</code> now</th><th><code>v1</code> before</th></tr><tr>",
        "<td><pre>no &#124; nay\\r&#10;&#10;&#96;x&#96;</pre></td><td><pre>yes</pre></td>",
        "</tr></table><pre>exact: it is not yes</pre></details>",
        "",
    ]


def test_without_p_values_there_is_no_column_for_them(run: Values) -> None:
    assert "| paired difference | metric | mean | interval | cases | better | worse |" in markdown_of(run).splitlines()


def test_a_run_without_a_summary_states_its_error(failed: Values) -> None:
    assert markdown_of(failed) == "## words: failed\n\nNotFound\\: it is gone\n"


@pytest.mark.parametrize("verdict", ["pass", "regression", "inconclusive", "infrastructure"])
def test_the_verdict_is_the_first_line(run: Values, verdict: str) -> None:
    run["verdict"] = verdict
    assert markdown_of(run).splitlines()[0] == f"## words: {verdict}"


def test_results_without_an_answer_are_counted(run: Values) -> None:
    run["summary"]["variants"][0]["errors"] = 2
    assert "v2: 2 of 20 results without an answer." in markdown_of(run)


def test_foreign_texts_have_no_effect(hostile: tuple[Values, list[ReportedResult]]) -> None:
    text = markdown_of(*hostile)
    assert not re.search(r"<(?!/?(details|summary|code|pre|table|tr|th|td|p)>)", re.sub(r"\\<", "", text))
    assert not re.search(r"@\w", text)
    assert "&#64;" not in re.sub(r"<(pre|code)>.*?</", "", text)  # only where no mention is detected
    assert not re.search(r"(?<!\\)!?\[", re.sub(r"<pre>.*?</pre>|<code>.*?</code>|<th>.*?</th>", "", text))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in text.splitlines() if line.startswith(("## \\<script", "### Worse on exact"))
    ]
    assert not set(text) & {"\x00", "\x1b", "\u202e", "\ud800", "\r"}
    within = text[text.index("<details>") : text.index("</details>")]
    assert "\n\n" not in within  # a blank line would end the block of HTML
    assert text.count("<pre>") == text.count("</pre>")


def test_only_the_worst_regressions_are_shown_and_long_texts_are_cut(run: Values, result_of: Make) -> None:
    cases = [f"c{number}" for number in range(9)]
    run["summary"]["comparisons"][0] |= {"worse": cases[:3], "worse_in_all": 9}
    results = [
        result
        for number, case in enumerate(cases)
        for result in (
            result_of(case, passed=False, metrics={"exact": number / 10}, output="x" * 5000),
            result_of(case, "v1", output="y" * 5000),
        )
    ]
    text = markdown_of(run, results)
    assert "### Worse on exact: 9 cases" in text
    assert "The 5 that fell by most, v2 beside v1:" in text
    assert re.findall(r"<code>(c\d)</code> fell by (\S+)<", text) == [
        (f"c{number}", f"{1 - number / 10:.3f}") for number in range(5)
    ]
    assert f"{'x' * TEXT_LIMIT}… (4,000 more characters)" in text
    assert len(text) < 20_000


def test_of_several_repeats_the_most_different_stand_side_by_side(run: Values, result_of: Make) -> None:
    results = [
        result_of("c2", metrics={"exact": 0.5}, output="half"),
        result_of("c2", passed=False, output="none", repeat=1),
        result_of("c2", "v1", output="whole"),
        result_of("c2", "v1", passed=None, repeat=1),
    ]
    text = markdown_of(run, results)
    assert "fell by 0.750" in text
    assert "<td><pre>none</pre></td><td><pre>whole</pre></td>" in text


def test_a_matrix_of_many_variants_is_capped(run: Values) -> None:
    run["summary"]["variants"] = [{**run["summary"]["variants"][0], "name": f"v{number}"} for number in range(100)]
    text = markdown_of(run)
    assert f"And {100 - ROWS_LIMIT} more figures." in text


def test_a_run_that_stopped_early_states_it(run: Values) -> None:
    run |= {"summary": {**run["summary"], "stopped_early": True}, "total": 1200}
    assert "It stopped after 40 of 1,200 results, as soon as the gate was decided." in markdown_of(run).splitlines()


def test_a_run_that_its_cost_limit_stopped_states_it(run: Values) -> None:
    run |= {"state": "stopped", "total": 1200, "error": "the cost limit of $1.00 was reached"}
    assert "It stopped after 40 of 1,200 results: the cost limit of $1.00 was reached." in markdown_of(run).splitlines()
