import re
import unicodedata
from collections.abc import Callable

import pytest

from promptuary.prompt.name import fold_name, fold_words, is_name


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
        ("X" * 127 + "-y", "x" * 127 + "-y"),
        ("/", ""),
    ],
)
def test_the_name_of_another_registry_is_folded_into_our_form(foreign: str, folded: str) -> None:
    assert fold_name(foreign) == folded
    assert fold_name(folded) == folded


@pytest.mark.parametrize("fold", [fold_name, fold_words])
@pytest.mark.parametrize(
    "texts",
    [
        ("Проверка §5", "Тест 5", "5"),
        ("客服", "客户"),
        ("Größe", "Grosse", "Große", "Grösse"),
        ("Å/b", "A/b", "b"),
        ("✅ checks", "❌ checks", "checks"),
        ("a\u0661", "a\u0662", "a"),
        ("Ω" * 300, "Ω" * 301),
        ("x" * 200 + "é", "x" * 200 + "è"),
    ],
)
def test_texts_that_differ_beyond_ascii_keep_different_names(fold: Callable[[str], str], texts: tuple[str, ...]) -> None:
    names = [fold(text) for text in texts]
    assert all(map(is_name, names))
    assert len(set(names)) == len(texts)
    assert [fold(name) for name in names] == names


def test_letters_under_accents_stay_and_both_unicode_forms_are_one_name() -> None:
    composed, decomposed = "Müller größer", unicodedata.normalize("NFD", "Müller größer")
    assert fold_words(composed) == fold_words(decomposed) == fold_name(composed)
    assert re.fullmatch(r"muller-grosser-[0-9a-f]{10}", fold_words(composed))


def test_ascii_texts_have_the_names_they_had_and_long_ones_a_digest() -> None:
    assert fold_words("Support: triage_v2.1 (EU)") == "support-triage-v2-1-eu"
    assert fold_words("“Quoted” — text") == "quoted-text"
    assert fold_words("---") == ""
    first, second = (fold_words("word " * 30 + end, 100) for end in ("a", "b"))
    assert first != second
    assert max(len(first), len(second)) <= 100
