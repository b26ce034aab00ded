"""HTML outputs beyond the golden cases, which `test_promptfoo_verdicts` compares with promptfoo."""

import pytest

from factories.scorers import score_sample
from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.score import Score, ScorerInput


def score(output: str) -> Score:
    return score_sample(ScorerInput(Case("c", {}), output), type="is-html")


@pytest.mark.parametrize("output", ["<svg><table>&amp;", "<math><table>x", "<svg></p>x", "<svg><br>x", "<table><form>x"])
def test_text_that_the_parser_puts_outside_all_elements_fails(output: str) -> None:
    assert score(output).reason == "the output has text outside of HTML's tags"


@pytest.mark.parametrize(
    "output",
    [
        "<svg><font>x</font></svg>",
        "<svg><foreignObject><table><tr><td>x</td></tr></table></foreignObject></svg>",
        "<math><annotation-xml encoding='text/html'><p>x</p></annotation-xml></math>",
        "<table><b>x</b></table>",
        "<table>&nbsp;",
        "<p>x</p>&#32;",
        "\x00<p>x</p>",
    ],
)
def test_text_that_the_parser_keeps_inside_elements_passes(output: str) -> None:
    assert score(output).passed is True


@pytest.mark.parametrize(
    ("output", "passed"),
    [
        ("<body>x", True),
        ("<!-- <body> --><body>x", True),
        ("x<body>y</body>", False),
        ("<!-- <body> -->x<p>y</p>", False),
        ("<p title='<body>'>x</p>y", False),
        ("<script>'<body>'</script>x", False),
        ("</br><body>x", False),
        ("<foo><html>", False),
        ("<html>", True),
        ("<foo><head>", False),
        ("<head>", True),
        ("<!-- <body> -->" * 10 + "<body>x", False),
    ],
)
def test_a_wrapper_counts_only_where_its_own_tag_created_it(output: str, passed: bool) -> None:
    assert score(output).passed is passed


@pytest.mark.parametrize("output", ["<div>" * 50_000, "<table>" + "<td>" * 50_000, "<b>" * 50_000 + "</b>" * 50_000])
def test_deeply_nested_html_is_parsed(output: str) -> None:
    assert score(output).passed is True
