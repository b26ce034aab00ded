"""Templates without quotes in YAML: the error names the line and asks to quote them."""

from pathlib import Path

import pytest

from promptuary.prompt.files.prompt_file import parse_prompt_file
from promptuary.prompt.files.yaml_document import InvalidFile


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "type: text\ntemplate: {{name}}\n",
            """line 2: template: a text that begins with '{{' is not one in YAML: quote it: "{{name}}\"""",
        ),
        (
            "type: text\ntemplate: {{name}}, hello\n",
            """line 2: a text that begins with '{{' is not one in YAML: quote it: "{{name}}\"""",
        ),
        (
            "type: chat\nmessages:\n  - role: user\n    content: {{ name }}\n",
            """line 4: messages.0.content: a text that begins with '{{' is not one in YAML: quote it: "{{ name }}\"""",
        ),
        (
            "type: chat\nmessages:\n  - {role: user, content: {{#a}}b{{/a}}}\n",
            "line 3: a text that begins with '{{' is not one in YAML: quote it: ",
        ),
        (
            'type: text\ntemplate: {% if a == "x" %}a{% endif %}\n',
            "line 2: a text that begins with '{%' is not one in YAML: quote it: '{% if a == \"x\" %}",
        ),
        (
            "type: text\ntemplate: Hi {{name}}: you\n",
            """line 2: a text with ': ' in it is not one in YAML: quote it: "Hi {{name}}: you\"""",
        ),
        (
            "type: text\nformat: f-string\ntemplate: {name}\n",
            "line 3: template: must be a text or a list of messages; quote it",
        ),
        (
            "type: chat\nformat: f-string\nmessages:\n  - role: user\n    content: {name}\n",
            "line 5: messages.0.content: must be",
        ),
    ],
)
def test_a_template_without_quotes_is_named_with_its_line_and_the_quotes(text: str, expected: str) -> None:
    with pytest.raises(InvalidFile) as raised:
        parse_prompt_file(text, Path("p.yaml"), "p")
    assert expected in str(raised.value)
    assert "quote it" in str(raised.value)


@pytest.mark.parametrize(
    "text",
    ["a: [1\n", "{{name}}", "a: b: c\n", "template: >\n  {{name}}: x\n b", "a:\n\t- x", "- - {a: b}: c\n", "{"],
)
def test_other_errors_of_yaml_stay_what_they_are(text: str) -> None:
    with pytest.raises(InvalidFile) as raised:
        parse_prompt_file(text, Path("p.yaml"), "p")
    assert str(raised.value).startswith("p.yaml is not")
