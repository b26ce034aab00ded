import pytest

from promptuary.core.errors import PreconditionFailed
from promptuary.core.preconditions import EntityTags, parse_entity_tags, parse_preconditions

TAG = '"17"'


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ('"a"', EntityTags(strong=frozenset({'"a"'}))),
        ('W/"a"', EntityTags(weak=frozenset({'"a"'}))),
        (' "a" ,\t"b",W/"c" ', EntityTags(strong=frozenset({'"a"', '"b"'}), weak=frozenset({'"c"'}))),
        ('"a,b"', EntityTags(strong=frozenset({'"a,b"'}))),
        (', "a",, ', EntityTags(strong=frozenset({'"a"'}))),
        ('""', EntityTags(strong=frozenset({'""'}))),
        ("", EntityTags()),
        (" * ", EntityTags(any=True)),
    ],
)
def test_a_header_of_entity_tags_is_read_as_rfc_9110_has_it(header: str, tags: EntityTags) -> None:
    assert parse_entity_tags(header) == tags


@pytest.mark.parametrize(
    "header", ["17", '"a', 'a"', "'a'", '"a" "b"', '*, "a"', '"a", *', 'w/"a"', 'W/ "a"', '"a b"', '"a\x7f"']
)
def test_a_header_of_another_form_has_no_tags(header: str) -> None:
    assert parse_entity_tags(header) is None


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "tag", "holds"),
    [
        ([], [], None, True),
        (["*"], [], TAG, True),
        (["*"], [], None, False),
        ([TAG], [], TAG, True),
        (['"16"', TAG], [], TAG, True),
        (['"16"'], [], TAG, False),
        ([f"W/{TAG}"], [], TAG, False),
        ([TAG], [], None, False),
        ([], ["*"], TAG, False),
        ([], ["*"], None, True),
        ([], [TAG], TAG, False),
        ([], [f"W/{TAG}"], TAG, False),
        ([], ['"16"'], TAG, True),
        ([TAG], ["*"], TAG, False),
    ],
)
def test_a_write_is_done_only_if_every_condition_holds(
    if_match: list[str], if_none_match: list[str], tag: str | None, holds: bool
) -> None:
    conditions = parse_preconditions(if_match, if_none_match)
    if holds:
        conditions.require(tag, "the label")
    else:
        with pytest.raises(PreconditionFailed, match="the label"):
            conditions.require(tag, "the label")


@pytest.mark.parametrize("header", [f"W/{TAG}", 'W/"16"', f'W/"16", W/{TAG}', f'"16", W/{TAG}'])
def test_a_weak_if_match_is_refused_as_such(header: str) -> None:
    with pytest.raises(PreconditionFailed, match="weak tags are not accepted: send the ETag of the label as it was answered"):
        parse_preconditions([header], []).require(TAG, "the label")


@pytest.mark.parametrize(("if_match", "if_none_match"), [(["17"], []), ([], ["17"])])
def test_a_condition_of_another_form_is_never_ignored(if_match: list[str], if_none_match: list[str]) -> None:
    with pytest.raises(PreconditionFailed, match="list of ETags in quotes"):
        parse_preconditions(if_match, if_none_match)
