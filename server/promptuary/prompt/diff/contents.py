"""What changed between two contents, and which changes break a program that works with the old one.

Two kinds of programs depend on a version. One calls it: it renders with the values that the old version accepted. The other
reads the output: the messages or the text, the model's response, the tool calls. A change is breaking where such a program,
unchanged, may fail:

================ ===================================================== =====================================================
part             breaking                                              not breaking
================ ===================================================== =====================================================
type             text to chat, chat to text                            —
template         a name that was a variable becomes a placeholder,     texts, roles, names, tool calls, messages; a
                 whose items must be messages; a message has parts     placeholder of a new name is a variable and follows
                 or null as its content, where all had texts           the rules of variables
format           to `jinja2`, which not every installation renders     among mustache, simple, f-string
variables        a new mandatory one; a removed one (a render refuses  a new optional one; a wider type, more enum values,
                 unknown values); one that accepts fewer values; an    wider bounds; a mandatory one becomes optional;
                 optional one becomes mandatory; one that is new in    another default; `description`, `sensitive`
                 a section; a path that is new, as `{{a.b}}`
model            removed: programs read its name from the prompt       another model, other settings
config           a member is removed or has a value of another type:   other values, more members, another order
                 programs read it from the prompt
response_format  free text to JSON and back; a field is removed, may   more fields, narrower values, descriptions
                 be missing, or may have values that were impossible   (the order is another version: a model generates in it)
tools            one is removed, or is new (the model may call it);    descriptions, narrower arguments
                 an argument is new, removed, may be missing, or may
                 have values that were impossible
partials         — (the names that they use are variables)             all
context          new, or with another `into` (a program that renders   another collection, query, number of passages, turns
                 by itself must pass the passages), or removed (the
                 response is without passages)
================ ===================================================== =====================================================

Variables are those of `prepare`: every name that a template uses, declared or not. The guarantee: if no change is breaking, the
new version renders with all values with which the old one rendered. A doubtful change counts as breaking.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptuary.prompt.content import Content
from promptuary.prompt.diff.json_changes import ABSENT, ContentChange, JsonComparison, config_breaks, same_bytes
from promptuary.prompt.diff.lookups import TemplateLookup, fallible_lookups
from promptuary.prompt.diff.messages import MessageComparison, MessageOrPlaceholder, message_changes
from promptuary.prompt.diff.output_contract import response_losses, tool_losses, tools_by_name
from promptuary.prompt.diff.sequences import EFFORT_LIMIT, unified_diff
from promptuary.prompt.diff.variables import is_mandatory, narrowings
from promptuary.prompt.digest import ORDERED_PARTS, content_json
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.variables import Variable


@dataclass(frozen=True)
class ContentDiff:
    """All changes, in the order of the content's parts."""

    changes: tuple[ContentChange, ...]

    @property
    def breaking(self) -> bool:
        """Whether any change is breaking."""
        return any(change.breaking for change in self.changes)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The distinct reasons of the breaking changes."""
        return tuple(dict.fromkeys(change.why for change in self.changes if change.why is not None))


def compare_contents(before: Content, after: Content, *, jinja2: bool = False) -> ContentDiff:
    """Compare two contents; the result has no change exactly where their digests are equal.

    Args:
        before: the version that programs use now.
        after: the version that will replace it.
        jinja2: whether the format `jinja2` is enabled.

    Raises:
        InvalidPrompt: a content is not valid, or its format is not enabled.
    """
    old, new = prepare(before, jinja2=jinja2), prepare(after, jinja2=jinja2)
    old_body, new_body = content_json(before), content_json(after)
    effort = EFFORT_LIMIT // (len(after.sources()) + len(after.partials) + 1)

    def json_changes(part: str, reasons: Mapping[str, str]) -> Iterator[ContentChange]:
        old_value, new_value = (ABSENT if body[part] is None else body[part] for body in (old_body, new_body))
        return JsonComparison(part, reasons, ordered=part if part in ORDERED_PARTS else None).changes(
            part, old_value, new_value
        )

    return ContentDiff(
        (
            *_type(before, after),
            *_template(old, new, effort),
            *json_changes("format", _format_breaks(before, after)),
            *_variables(old, new),
            *json_changes("model", _model_breaks(before, after)),
            *json_changes("config", config_breaks(before.config, after.config)),
            *json_changes("response_format", response_losses(before.response_format, after.response_format)),
            *_tools(before, after),
            *_partials(before, after, effort),
            *json_changes("context", _context_breaks(before, after)),
        )
    )


# --- parts of a content -------------------------------------------------------------------------------------------------


def _type(before: Content, after: Content) -> Iterator[ContentChange]:
    if before.type != after.type:
        output = "messages instead of a text" if after.type == "chat" else "a text instead of messages"
        yield ContentChange("type", "type", "changed", before.type, after.type, why=f"a render returns {output}")


def _template(old: PreparedPrompt, new: PreparedPrompt, effort: int) -> Iterator[ContentChange]:
    before, after = old.content.template, new.content.template
    if isinstance(before, str) and isinstance(after, str):
        if before != after:
            yield ContentChange("template", "template", "changed", before, after, unified_diff(before, after, effort))
    elif isinstance(before, str) or isinstance(after, str):
        yield ContentChange("template", "template", "changed", _to_json(before), _to_json(after))
    else:
        narrowed = (old.variables.keys() - old.content.placeholders()) & new.variables.keys()
        yield from message_changes(before, after, MessageComparison(frozenset(narrowed), effort))


def _variables(old: PreparedPrompt, new: PreparedPrompt) -> Iterator[ContentChange]:
    lookups = _new_lookups(old, new)
    for name in dict.fromkeys([*old.variables, *new.variables]):
        path, reasons = f"variables.{name}", {}
        lookup = lookups.pop(name, None)
        before, after = old.variables.get(name), new.variables.get(name)
        if before is not None and after is not None:
            reasons = {f"{path}.{keyword}": reason for keyword, reason in narrowings(name, before, after).items()}
        elif after is not None and is_mandatory(after):
            reasons = {path: f"the variable '{name}' is new and must be given"}
        elif after is None:
            reasons = {path: f"the variable '{name}' is removed, and a render with a value for it is refused"}
        elif lookup is not None:
            reasons = {path: f"the template uses {lookup}, and a render that needs it is refused without a value"}
        old_value = _variable(before, declared=name in old.content.variables)
        new_value = _variable(after, declared=name in new.content.variables)
        yield from JsonComparison("variables", reasons, ordered=f"{path}.default").changes(path, old_value, new_value)
        if lookup is not None and before is not None and after is not None:
            yield ContentChange("variables", path, "changed", old_value, new_value, why=_lookup_reason(lookup))
    yield from (
        ContentChange("template", "template", "changed", None, None, why=_lookup_reason(lookup)) for lookup in lookups.values()
    )


def _new_lookups(old: PreparedPrompt, new: PreparedPrompt) -> dict[str, TemplateLookup]:
    """Return by variable the first lookup that may fail with values with which the old version rendered."""
    always = {name for name, variable in old.variables.items() if is_mandatory(variable)}
    lookups: dict[str, TemplateLookup] = {}
    for lookup in sorted(fallible_lookups(new) - fallible_lookups(old), key=lambda lookup: (lookup.name, lookup.sections)):
        if lookup.name not in always:
            lookups.setdefault(lookup.variable, lookup)
    return lookups


def _lookup_reason(lookup: TemplateLookup) -> str:
    return f"the template now reads {lookup}, which values that were accepted may not have"


def _variable(variable: Variable | None, *, declared: bool) -> Any:
    """Return a variable as JSON, with whether the content declares it or only uses it."""
    if variable is None:
        return ABSENT
    fields = variable.model_dump(exclude_none=True)
    return {"declared": declared, **{key: value for key, value in fields.items() if key != "sensitive" or value}}


def _tools(before: Content, after: Content) -> Iterator[ContentChange]:
    old, new = tools_by_name(before.tools), tools_by_name(after.tools)
    comparison = JsonComparison("tools", tool_losses(before.tools, after.tools), ordered="tools")
    changes = list(comparison.changes("tools", old, new))
    if not changes and not same_bytes(before.tools, after.tools):  # null and an empty list, or two tools of one name
        changes = [ContentChange("tools", "tools", "changed", list(old), list(new))]
    yield from changes


def _partials(before: Content, after: Content, effort: int) -> Iterator[ContentChange]:
    for change in JsonComparison("partials").changes("partials", before.partials, after.partials):
        if change.kind == "changed":
            yield replace(change, diff=unified_diff(change.before, change.after, effort))
        else:
            yield change


def _format_breaks(before: Content, after: Content) -> dict[str, str]:
    if after.format == "jinja2" and before.format != "jinja2":
        return {"format": "only an installation that enables jinja2 renders it"}
    return {}


def _model_breaks(before: Content, after: Content) -> dict[str, str]:
    if before.model and not after.model:
        return {"model": "the prompt no longer names a model, so a program that reads the name from it gets none"}
    return {}


def _context_breaks(before: Content, after: Content) -> dict[str, str]:
    old, new = before.context, after.context
    if new is None:
        return {} if old is None else {"context": "a render no longer retrieves passages and returns none"}
    consequence = f"a program that renders by itself must pass passages as '{new.into}'"
    if old is None:
        return {"context": f"the prompt has a context now: {consequence}"}
    return {} if old.into == new.into else {"context.into": f"the context fills another variable: {consequence}"}


# --- JSON ---------------------------------------------------------------------------------------------------------------


def _to_json(template: str | Sequence[MessageOrPlaceholder]) -> Any:
    return template if isinstance(template, str) else [message.model_dump() for message in template]
