"""Prompts of Phoenix: what its real client has becomes a content, and what has no place is named."""

import json
from typing import Any

import pytest
from phoenix.client.types import PromptVersion

from factories.foreign_files import finished_prompts
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml
from promptuary.prompt.foreign.drafts import ImportedPrompt
from promptuary.prompt.foreign.phoenix_file import is_phoenix, read_phoenix
from promptuary.prompt.foreign.source_names import SourceNames

PARAMETERS = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "lookup", "description": "d", "parameters": PARAMETERS}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {}}}}


def dumped(template_format: Any = "MUSTACHE", system: str = "You sort {{what}}.") -> dict[str, Any]:
    parts = [{"type": "text", "text": "{{ticket}}"}]
    call: Any = {
        "model": "gpt-4o",
        "temperature": 0.2,
        "max_tokens": 16,
        "frequency_penalty": 0.5,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": parts}],
        "tools": [TOOL],
        "response_format": SCHEMA,
    }
    return dict(PromptVersion.from_openai(call, template_format=template_format, description="why")._dumps())


def import_value(value: Any) -> list[ImportedPrompt]:
    document = parse_yaml(json.dumps(value, indent=1), "ph.json")
    assert is_phoenix(document.value)
    names = SourceNames("ph")
    return finished_prompts(read_phoenix(document.value, names), document, "ph.json", names)


def test_a_version_of_the_client_is_imported_completely() -> None:
    (prompt,) = import_value({"name": "support/triage", "tags": ["production"], **dumped()})
    assert (prompt.name, prompt.labels, prompt.message) == ("support.triage", ("production",), "why")
    body = prompt.content.model_dump(exclude_none=True)
    assert prompt.content.texts() == ["You sort {{what}}.", "{{ticket}}"]
    assert [message["role"] for message in body["template"]] == ["system", "user"]
    assert body["model"] == {"name": "openai:gpt-4o", "temperature": 0.2, "max_tokens": 16}
    assert body["config"] == {"frequency_penalty": 0.5}
    assert list(body["tools"][0]["function"]["parameters"]["properties"]) == ["z", "a"]
    assert body["response_format"] == SCHEMA


def test_pages_and_the_other_formats_are_read() -> None:
    (prompt,) = import_value({"data": dumped("F_STRING", "You sort {what}.")})
    assert (prompt.name, prompt.content.format, prompt.content.texts()[0]) == ("ph", "f-string", "You sort {what}.")
    (literal,) = import_value({"data": [dumped("NONE", "You sort {what}.")]})
    assert (literal.content.format, literal.content.texts()[0]) == ("f-string", "You sort {{what}}.")


def test_an_unknown_format_is_an_error_with_its_line() -> None:
    with pytest.raises(InvalidFile, match="template_format: must be MUSTACHE, F_STRING, NONE"):
        import_value({**dumped(), "template_format": "JINJA"})
