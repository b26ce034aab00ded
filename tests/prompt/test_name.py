import pytest

from promptuary.prompt.name import fold_name, is_name


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


@pytest.mark.parametrize(
    ("foreign", "folded"),
    [
        ("Support/Triage", "support.triage"),
        ("team a/greet", "team-a.greet"),
        ("team-a/greet", "team-a.greet"),
        ("  What's new? (v2)  ", "what-s-new-v2"),
        ("a..b", "a..b"),
        ("Å/b", "b"),
        ("X" * 127 + "-y", "x" * 127 + "-y"),
        ("/", ""),
        ("客服", ""),
    ],
)
def test_the_name_of_another_registry_is_folded_into_our_form(foreign: str, folded: str) -> None:
    assert fold_name(foreign) == folded
    assert fold_name(folded) == folded
