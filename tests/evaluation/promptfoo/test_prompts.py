"""promptfoo's prompts as contents: texts, files of every kind, and chats."""

import json
from pathlib import Path

import pytest

from factories.promptfoo_files import Read, refusal, why
from promptuary.evaluation.promptfoo.report import PartOutcome
from promptuary.evaluation.promptfoo.translation import UnsupportedParts


def test_prompts_come_from_texts_and_from_files_of_every_kind(read: Read) -> None:
    files = {
        "a.txt": "one {{x}}\n---\ntwo\n{{x}}\n",
        "b.json": '[{"role": "system", "content": "be brief"}, {"role": "user", "content": "{{x}}"}]',
        "c.yaml": "- role: user\n  content: 'yaml {{x}}'\n",
        "d.jsonl": '[{"role": "user", "content": "line {{x}}"}]\n',
        "e.md": "# {{x}}\n",
        "f.csv": "prompt,label\nfrom a table {{x}},t\n",
        "more/g.j2": "{{x}}!",
    }
    file_value = [
        "a.txt",
        "file://b.json",
        "c.yaml",
        "d.jsonl",
        "file://e.md",
        {"id": "f.csv"},
        "file://more/*.j2",
        "and/or {{x}}",
    ]
    translation = read({"prompts": file_value, "providers": ["openai:gpt-4.1"]}, files)
    templates = [
        content.template if isinstance(content.template, str) else [part.model_dump() for part in content.template]
        for content in translation.contents
    ]
    assert templates == [
        "one {{x}}",
        "two\n{{x}}",
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "{{x}}"}],
        [{"role": "user", "content": "yaml {{x}}"}],
        [{"role": "user", "content": "line {{x}}"}],
        "# {{x}}\n",
        "from a table {{x}}",
        "{{x}}!",
        "and/or {{x}}",
    ]
    assert all(not variable.required for content in translation.contents for variable in content.variables.values())


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("file://prompt.py", "made by code"),
        ("prompt.js:build", "made by code"),
        ("exec:./prompt.sh", "made by code"),
        ("langfuse://mine", "another service"),
        ("file://missing.txt", "does not exist"),
        ("file://../outside.txt", "outside the folder"),
        ("file:///etc/hostname", "outside the folder"),
        ("file://../**/*.txt", "outside the folder"),
        ("{{ x | nothing_of_ours }}", "cannot be read here"),
        ("{% set y = 1 %}{{ y }}", "cannot be read here"),
        ("{{ x.length }}", "JavaScript's"),
        ("{% for one in _conversation %}{{ one }}{% endfor %}", "the earlier tests with the same"),
        ('[{"role": "user", "content": [{"type": "image_url"}]}]', "messages.0.content.0.image_url: is required"),
        ('[{"role": "user", "content": [{"type": "image", "source": {}}]}]', "messages.0.content.0: needs a `type`"),
        ('[{"role": "user", "content": "x", "parts": []}]', "messages.0.parts: is not a known field"),
    ],
)
def test_a_prompt_that_cannot_be_carried_is_refused_with_the_reason(read: Read, prompt: str, words: str) -> None:
    with pytest.raises(UnsupportedParts) as refused:
        read({"prompts": [prompt, "{{x}}"]})
    (entry,) = refused.value.report.of(PartOutcome.REFUSED)
    assert entry.kind == "prompt"
    assert words in entry.why
    translation = read({"prompts": [prompt, "{{x}}"]}, partial=True)
    assert [content.template for content in translation.contents] == ["{{x}}"]


def test_a_link_out_of_the_folder_is_outside(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert "outside the folder" in refusal(read, "file://link.txt", {"prompts": ["file://link.txt", "{{x}}"]})


def test_a_chat_keeps_its_parts_and_tool_calls(read: Read) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": '{"order": "{{x}}"}'}}
    image = {"type": "image_url", "image_url": {"url": "{{image}}", "detail": "low"}}
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "{{result}}", "tool_call_id": "c"},
        {"role": "user", "content": [{"type": "text", "text": "{{x}} {% if y %}z{% endif %}"}, image]},
    ]
    test = {"vars": {"x": "1", "image": "https://a.example/1.png"}, "assert": [{"type": "equals", "value": "1"}]}
    translation = read({"prompts": [json.dumps(messages)], "tests": [test]})
    (content,) = translation.contents
    assert (content.format, content.model_dump()["template"]) == ("jinja2", messages)


def test_equal_prompts_are_tried_once(read: Read) -> None:
    translation = read({"prompts": ["{{x}}", {"raw": "{{x}}", "label": "again"}]})
    assert len(translation.contents) == 1
    assert "earlier" in why(translation.report, PartOutcome.CHANGED, "'again'")
