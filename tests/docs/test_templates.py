"""The page on templates: its examples render as shown, and its lists and figures are the code's."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from paths import ROOT
from promptuary.prompt.content import TEMPLATE_LIMIT, VARIABLES_LIMIT, Content
from promptuary.prompt.files.prompt_file import parse_prompt_file
from promptuary.prompt.files.prompt_file_writer import prompt_file_text
from promptuary.prompt.messages.message import PART_TYPES, Message
from promptuary.prompt.registration import validation
from promptuary.prompt.templates.expressions.arithmetic import ARITHMETIC_OPERATORS
from promptuary.prompt.templates.expressions.comparison import ORDER_OPERATORS
from promptuary.prompt.templates.expressions.filters import FILTERS, TESTS
from promptuary.prompt.templates.jinja.expression_reader import EXPRESSION_DEPTH_LIMIT
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import ATTACHMENT_LIMIT, OUTPUT_LIMIT
from promptuary.prompt.templates.render_budget import WORK_LIMIT
from promptuary.prompt.templates.tree import DEPTH_LIMIT
from promptuary.prompt.variables import PARTS_LIMIT, Property, Schema, Variable

PAGE = (ROOT / "docs" / "templates.md").read_text()
EXAMPLES = re.findall(r"```(mustache|simple|f-string|jinja2)\n(.*?)```\n```json\n(.*?)```\n```text\n(.*?)```", PAGE, re.S)


def listed(word: str) -> set[str]:
    """Return the names in back quotes of the list that begins with the word."""
    (items,) = re.findall(rf"(?s)^- {word}: (.*?)\.\n(?=-)", PAGE, re.M)
    return set(re.findall(r"`([^`]+)`", items))


def test_each_format_has_an_example() -> None:
    assert [example[0] for example in EXAMPLES] == ["mustache", "simple", "f-string", "jinja2"]


@pytest.mark.parametrize(("format_", "template", "values", "expected"), EXAMPLES, ids=[example[0] for example in EXAMPLES])
def test_an_example_renders_as_shown(format_: str, template: str, values: str, expected: str) -> None:
    prepared = prepare(Content.model_validate({"type": "text", "template": template, "format": format_}), jinja2=True)
    assert (prepared.render(json.loads(values)).text or "").strip() == expected.strip()


def test_the_lists_of_jinja_are_the_codes() -> None:
    assert listed("Filters") == set(FILTERS)
    assert listed("Tests") == set(TESTS)
    operators = listed("Taken")
    assert set(ARITHMETIC_OPERATORS) | set(ORDER_OPERATORS) | {"==", "!=", "in"} <= operators


def test_the_words_of_a_variable_are_the_codes() -> None:
    table = PAGE.partition("## Variables")[2].partition("A value that is missing")[0]
    words = {word for row in re.findall(r"(?m)^\| (`.*?) \|", table) for word in re.findall(r"`(\w+)`", row)}
    assert words == set(Variable.model_fields)
    assert set(Property.model_fields) == set(Schema.model_fields) | {"required"}


def test_the_example_of_an_agents_messages_is_a_prompt_file() -> None:
    section = PAGE.partition("### Messages of agents")[2]
    (example,) = re.findall(r"```yaml\n(.*?)```", section, re.S)
    prompt = parse_prompt_file(example, Path("prompts/a.yaml"), "a")
    names = {"tone", "item", "picture", "result", "history"}
    assert set(prepare(prompt.content).variables) == names
    assert parse_prompt_file(prompt_file_text(prompt.content), Path("prompts/a.yaml"), "a").content == prompt.content


def test_the_fields_of_a_message_are_the_codes() -> None:
    tables = PAGE.partition("### Messages of agents")[2].partition("`cache_control` is kept")[0]
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", tables)) == set(Message.model_fields)
    assert set(re.findall(r"\{type: (\w+)", tables.partition("| part | is |")[2])) == set(PART_TYPES)


@pytest.mark.parametrize(
    "figure",
    [
        f"256 KiB ({TEMPLATE_LIMIT:,} characters)",
        f"| variables | {VARIABLES_LIMIT} |",
        f"| sections or blocks in each other; partials in each other | {DEPTH_LIMIT} |",
        f"| an expression's depth | {EXPRESSION_DEPTH_LIMIT} |",
        f"| {OUTPUT_LIMIT // 1024**2} MiB (`PROMPTUARY_OUTPUT_LIMIT`)",
        f"| {ATTACHMENT_LIMIT // 1024**2} MiB (`PROMPTUARY_ATTACHMENT_LIMIT`)",
        f"| {WORK_LIMIT:,} steps |",
        f"| parts of a value that is checked part by part | {PARTS_LIMIT:,} |",
        f"| {validation.TOOLS_LIMIT}; {validation.SCHEMA_LIMIT:,} |",
    ],
)
def test_a_limit_is_the_codes(figure: str) -> None:
    assert figure in PAGE


def test_the_cases_of_the_specification_that_do_not_apply_are_those_of_the_test() -> None:
    from prompt.templates.test_mustache import CASES, ESCAPES_HTML

    rows: Any = re.findall(r"(?m)^\| `(interpolation|sections)` \| (.+?) \|", PAGE)
    assert set(rows) == ESCAPES_HTML
    whole = sum(CASES.values())
    assert f"six files of {whole} cases" in PAGE
    assert f"{whole - len(ESCAPES_HTML)} render as specified" in PAGE
    words = " ".join(PAGE.split()).replace("inverted sections", "inverted")
    assert [module for module, count in CASES.items() if f"{count} of {module}" not in words] == []
