"""Text of others stays text."""

import pytest

from promptuary_ui.components.text import escape_hidden, escape_markdown, format_value


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain words", "plain words"),
        ("![x](http://a)", r"\!\[x\]\(http\:\/\/a\)"),
        ("<b>*x*</b>", r"\<b\>\*x\*\<\/b\>"),
        (":red[x] $y$ `z`", r"\:red\[x\] \$y\$ \`z\`"),
        ("two\n\n# lines", r"two \# lines"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_markdown_is_escaped_where_markdown_is_taken(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


def test_a_text_is_shown_as_it_is_and_other_values_as_json() -> None:
    assert format_value("a *b*") == "a *b*"
    assert format_value({"é": [1, None]}) == '{\n  "é": [\n    1,\n    null\n  ]\n}'


def test_what_is_not_seen_is_shown_as_its_escape() -> None:
    assert escape_hidden("a\u200bb\u202ec\r\x1b\ufeff") == r"a\u200bb\u202ec\r\x1b\ufeff"
    assert escape_hidden("Zürich → 7 %\n\tتب") == "Zürich → 7 %\n\tتب"
