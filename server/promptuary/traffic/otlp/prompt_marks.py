"""The prompt that a span names, and the values it was rendered with, in the way of each family of emitters."""

from collections.abc import Mapping
from typing import Any

from promptuary.traffic.calls.model_call import PromptMark
from promptuary.traffic.otlp.attribute_values import clean, first_text, parse_object, parse_or_none, short_text, unquoted

METADATA_PREFIXES = (
    "promptuary.",
    "langsmith.metadata.promptuary.",
    "ai.telemetry.metadata.promptuary.",
    "langfuse.observation.metadata.promptuary.",
    "traceloop.association.properties.promptuary.",
    "langfuse.trace.metadata.promptuary.",
)
"""Where the attributes of `prompt.metadata` are put; the nearest to the call first."""
_METADATA_NAMES = tuple((prefix + "name", prefix) for prefix in METADATA_PREFIXES)
VARIABLE_PREFIXES = ("gen_ai.prompt.variable.", "traceloop.prompt.template_variables.")
VARIABLES_LIMIT = 200
"""The most variables of a prompt."""


def read_mark(attributes: Mapping[str, Any]) -> PromptMark | None:
    """Return the prompt that a span names; None where it names none.

    Promptuary's own attributes come first: they have the label and the digest, too.
    """
    for name, prefix in _METADATA_NAMES:
        if name in attributes and (mark := _of_metadata(attributes, prefix)) is not None:
            return mark
    metadata = attributes.get("metadata")
    if isinstance(metadata, str) and "promptuary.name" in metadata:
        mark = _of_metadata(parse_object(metadata), "promptuary.")
        if mark is not None:
            return mark
    for prefix in ("gen_ai.prompt.", "langfuse.observation.prompt."):
        if (own_name := first_text(attributes, prefix + "name")) is not None:
            return PromptMark(own_name, first_text(attributes, prefix + "version"))
    if (key := first_text(attributes, "traceloop.prompt.key")) is not None:
        version = first_text(attributes, "traceloop.prompt.version")
        return PromptMark(key, version, label=first_text(attributes, "traceloop.prompt.version_name"))
    return _of_linked_prompts(attributes["mlflow.linkedPrompts"]) if "mlflow.linkedPrompts" in attributes else None


def complete_mark(mark: PromptMark, outer: PromptMark) -> PromptMark:
    """Return a mark with what a span around it knows of the same prompt, where the mark itself has the name alone."""
    if mark.name != outer.name or mark.version is not None or mark.digest is not None:
        return mark
    return outer


def read_variables(attributes: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the values that a prompt was rendered with; None where they are unknown."""
    values: dict[str, Any] = {}
    for name in [name for name in attributes if name.startswith(VARIABLE_PREFIXES)]:
        value = attributes[name]
        for prefix in VARIABLE_PREFIXES:
            name = name.removeprefix(prefix)
        values[clean(name)] = clean(value) if isinstance(value, str) else value
    if not values and "llm.prompt_template.variables" in attributes:
        values = dict(parse_object(attributes["llm.prompt_template.variables"]))
    return values if values and len(values) <= VARIABLES_LIMIT else None


def _of_metadata(attributes: Mapping[str, Any], prefix: str) -> PromptMark | None:
    name = first_text(attributes, prefix + "name")
    if name is None:
        return None
    return PromptMark(
        name,
        version=first_text(attributes, prefix + "version"),
        label=first_text(attributes, prefix + "label"),
        variant=first_text(attributes, prefix + "variant"),
        digest=first_text(attributes, prefix + "digest"),
    )


def _of_linked_prompts(value: Any) -> PromptMark | None:
    """Return MLflow's linked prompt, which is JSON in JSON; None for several names, since any of them may be the call's."""
    linked = parse_or_none(unquoted(value))
    prompts = [item for item in linked if isinstance(item, dict)] if isinstance(linked, list) else []
    names = {short_text(item.get("name")) for item in prompts}
    name = names.pop() if len(names) == 1 else None
    return PromptMark(name, short_text(prompts[-1].get("version"))) if name is not None else None
