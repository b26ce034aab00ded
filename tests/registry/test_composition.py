"""Prompts that include others: resolved and pinned when registered, and never changed by what happens later."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.templates.preparation import prepare
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registration, Registry
from promptuary.registry.version_store import Version

pytestmark = pytest.mark.usefixtures("database")
Units = Callable[..., AbstractContextManager[UnitOfWork]]


def register(unit_as: Units, name: str, template: Any, *labels: str, **more: Any) -> Registration:
    kind = "text" if isinstance(template, str) else "chat"
    content = Content.model_validate({"type": kind, "template": template, **more})
    with unit_as("author") as unit:
        return Registry(unit).register(name, content, labels=labels)


def rendered(version: Version, **values: Any) -> str:
    return prepare(content_from_json(version.content)).render(values).text or ""


def field_errors(unit_as: Units, name: str, template: Any, **more: Any) -> str:
    with pytest.raises(InvalidPrompt) as refused:
        register(unit_as, name, template, **more)
    return "; ".join(map(str, refused.value.field_errors))


def test_an_included_prompt_is_pinned_to_the_version_that_its_label_meant(unit_as: Units) -> None:
    register(unit_as, "tone", "Be {{manner}}.", "production", variables={"manner": {"type": "string"}})
    version = register(unit_as, "p", "{{> tone}} Answer {{question}}.").version
    register(unit_as, "tone", "Shout.", "production")
    with unit_as("viewer") as unit:
        again = Registry(unit).version("p", 1)
    assert again == version
    assert rendered(again, manner="kind", question="now") == "Be kind. Answer now."
    (include,) = version.includes
    assert (include.reference, include.name, include.version) == ("tone", "tone", 1)
    assert version.content["variables"]["manner"]["type"] == "string"


def test_a_reference_names_a_label_a_number_or_latest(unit_as: Units) -> None:
    register(unit_as, "tone", "one", "production")
    register(unit_as, "tone", "two", "staging")
    register(unit_as, "tone", "three")
    version = register(unit_as, "p", "{{> tone}} {{> tone@staging}} {{> tone@latest}} {{> tone@1}}").version
    assert rendered(version) == "one two three one"
    assert {include.reference: include.version for include in version.includes} == {
        "tone": 1,
        "tone@1": 1,
        "tone@latest": 3,
        "tone@staging": 2,
    }


def test_partials_of_partials_come_along_as_they_were_pinned_there(unit_as: Units) -> None:
    register(unit_as, "word", "old", "production")
    register(unit_as, "tone", "tone says {{> word}}", "production")
    register(unit_as, "word", "new", "production")
    version = register(unit_as, "p", "{{> word}}, {{> tone}}").version
    assert rendered(version) == "new, tone says old"
    assert version.content["partials"] == {"word": "new", "tone": "tone says {{> word@1}}", "word@1": "old"}


def test_the_digest_covers_the_text_that_was_pinned(unit_as: Units) -> None:
    register(unit_as, "tone", "one", "production")
    first = register(unit_as, "p", "{{> tone}}!")
    assert not register(unit_as, "p", "{{> tone}}!").created
    register(unit_as, "tone", "two", "production")
    second = register(unit_as, "p", "{{> tone}}!")
    assert second.created
    assert second.version.digest != first.version.digest


def test_messages_turns_and_queries_may_include_too(unit_as: Units) -> None:
    register(unit_as, "tone", "Be kind.", "production")
    version = register(
        unit_as,
        "p",
        [{"role": "system", "content": "{{> tone}}"}, {"role": "placeholder", "name": "examples"}],
        context={
            "collection": "c",
            "query": "{{> tone}} {{q}}",
            "into": "examples",
            "turns": [{"role": "user", "content": "{{> tone}} {{text}}"}],
        },
    )
    prepared = prepare(content_from_json(version.version.content))
    assert prepared.render({"q": "x"}).messages == ({"role": "system", "content": "Be kind."},)


def test_an_invalid_include_is_reported_with_its_path_and_writes_nothing(unit_as: Units) -> None:
    register(unit_as, "chat", [{"role": "user", "content": "x"}], "production")
    register(unit_as, "fstring", "{x}", "production", format="f-string")
    register(unit_as, "tone", "one", "staging")
    register(unit_as, "tone", "two")
    register(unit_as, "gone", "x", "production")
    with unit_as("author") as unit:
        Labels(unit).split("tone", "canary", [(1, 1.0), (2, 1.0)], "")
        Registry(unit).archive("gone", "")
    message = field_errors(
        unit_as,
        "p",
        [
            {"role": "system", "content": "{{> never}} {{> tone}} {{> tone@9}} {{> tone@canary}} {{> gone}}"},
            {"role": "user", "content": "{{> chat}} {{> fstring}} {{> Tone}} {{> tone@@x}} {{> tone@}}"},
        ],
    )
    for words in (
        "template.0.content: {{> never}}: there is no prompt 'never'",
        "{{> tone}}: 'tone' has no label 'production'; its labels are: canary, staging",
        "{{> tone@9}}: 'tone' has no version 9; its newest is 2",
        "{{> tone@canary}}: the label 'canary' of 'tone' is split; name a version",
        "{{> gone}}: the prompt 'gone' is archived",
        "template.1.content: {{> chat}}: only a text prompt in mustache, without a context, can be included",
        "{{> fstring}}: only a text prompt",
        "{{> Tone}}: is not a reference",
        "{{> tone@@x}}: is not a reference",
        "{{> tone@}}: is not a reference",
    ):
        assert words in message
    with unit_as("viewer") as unit:
        assert "p" not in [prompt.name for prompt in Registry(unit).prompts(20, None).items]


def test_another_projects_prompts_cannot_be_included(unit_as: Units) -> None:
    with unit_as("author", "another") as unit:
        Registry(unit).register("tone", Content(type="text", template="x"), labels=("production",))
    assert "there is no prompt 'tone'" in field_errors(unit_as, "p", "{{> tone}}")


def test_rings_are_refused_however_long(unit_as: Units) -> None:
    register(unit_as, "a", "a", "production")
    assert "{{> a}}: the prompt would include itself" in field_errors(unit_as, "a", "{{> a}}")
    register(unit_as, "b", "{{> a}}", "production")
    register(unit_as, "c", "{{> b}}", "production")
    assert "{{> c}}: the prompt would include itself by way of 'c'" in field_errors(unit_as, "a", "{{> c}}")


def test_partials_are_nested_eight_deep_and_no_deeper(unit_as: Units) -> None:
    register(unit_as, "n0", "x", "production")
    for level in range(1, 9):
        register(unit_as, f"n{level}", f"{{{{> n{level - 1}}}}}{level}", "production")
    assert "partials are nested more than 8 deep" in field_errors(unit_as, "n9", "{{> n8}}")
    with unit_as("viewer") as unit:
        assert rendered(Registry(unit).lookup("n8").version) == "x12345678"


def test_a_variable_of_two_partials_with_two_types_must_be_declared(unit_as: Units) -> None:
    register(unit_as, "a", "{{x}}", "production", variables={"x": {"type": "string"}})
    register(unit_as, "b", "{{x}}", "production", variables={"x": {"type": "integer"}})
    assert "variables.x: is declared differently by two partials; declare it here" in field_errors(
        unit_as, "p", "{{> a}}{{> b}}"
    )
    version = register(unit_as, "p", "{{> a}}{{> b}}", variables={"x": {"type": "number"}}).version
    assert version.content["variables"]["x"]["type"] == "number"


def test_too_much_text_with_the_partials_is_refused(unit_as: Units) -> None:
    register(unit_as, "big", "x" * 200_000, "production")
    assert "over the limit of 262144 characters" in field_errors(unit_as, "p", "{{> big}}" + "y" * 100_000)


def test_a_new_version_of_a_partial_is_offered_and_taken_only_when_asked(unit_as: Units) -> None:
    register(unit_as, "tone", "one {{a}}", "production", variables={"a": {"type": "string", "maxLength": 5}})
    register(unit_as, "p", "{{> tone}} {{b}}", "production", variables={"b": {"type": "string"}})
    register(unit_as, "p", "{{> tone@1}} other {{b}}")
    register(unit_as, "q", "nothing", "production")

    def offers() -> list[tuple[str, int, str, int, int | None]]:
        with unit_as("viewer") as unit:
            return [(*vars(offer.dependent).values(), offer.offered) for offer in Registry(unit).include_updates("tone")]

    assert offers() == [("p", 1, "tone", 1, None), ("p", 2, "tone@1", 1, None)]
    register(unit_as, "tone", "two {{c}}", "production", variables={"c": {"type": "string"}})
    assert offers() == [("p", 1, "tone", 1, 2), ("p", 2, "tone@1", 1, None)]
    with unit_as("author") as unit:
        assert not Registry(unit).renew("p").created
    register(unit_as, "r", "{{> tone@latest}} {{b}}", "production", variables={"b": {"type": "string"}})
    register(unit_as, "tone", "three {{d}}", variables={"d": {"type": "integer"}})
    with unit_as("author") as unit:
        renewed = Registry(unit).renew("r", "the newest tone")
    assert (renewed.created, renewed.version.number, renewed.version.message) == (True, 2, "the newest tone")
    assert sorted(renewed.version.content["variables"]) == ["b", "d"]
    assert rendered(renewed.version, b="b", d=4) == "three 4 b"


def test_a_preview_reports_what_a_registration_would_do(unit_as: Units) -> None:
    register(unit_as, "tone", "one", "production")

    def preview(template: str) -> tuple[int, bool, str]:
        with unit_as("viewer") as unit:
            result = Registry(unit).preview("p", Content(type="text", template=template))
            return result.number, result.created, result.content.digest

    number, created, digest = preview("{{> tone}}")
    assert (number, created) == (1, True)
    assert register(unit_as, "p", "{{> tone}}").version.digest == digest
    assert preview("{{> tone}}") == (1, False, digest)
    assert preview("{{> tone}} more")[:2] == (2, True)
    with unit_as("viewer") as unit, pytest.raises(InvalidPrompt):
        Registry(unit).preview("p", Content(type="text", template="{{> never}}"))
