from pathlib import Path

import pytest

from paths import ROOT
from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.prompt_file import prompt_name, read_prompt_file, read_prompt_folder
from promptuary.prompt.files.yaml_document import InvalidFile

TRIAGE = """\
type: chat
messages:
  - {role: system, content: "You sort: {{intents}}."}
  - {role: user, content: "{{ticket}}"}
variables:
  ticket: {type: string}
labels: [staging]
tags: [support]
message: the first one
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "prompts"


def write(root: Path, name: str, text: str | bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_file_is_a_prompt_whose_name_is_its_path(root: Path) -> None:
    path = write(root, "support/triage.yaml", TRIAGE)
    prompt = read_prompt_file(path, prompt_name(path, root))
    assert (prompt.name, prompt.labels, prompt.tags, prompt.message) == (
        "support.triage",
        ("staging",),
        ("support",),
        "the first one",
    )
    assert prompt.content.type == "chat"
    assert len(prompt.content.texts()) == 2


def test_a_text_prompt_has_a_template_and_json_is_yaml_too(root: Path) -> None:
    path = write(root, "greet.yaml", '\ufeff{"type": "text", "template": "Hi {name}", "format": "f-string"}')
    assert read_prompt_file(path, "greet").content.template == "Hi {name}"


def test_a_jinja2_file_is_read_and_the_server_decides_whether_to_accept_it(root: Path) -> None:
    path = write(root, "greet.yaml", "type: text\nformat: jinja2\ntemplate: 'Hi {{ name|title }}'\n")
    assert read_prompt_file(path, "greet").content.format == "jinja2"
    path = write(root, "greet.yaml", "type: text\nformat: jinja2\ntemplate: |\n  Hi\n  {{ name.lower() }}\n")
    with pytest.raises(InvalidFile, match=r"line 3: template: a call is not supported in a prompt \(line 2 of the template\)"):
        read_prompt_file(path, "greet")


def test_tools_and_response_formats_are_checked_in_files_too(root: Path) -> None:
    body = "type: text\ntemplate: Hi\ntools:\n  - {name: a}\n  - {name: a}\nresponse_format:\n  $ref: other.json\n"
    with pytest.raises(InvalidFile) as raised:
        read_prompt_file(write(root, "greet.yaml", body), "greet")
    assert [(error.path, error.line) for error in raised.value.field_errors] == [("tools.1.name", 5), ("response_format", 7)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: must be a mapping that has `type`"),
        ("- a", "line 1: must be a mapping that has `type`"),
        ("type: text\ntemplate: x\ntype: text", "line 3: the key 'type' occurs twice"),
        ("type: text\ntemplate: x\nmessage: *a", "line 3: found undefined alias 'a'"),
        ("type: text\n", "line 1: template: is required"),
        ("type: chat\nmessages:\n  - role: robot\n    content: x", "line 3: messages.0.role: should be"),
        ("type: chat\nmessages:\n  - role: user\n    content: '{{a'", "line 4: messages.0.content: a tag opened with {{"),
        (
            "type: chat\n\nmessages: []\ntemplate: x",
            "line 4: template: `messages` is the template of a chat; use one of the two",
        ),
        ("type: text\ntemplate: x\nvariables:\n  a: {}", "line 4: variables.a: is declared, but the prompt never uses it"),
        ("type: text\ntemplate: x\ncolour: red", "line 3: colour: is not a known field"),
        ("type: text\ntemplate: x\npartials: {a: b}", "line 3: partials: are added by the registry"),
        ("type: text\ntemplate: x\nlabels: staging", "line 3: labels: must be a list of strings"),
        ("type: text\ntemplate: x\ntags: [1]", "line 3: tags: must be a list of strings"),
        ("type: text\ntemplate: x\nmessage: [a]", "line 3: message: must be a string"),
        ("type: text\ntemplate: x\nmodel:\n  name: m\n  temperature: 9", "line 5: model.temperature: should be less than"),
        (b"type: text\ntemplate: \xff", "byte 21"),
        ("type: text\ntemplate: x\x00", "line 2: has a NUL character"),
    ],
)
def test_an_error_has_its_file_line_and_field(root: Path, text: str | bytes, message: str) -> None:
    path = write(root, "support/bad.yaml", text)
    with pytest.raises(InvalidFile) as raised:
        read_prompt_file(path, "support.bad")
    assert raised.value.message.startswith(str(path))
    assert message in str(raised.value)


def test_an_error_of_the_registry_gets_its_line_and_field_in_the_file(root: Path) -> None:
    prompt = read_prompt_file(write(root, "a.yaml", TRIAGE), "a")
    errors = [prompt.with_line(FieldError(path, "x")) for path in ("template.1.content", "variables.ticket", "model", "")]
    assert [(error.line, error.path) for error in errors] == [
        (4, "messages.1.content"),
        (6, "variables.ticket"),
        (1, "model"),
        (1, ""),
    ]


def test_all_errors_of_a_file_are_reported_together(root: Path) -> None:
    path = write(root, "bad.yaml", "type: text\ntemplate: x\nlabels: a\nmessage: 1\ncolour: red\n")
    with pytest.raises(InvalidFile) as raised:
        read_prompt_file(path, "bad")
    assert [(error.line, error.path) for error in raised.value.field_errors] == [(3, "labels"), (4, "message"), (5, "colour")]


def test_all_prompts_of_a_folder_are_read_sorted_by_name(root: Path) -> None:
    write(root, "b.yml", "type: text\ntemplate: x")
    write(root, "support/triage.yaml", TRIAGE)
    write(root, "a.b.yaml", "type: text\ntemplate: x")
    write(root, "README.md", "no prompt")
    assert [prompt.name for prompt in read_prompt_folder(root)] == ["a.b", "b", "support.triage"]


def test_the_errors_of_all_files_of_a_folder_are_reported_together(root: Path) -> None:
    write(root, "good.yaml", "type: text\ntemplate: x")
    first, second = write(root, "one.yaml", "type: text"), write(root, "Two.yaml", TRIAGE)
    with pytest.raises(InvalidFile) as raised:
        read_prompt_folder(root)
    message = str(raised.value)
    assert raised.value.message == f"2 files under {root} cannot be used"
    assert f"{first} cannot be used: line 1: template: is required" in message
    assert f"{second} is not a valid name of a prompt" in message


def test_two_files_with_the_same_prompt_name_are_refused(root: Path) -> None:
    first, second = write(root, "a.b.yaml", "type: text\ntemplate: x"), write(root, "a/b.yaml", "type: text\ntemplate: y")
    with pytest.raises(InvalidFile) as raised:
        read_prompt_folder(root)
    assert {str(first), str(second)} <= set(str(raised.value).replace(";", " ").split())


def test_a_folder_that_is_missing_or_without_a_prompt_is_an_error(root: Path) -> None:
    with pytest.raises(InvalidFile, match="is not a folder"):
        read_prompt_folder(root)
    write(root, "README.md", "no prompt")
    with pytest.raises(InvalidFile, match=r"contains no prompt file \(\*\.yaml\)"):
        read_prompt_folder(root)


def test_a_file_that_is_missing_too_large_or_a_folder_is_an_error(root: Path) -> None:
    with pytest.raises(InvalidFile, match=r"a\.yaml does not exist"):
        read_prompt_file(root / "a.yaml", "a")
    path = write(root, "large.yaml", b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(InvalidFile, match=r"large\.yaml is over the limit"):
        read_prompt_file(path, "large")
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_prompt_file(root, "a")


def test_the_prompts_of_this_repository_are_valid() -> None:
    assert read_prompt_folder(ROOT / "prompts")
