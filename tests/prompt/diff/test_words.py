from hypothesis import given
from hypothesis import strategies as st

from promptuary.prompt.diff.words import TextSegment, compare_words

texts = st.text(st.sampled_from("ab .,\n消é"), max_size=30)


def changed(parts: list[TextSegment]) -> list[str]:
    return [part.text for part in parts if part.changed]


def test_only_the_words_that_differ_are_marked() -> None:
    old, new = compare_words("Sort the tickets, please.", "Sort all tickets, please!")
    assert (changed(old), changed(new)) == (["the", "."], ["all", "!"])


def test_an_added_word_changes_nothing_in_the_old_text() -> None:
    old, new = compare_words("Answer briefly.", "Answer very briefly.")
    assert (changed(old), "".join(changed(new)).split()) == ([], ["very"])


def test_an_empty_text_has_no_parts() -> None:
    assert compare_words("", "a b") == ([], [TextSegment("a b", changed=True)])


@given(texts, texts)
def test_the_parts_of_a_text_join_to_the_text(before: str, after: str) -> None:
    old, new = compare_words(before, after)
    assert ("".join(part.text for part in old), "".join(part.text for part in new)) == (before, after)


@given(texts, texts)
def test_the_unchanged_parts_of_both_texts_are_the_same(before: str, after: str) -> None:
    old, new = compare_words(before, after)
    same_in_both = ["".join(part.text for part in parts if not part.changed) for parts in (old, new)]
    assert same_in_both[0] == same_in_both[1]


def test_texts_beyond_the_effort_keep_their_common_ends_unchanged() -> None:
    before, after = ("start " + " ".join(words) + " end" for words in (["a"] * 2000, ["b"] * 2000))
    old, new = compare_words(before, after, effort=100)
    assert [part.text for part in old if not part.changed] == [part.text for part in new if not part.changed]
    assert (old[0].text, old[-1].text) == ("start ", " end")
