"""The HTML report: safe, whole and bounded. Pure."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from typing import Any

import pytest

from promptuary.evaluation.reports.html.html_report import REGRESSIONS_LIMIT, RESULTS_LIMIT, html_report
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.summary_model import VariantRole

Values = dict[str, Any]
Make = Callable[..., ReportedResult]
ELEMENTS = (
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "h1", "h2", "h3", "p", "span", "bdi", "b"),
    *("dl", "dt", "dd", "ul", "li", "figure", "figcaption", "details", "summary", "div", "article", "code", "ins", "del"),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "desc", "text", "line", "circle", "rect"),
)
VOID = ("meta",)


class Reader(HTMLParser):
    """A parser that records every element and attribute, and checks that every element that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def text_of(run: Values, results: Iterable[ReportedResult]) -> str:
    return "".join(html_report(ReportedRun.from_json(run), results))


def test_the_page_shows_the_whole_run(run: Values, result_of: Make) -> None:
    why = {"scores": {"exact": {"passed": False, "reason": "it is not yes", "error": None}}}
    results = [
        *(result_of("c1", name, cluster="one") for name in ("v2", "v1")),
        result_of("c2", passed=False, output="no, never", detail=why, cluster="two"),
        result_of("c2", "v1", output="yes, never", cluster="two"),
    ]
    run["summary"]["comparisons"][0]["p_value"] = 0.0301
    run["summary"]["variants"][0] |= {"latency_ms": {"median": 12.4, "slowest": 2500.0}, "cost": 0.0123}
    run["summary"]["variants"][0]["tokens"] = {"input": 1234, "output": 5}
    run["plan"] = {"suite_digest": "sha256:s", "dataset": {"name": "words", "number": 3, "cases": 20, "digest": "sha256:d"}}
    reader = Reader(text_of(run, results))
    assert reader.open == []
    for text in (
        *("words", "regression", "the gate failed: a regression was shown", "it reaches 0.500", "sha256:s", "sha256:d"),
        *("0.800 [0.600, 0.950]", "−0.100 [−0.200, −0.050]", "0.030", "c2 fell by 1.000 on exact", "exact: it is not yes"),
        *("12 ms", "2.5 s", "1,234", "$0.012", "the input of c2", "2026-03-02 12:00:00 UTC", "95 %, wilson"),
    ):
        assert text in reader.text, text
    marked = re.findall(r"<(ins|del)>(.*?)</", text_of(run, results))
    assert marked == [("del", "yes"), ("ins", "no")]
    assert [
        attributes["class"] for tag, attributes in reader.elements if tag == "line" and "mark" in (attributes["class"] or "")
    ] == ["mark"] * 2


def test_every_plot_has_a_name_and_a_description_and_every_id_is_unique(run: Values, result_of: Make) -> None:
    results = [result_of(case, name, cluster=case) for case in ("c1", "c2") for name in ("v2", "v1")]
    reader = Reader(text_of(run, results))
    plots = [attributes for tag, attributes in reader.elements if tag == "svg"]
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(plots) == 4
    assert len(set(ids)) == len(ids) == 8
    for plot in plots:
        assert plot["role"] == "img"
        assert set((plot["aria-labelledby"] or "").split()) <= set(ids)


def test_the_page_is_self_contained_and_forbids_everything_else(run: Values, result_of: Make) -> None:
    text = text_of(run, [result_of("c1")])
    reader = Reader(text)
    (policy,) = (
        attributes["content"] or ""
        for _, attributes in reader.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not re.search(r"\b(src|href|style|on\w+)=", text)
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in style
    assert "url(" not in style


def test_foreign_texts_have_no_effect(hostile: tuple[Values, list[ReportedResult]]) -> None:
    text = text_of(*hostile)
    reader = Reader(text)
    assert reader.open == []
    assert {tag for tag, _ in reader.elements} <= set(ELEMENTS)
    allowed = {
        "class",
        "data-label",
        "scope",
        "role",
        "aria-labelledby",
        "id",
        "width",
        "height",
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
    }
    allowed |= {"cx", "cy", "r", "text-anchor", "lang", "charset", "http-equiv", "content", "name"}
    assert {name for _, attributes in reader.elements for name in attributes} <= allowed
    assert "<script>alert(1)</script>" in reader.text
    assert not set(text) & {"\x00", "\x1b", "\u202e", "\ud800"}


def test_with_many_results_the_page_keeps_its_size_and_has_a_note(run: Values, result_of: Make) -> None:
    def many(number: int) -> list[ReportedResult]:
        return [
            result
            for place in range(number)
            for result in (
                result_of(f"c{place}", passed=place % 7 > 0, output="x" * 10_000, cluster=f"k{place}"),
                result_of(f"c{place}", "v1", output="y" * 10_000, cluster=f"k{place}"),
            )
        ]

    run["summary"]["comparisons"][0]["worse_in_all"] = 500
    text = text_of(run, many(3500))
    assert f"{RESULTS_LIMIT} of 7,000 results" in text
    assert f"these {REGRESSIONS_LIMIT} fell by most" in text
    assert "The first 25 of 3,500 clusters are drawn." in text
    assert text.count('<td class="fail"') == RESULTS_LIMIT
    assert len(text) < len(text_of(run, many(700))) * 1.1


def test_a_matrix_of_many_variants_is_drawn_in_part(run: Values, result_of: Make) -> None:
    variant = run["summary"]["variants"][0]
    names = [f"v{number}" for number in range(60)]
    run["summary"]["variants"] = [{**variant, "name": name} for name in names]
    run["variants"] = [{**run["variants"][0], "name": name} for name in names]
    text = text_of(run, [result_of("c1", name) for name in names])
    assert "The first 40 of 60 rows are drawn." in text
    assert "The first 12 of 60 variants are drawn." in text


def test_a_failed_run_states_its_error(failed: Values) -> None:
    reader = Reader(text_of(failed, []))
    assert reader.open == []
    assert "NotFound: it is gone" in reader.text


def test_a_run_without_any_score_has_a_page(run: Values, result_of: Make) -> None:
    for variant in run["summary"]["variants"]:
        variant["metrics"] = {name: {"interval": None, "scored": 0, "unscored": 20} for name in variant["metrics"]}
    for comparison in run["summary"]["comparisons"]:
        comparison["interval"] = None
    reader = Reader(text_of(run, [result_of("c1", passed=None)]))
    assert "No case has a score." in reader.text
    assert "(no answer: no answer)" in reader.text


@pytest.mark.parametrize(("value", "place"), [(-3.0, "0.00%"), (0.25, "25.00%"), (7.0, "100.00%")])
def test_a_value_outside_of_the_plot_is_drawn_at_its_edge(value: float, place: str) -> None:
    from promptuary.evaluation.reports.html.svg import DotRow, dot_plot

    assert f'cx="{place}"' in dot_plot("k", "t", "d", [DotRow("one", {"v2": value})], {"v2": VariantRole.CANDIDATE})


def test_a_run_that_stopped_early_states_it(run: Values) -> None:
    run |= {"summary": {**run["summary"], "stopped_early": True}, "total": 1200}
    assert "The run stopped after 40 of 1,200 results, as soon as the gate was decided." in Reader(text_of(run, [])).text
