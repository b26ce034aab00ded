"""References of a content and the content with its partials; the registry's tests cover the other rules of inclusion."""

from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.inclusion import (
    IncludedVersion,
    UnresolvedReference,
    compose,
    content_references,
    read_reference,
    refuse_unincludable,
    without_partials,
)
from promptuary.prompt.templates.preparation import prepare


def text(template: str, **more: Any) -> Content:
    return Content.model_validate({"type": "text", "template": template, **more})


def test_references_are_listed_once_with_the_path_of_their_first_use() -> None:
    content = Content.model_validate(
        {
            "type": "chat",
            "template": [
                {"role": "system", "content": "{{> b}} {{> a@3}}"},
                {"role": "placeholder", "name": "examples"},
                {"role": "user", "content": "{{> b}} {{broken"},
                {"role": "user", "content": "{{> c}}"},
            ],
            "context": {
                "collection": "x",
                "query": "{{> a@3}}{{> q}}",
                "into": "examples",
                "turns": [{"role": "user", "content": "{{> t}}"}],
            },
        }
    )
    assert content_references(content) == [
        ("template.0.content", "b"),
        ("template.0.content", "a@3"),
        ("template.3.content", "c"),
        ("context.query", "q"),
        ("context.turns.0.content", "t"),
    ]
    assert content_references(text("{{> a}}", format="f-string")) == []


@pytest.mark.parametrize(("reference", "parts"), [("a.b", ("a.b", "")), ("a@staging", ("a", "staging")), ("a@12", ("a", "12"))])
def test_a_reference_is_a_name_and_a_label_or_number(reference: str, parts: tuple[str, str]) -> None:
    assert read_reference(reference) == parts


@pytest.mark.parametrize("reference", ["A", "a@", "a@@b", "@a", "a@B"])
def test_any_other_text_is_not_a_reference(reference: str) -> None:
    with pytest.raises(UnresolvedReference, match="is not a reference"):
        read_reference(reference)


def test_only_plain_mustache_texts_can_be_included() -> None:
    refuse_unincludable(text("x"))
    binding = {"collection": "c", "query": "q", "into": "x"}
    for content in (text("x", format="f-string"), text("{{x}}", context=binding)):
        with pytest.raises(UnresolvedReference, match="only a text prompt in mustache"):
            refuse_unincludable(content)


def test_partials_bring_their_variables_and_their_own_partials_under_pinned_names() -> None:
    inner = text("{{> word}} {{n}}", partials={"word": "hello"}, variables={"n": {"type": "integer"}})
    tone = IncludedVersion("tone", 2, inner, {"word": "word@7"})
    assert tone.names() == {"tone", "word"}
    written = text("{{> tone}}!", variables={})
    composed = compose(written, {"tone": tone})
    assert composed.partials == {"tone": "{{> word@7}} {{n}}", "word@7": "hello"}
    assert composed.variables == inner.variables
    assert prepare(composed).render({"n": 3}).text == "hello 3!"
    assert without_partials(composed, [inner.variables]) == written
    assert compose(written, {}) is written


def test_the_author_decides_where_partials_declare_a_variable_differently() -> None:
    included = {
        name: IncludedVersion(name, 1, text("{{n}}", variables={"n": {"type": kind}}))
        for name, kind in (("a", "string"), ("b", "number"))
    }
    with pytest.raises(InvalidPrompt, match=r"variables\.n: is declared differently by two partials; declare it here"):
        compose(text("{{> a}}{{> b}}"), included)
    own = text("{{> a}}{{> b}}", variables={"n": {"type": "number"}})
    composed = compose(own, included)
    assert composed.variables == own.variables
    assert without_partials(composed, [version.content.variables for version in included.values()]).variables == {}


def test_a_content_too_large_with_its_partials_is_refused() -> None:
    large = IncludedVersion("a", 1, text("x" * 200_000))
    with pytest.raises(InvalidPrompt, match="over the limit"):
        compose(text("{{> a}}" + "y" * 100_000), {"a": large})
