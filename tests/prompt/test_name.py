import pytest

from promptuary.prompt.name import is_name


@pytest.mark.parametrize("name", ["a", "0", "support.triage", "a-b_c.d", "a" * 128, "a..b"])
def test_a_name_is_lower_case_ascii_with_a_letter_or_digit_at_both_ends(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "é",
        ".a",
        "a.",
        "-a",
        "../x",
        "a/b",
        "a b",
        "a\n",
        "a\x00",
        "a" * 129,
        "a\u202eb",
        "a\u200bb",
        "\u0430",
        "\u0661",
    ],
    ids=ascii,
)
def test_anything_else_is_none(name: str) -> None:
    assert not is_name(name)
