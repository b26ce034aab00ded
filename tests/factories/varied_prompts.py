"""Two hundred prompts of every kind, with histories: what a registry has after some years."""

import random
from typing import Any

from promptuary.cli.connection import ApiClient

COUNT = 200
TEXTS = (
    "Answer {{name}} in one sentence.\n\n  Keep  the   blanks.\n",
    "Übersetze „{{text}}“ ins Norwegische – 日本語 ✅ \u200d\t.",
    "申请退款流程 {{text}}",
    'Quote "this", \\that\\ and {"json": [1, 2.0]} about {{name}}.',
    "Lines\r\nwith a carriage return for {{name}}",
    "{{#vip}}Dear {{name}}{{/vip}}{{^vip}}Hello{{/vip}}",
)
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "schema": {
            "type": "object",
            "properties": {"reasoning": {"type": "string"}, "answer": {"type": "number", "maximum": 1.0, "minimum": 0}},
            "required": ["reasoning", "answer"],
        },
    },
}
TOOLS = [
    {"type": "function", "function": {"name": "zeta", "parameters": {"type": "object", "properties": {"z": {}, "a": {}}}}},
    {"type": "function", "function": {"name": "alpha", "description": "finds", "strict": True}},
]
CONFIG = {
    "zeta": None,
    "alpha": [],
    "temperature": 1.0,
    "top_k": 40,
    "nested": {"b": 1e-7, "a": {}},
    "max_completion_tokens": 9,
}
PARTS = [
    {"type": "text", "text": "Describe this for {{name}}.", "cache_control": {"type": "ephemeral"}},
    {"type": "image_url", "image_url": {"url": "https://example.org/{{name}}.png", "detail": "low"}},
]
CALL = {"id": "call_1", "type": "function", "function": {"name": "zeta", "arguments": '{"z": "{{name}}"}'}}


def content(number: int, version: int) -> dict[str, Any]:
    """Return a content that depends on nothing but the numbers."""
    chosen = random.Random(f"{number}.{version}")
    text = f"{version}: " + chosen.choice(TEXTS) * (400 if number == 7 else 1)
    kind = number % 6
    body: dict[str, Any] = {"type": "text", "template": text}
    if kind == 1:
        body = {"type": "text", "format": "f-string", "template": f"Version {version} for {{name}} with {{{{braces}}}}."}
    elif kind == 2:
        body = {"type": "text", "format": "simple", "template": f'{version} {{{{name}}}} {{"{{key}}": "}}"}} {{{{ {{%'}
    elif kind == 3:
        messages = [{"role": "system", "content": text}, {"role": "placeholder", "name": "history"}]
        body = {"type": "chat", "template": [*messages, {"role": "user", "content": PARTS, "name": "Ada"}]}
    elif kind == 4:
        turns = [
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "ok"},
        ]
        body = {"type": "chat", "template": [{"role": "developer", "content": text}, *turns]}
    elif kind == 5 and number > 5:
        body = {"type": "text", "template": f"{{{{> {name_of(number - 5)}@latest}}}} and {version}"}
    if chosen.random() < 0.4:
        body["tools"] = TOOLS if chosen.random() < 0.5 else TOOLS[::-1]
    if chosen.random() < 0.4:
        body["response_format"] = SCHEMA
    if chosen.random() < 0.5:
        body["config"] = CONFIG if chosen.random() < 0.5 else dict(reversed(CONFIG.items()))
    if chosen.random() < 0.5:
        body["model"] = {"name": "openai:gpt-4o", "temperature": chosen.choice([0, 0.5, 1.0]), "stop": ["\n", "END"]}
    return body


def register_prompts(api: ApiClient) -> None:
    """Register the prompts with versions, messages, tags, labels, splits, rollbacks and archivals."""
    for number in range(COUNT):
        chosen, path = random.Random(number), f"/prompts/{name_of(number)}"
        versions = 1 + number % 4
        for version in range(1, versions + 1):
            details = {"message": f"why {version} — {number}", "tags": chosen.choice([[], ["b", "a"], ["größer = 1"]])}
            labels = ["production"] if version == 1 or chosen.random() < 0.3 else []
            api.post(f"{path}/versions", {**content(number, version), **details, "labels": labels})
        if versions > 1:
            api.put(f"{path}/labels/staging", {"version": versions, "reason": "to try"})
            api.put(f"{path}/labels/production", {"version": 2, "reason": "released"})
        if versions > 2:
            arms = [{"version": 1, "weight": 9}, {"version": 3, "weight": 0.5}]
            api.put(f"{path}/labels/canary", {"split": arms, "reason": "an experiment"})
        if number % 9 == 1 and versions > 1:
            api.post(f"{path}/labels/production/rollback", {"reason": "worse"})
        if number % 11 == 0 and number % 6 != 0:
            api.post(f"{path}/archive", {"reason": "not used"})
            if number % 2:
                api.post(f"{path}/restore", {"reason": "used again"})


def name_of(number: int) -> str:
    """Return the name of a prompt, in a folder for every third."""
    return f"p{number:03}" if number % 3 else f"team.group-{number % 5}.p{number:03}"
