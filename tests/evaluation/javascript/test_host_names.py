"""Names of Node and the browser in JavaScript: found where they are used, and nowhere else."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.evaluation.javascript.host_names import host_name_error
from promptuary.evaluation.javascript.words import words_of


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("fetch('x')", "fetch"),
        ("x ? fetch : 1", "fetch"),
        ("`a ${require('x')} b`", "require"),
        ("`x`;fetch()", "fetch"),
        ("`${`${1}`}`; fetch()", "fetch"),
        ("a.b / 2 + '/' + fetch", "fetch"),
        ("process.env.X", "process.env"),
        ("process['env']", "process"),
        ("import('x')", "import"),
        ("import x from 'y'", "import"),
        ("a.localeCompare(b)", "localeCompare"),
        ("n?.toLocaleString()", "toLocaleString"),
        ("new Intl.NumberFormat()", "Intl"),
    ],
)
def test_a_name_that_is_used_is_found(code: str, name: str) -> None:
    assert (host_name_error(code) or "").startswith(f"`{name}` ")


@pytest.mark.parametrize(
    "code",
    [
        "output.includes('fetch')",
        'output === "require(\\"x\\")"',
        "typeof require === 'undefined'",
        "typeof process",
        "a.fetch()",
        "({fetch: 1})",
        "// fetch\ntrue",
        "/* process.env */ true",
        "/require(/.test(output)",
        "output.replace(/```(json)?/g, '')",
        "const fetch = 1; fetch",
        "`no ${output} fetch`",
        "`${/'/.test(output)}` + 'fetch'",
        "output.split('/').length / 2",
    ],
)
def test_a_name_in_a_text_a_pattern_a_comment_or_a_property_is_none(code: str) -> None:
    assert host_name_error(code) is None


@pytest.mark.parametrize("unit", ["/[", "`${", "(/a", "'", "`", "/* ", "/", "\\"])
def test_code_that_is_no_javascript_is_read_to_its_end_in_linear_time(unit: str) -> None:
    words = list(words_of(unit * (60_000 // len(unit))))
    assert len(words) <= 60_000


@given(st.text(alphabet="abc'\"`${}/\\*[]() \n.?=>0", max_size=60))
def test_words_of_any_text_are_in_order_and_within_it(source: str) -> None:
    words = list(words_of(source))
    assert all(0 <= word.start < word.end <= len(source) for word in words)
    assert all(first.end <= second.start for first, second in pairwise(words))
