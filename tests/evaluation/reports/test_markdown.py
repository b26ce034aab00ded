"""The summary for a pull request. Pure."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from promptuary.evaluation.reports.markdown import ROWS_LIMIT, TEXT_LIMIT, markdown_report

Values = dict[str, Any]
Make = Callable[..., Values]


def test_the_summary_shows_gate_figures_differences_and_what_got_worse(run: Values, result_of: Make) -> None:
    run["summary"]["comparisons"][0] |= {"p_value": 0.0301, "adjusted": 0.0602}
    why = {"scores": {"exact": {"passed": False, "reason": "it is not yes", "error": None}}}
    results = [result_of("c2", passed=False, output="no | nay\r\n\n`x`", detail=why), result_of("c2", "v1")]
    assert markdown_report(run, results).splitlines() == [
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
    assert "| paired difference | metric | mean | interval | cases | better | worse |" in markdown_report(run, []).splitlines()


def test_a_run_without_a_summary_says_why(failed: Values) -> None:
    assert markdown_report(failed, []) == "## words: failed\n\nNotFound\\: it is gone\n"


@pytest.mark.parametrize("verdict", ["pass", "regression", "inconclusive", "infrastructure"])
def test_the_verdict_is_the_first_line(run: Values, verdict: str) -> None:
    run["verdict"] = verdict
    assert markdown_report(run, []).splitlines()[0] == f"## words: {verdict}"


def test_results_without_an_answer_are_told(run: Values) -> None:
    run["summary"]["variants"][0]["errors"] = 2
    assert "v2: 2 of 20 results without an answer." in markdown_report(run, [])


def test_nothing_that_others_wrote_is_obeyed(hostile: tuple[Values, list[Values]]) -> None:
    said = markdown_report(*hostile)
    assert not re.search(r"<(?!/?(details|summary|code|pre|table|tr|th|td|p)>)", re.sub(r"\\<", "", said))
    assert not re.search(r"@\w", said)
    assert "&#64;" not in re.sub(r"<(pre|code)>.*?</", "", said)  # only where mentions are not looked for
    assert not re.search(r"(?<!\\)!?\[", re.sub(r"<pre>.*?</pre>|<code>.*?</code>|<th>.*?</th>", "", said))
    assert [line for line in said.splitlines() if line.startswith("#")] == [
        line for line in said.splitlines() if line.startswith(("## \\<script", "### Worse on exact"))
    ]
    assert not set(said) & {"\x00", "\x1b", "\u202e", "\ud800", "\r"}
    within = said[said.index("<details>") : said.index("</details>")]
    assert "\n\n" not in within  # a blank line would end the block of HTML
    assert said.count("<pre>") == said.count("</pre>")


def test_only_the_cases_that_fell_by_most_are_shown_and_long_texts_are_cut(run: Values, result_of: Make) -> None:
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
    said = markdown_report(run, results)
    assert "### Worse on exact: 9 cases" in said
    assert "The 5 that fell by most, v2 beside v1:" in said
    assert re.findall(r"<code>(c\d)</code> fell by (\S+)<", said) == [
        (f"c{number}", f"{1 - number / 10:.3f}") for number in range(5)
    ]
    assert f"{'x' * TEXT_LIMIT}… (4,000 more characters)" in said
    assert len(said) < 20_000


def test_of_several_repeats_those_that_show_it_most_stand_side_by_side(run: Values, result_of: Make) -> None:
    results = [
        result_of("c2", metrics={"exact": 0.5}, output="half"),
        result_of("c2", passed=False, output="none", repeat=1),
        result_of("c2", "v1", output="whole"),
        result_of("c2", "v1", passed=None, repeat=1),
    ]
    said = markdown_report(run, results)
    assert "fell by 0.750" in said
    assert "<td><pre>none</pre></td><td><pre>whole</pre></td>" in said


def test_a_matrix_of_very_many_variants_is_capped(run: Values) -> None:
    run["summary"]["variants"] = [{**run["summary"]["variants"][0], "name": f"v{number}"} for number in range(100)]
    said = markdown_report(run, [])
    assert f"And {100 - ROWS_LIMIT} more figures." in said


def test_a_run_that_stopped_early_says_so(run: Values) -> None:
    run |= {"summary": {**run["summary"], "stopped_early": True}, "total": 1200}
    assert "It stopped after 40 of 1,200 results, as soon as the gate was decided." in markdown_report(run, []).splitlines()


def test_a_run_that_its_ceiling_stopped_says_so(run: Values) -> None:
    run |= {"state": "stopped", "total": 1200, "error": "the cost ceiling of $1.00 was reached"}
    assert (
        "It stopped after 40 of 1,200 results: the cost ceiling of $1.00 was reached." in markdown_report(run, []).splitlines()
    )
