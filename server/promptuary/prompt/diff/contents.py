"""What changed between two contents, part by part, and which changes break a program that works with the old one.

Two kinds of programs hold on to a version. One calls it: it renders with the values that the old version took. One reads what
comes of it: the messages or the text, the model's answer, the calls of tools. A change is breaking when such a program, left as
it is, may fail:

================ ===================================================== =====================================================
part             breaking                                              not breaking
================ ===================================================== =====================================================
type             text to chat, chat to text                            —
template         a name that was a variable becomes a placeholder,     texts, roles, messages; a placeholder of a new name
                 whose items must be messages                          is a variable, and judged as one
format           to `jinja2`, which not every installation renders     between mustache and f-string
variables        one is new and must be given; one is gone (a render   one is new and may be left out; a wider type, more of
                 refuses values that it does not know); one takes      an enum, looser bounds; optional; a default, another
                 fewer values; one must be given that need not be      default; `description`, `sensitive`
model            it is taken away: programs take its name from there   another model, other settings
response_format  free text to JSON and back; a field is taken away,    more fields, tighter values, descriptions
                 may be missing, or may have values it could not have
tools            one is taken away, or is new (the model may call      descriptions, tighter arguments
                 it); an argument is new, gone, may be missing, or may
                 have values it could not have
partials         — (what they use are variables)                       all
context          it is new or fills another name (a program that       another collection, query, number of passages, turns
                 renders by itself must give the passages), or it is
                 taken away (the answer has no passages)
================ ===================================================== =====================================================

Variables are those of `prepare`: what a template uses is one, declared or not. The rule that makes this worth having: where no
change is breaking, the new version renders with all values with which the old one did. What is in doubt is told as breaking.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Literal

from promptuary.prompt.content import Content, Message, Placeholder
from promptuary.prompt.diff.output_contract import response_losses, tool_losses, tools_by_name
from promptuary.prompt.diff.schemas import json_equal
from promptuary.prompt.diff.sequences import EFFORT_LIMIT, edits, unified_diff
from promptuary.prompt.diff.variables import is_mandatory, narrowings
from promptuary.prompt.digest import content_json
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.variables import Variable

ChangeKind = Literal["added", "removed", "changed"]
MessageOrPlaceholder = Message | Placeholder
ABSENT: Any = object()


@dataclass(frozen=True)
class ContentChange:
    """One difference. `before` is null for what is added, `after` for what is removed.

    `path` is where it stands in the content, dotted; a message has its place in the new template, or in the old one where it is
    removed; a tool has its function's name. `diff` is a unified line diff where two texts are compared.
    """

    part: str
    path: str
    kind: ChangeKind
    before: Any
    after: Any
    diff: str | None = None
    why: str | None = None

    @property
    def breaking(self) -> bool:
        """Whether a program that works with the old version may fail."""
        return self.why is not None


@dataclass(frozen=True)
class ContentDiff:
    """Every change, in the order of the content's parts."""

    changes: tuple[ContentChange, ...]

    @property
    def breaking(self) -> bool:
        """Whether any change is breaking."""
        return any(change.breaking for change in self.changes)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Give the sentence of each breaking change, once."""
        return tuple(dict.fromkeys(change.why for change in self.changes if change.why is not None))


def compare_contents(before: Content, after: Content, *, jinja2: bool = False) -> ContentDiff:
    """Compare two contents; equal digests, and only those, give no change.

    Args:
        before: the version that programs work with.
        after: the version that they are to work with.
        jinja2: whether the format `jinja2` is taken here.

    Raises:
        InvalidPrompt: for a content that could not be registered here.
    """
    old, new = prepare(before, jinja2=jinja2), prepare(after, jinja2=jinja2)
    old_body, new_body = content_json(before), content_json(after)
    effort = EFFORT_LIMIT // (len(after.texts()) + len(after.partials) + 1)

    def walked(part: str, whys: Mapping[str, str]) -> Iterator[ContentChange]:
        one, other = (ABSENT if body[part] is None else body[part] for body in (old_body, new_body))
        return _walk(part, part, one, other, whys)

    return ContentDiff(
        (
            *_type(before, after),
            *_template(old, new, effort),
            *walked("format", _format_whys(before, after)),
            *_variables(old, new),
            *walked("model", _model_whys(before, after)),
            *walked("response_format", response_losses(before.response_format, after.response_format)),
            *_tools(before, after),
            *_partials(before, after, effort),
            *walked("context", _context_whys(before, after)),
        )
    )


# --- the parts ----------------------------------------------------------------------------------------------------------


def _type(before: Content, after: Content) -> Iterator[ContentChange]:
    if before.type != after.type:
        gives = "messages instead of a text" if after.type == "chat" else "a text instead of messages"
        yield ContentChange("type", "type", "changed", before.type, after.type, why=f"a render gives {gives}")


def _template(old: PreparedPrompt, new: PreparedPrompt, effort: int) -> Iterator[ContentChange]:
    before, after = old.content.template, new.content.template
    if isinstance(before, str) and isinstance(after, str):
        if before != after:
            yield ContentChange("template", "template", "changed", before, after, unified_diff(before, after, effort))
    elif isinstance(before, str) or isinstance(after, str):
        yield ContentChange("template", "template", "changed", _dumped(before), _dumped(after))
    else:
        narrowed = (old.variables.keys() - old.content.placeholders()) & new.variables.keys()
        for place, new_place in _pairs(before, after):
            one = None if place is None else before[place]
            other = None if new_place is None else after[new_place]
            yield from _message(f"template.{place if new_place is None else new_place}", one, other, narrowed, effort)


def _pairs(
    before: Sequence[MessageOrPlaceholder], after: Sequence[MessageOrPlaceholder]
) -> Iterator[tuple[int | None, int | None]]:
    """Pair the messages that are not the same, by their place before and after; one without a partner was removed or added."""
    for edit in edits([(one.role, _body(one)) for one in before], [(one.role, _body(one)) for one in after]):
        free, paired, last = list(range(edit.start, edit.end)), {}, edit.start - 1
        for new_place in range(edit.new_start, edit.new_end):
            like = (place for place in free if place > last and before[place].role == after[new_place].role)
            if (place := next(like, None)) is not None:
                paired[new_place] = last = place
        free = [place for place in free if place not in paired.values()]
        for new_place in range(edit.new_start, edit.new_end):
            like = (place for place in free if _body(before[place]) == _body(after[new_place]))
            if new_place not in paired and (place := next(like, None)) is not None:
                paired[new_place] = place
                free.remove(place)
        for new_place in range(edit.new_start, edit.new_end):
            while free and new_place in paired and free[0] < paired[new_place]:
                yield free.pop(0), None
            yield paired.get(new_place), new_place
        yield from ((place, None) for place in free)


def _message(
    path: str, old: MessageOrPlaceholder | None, new: MessageOrPlaceholder | None, narrowed: Set[str], effort: int
) -> Iterator[ContentChange]:
    why = None
    if isinstance(new, Placeholder) and new.name in narrowed:
        why = f"the variable '{new.name}' is a placeholder now and takes only a list of messages"
    if old is None or new is None:
        kind: ChangeKind = "added" if old is None else "removed"
        yield ContentChange("template", path, kind, _dumped(old), _dumped(new), why=why)
        return
    if old.role != new.role:
        yield ContentChange("template", f"{path}.role", "changed", old.role, new.role)
    before, after = _body(old), _body(new)
    if before != after:
        name = "name" if isinstance(new, Placeholder) else "content"
        diff = None if isinstance(new, Placeholder) else unified_diff(before, after, effort)
        yield ContentChange("template", f"{path}.{name}", "changed", before, after, diff, why)


def _variables(old: PreparedPrompt, new: PreparedPrompt) -> Iterator[ContentChange]:
    for name in dict.fromkeys([*old.variables, *new.variables]):
        path, whys = f"variables.{name}", {}
        before, after = old.variables.get(name), new.variables.get(name)
        if before is not None and after is not None:
            whys = {f"{path}.{word}": why for word, why in narrowings(name, before, after).items()}
        elif after is not None and is_mandatory(after):
            whys = {path: f"the variable '{name}' is new and must be given"}
        elif after is None:
            whys = {path: f"the variable '{name}' is gone, and a render that gives it is refused"}
        one = _variable(before, name in old.content.variables)
        yield from _walk("variables", path, one, _variable(after, name in new.content.variables), whys)


def _variable(variable: Variable | None, declared: bool) -> Any:
    """Give a variable as JSON, with whether the content declares it or only uses it."""
    if variable is None:
        return ABSENT
    said = variable.model_dump(mode="json", exclude_none=True)
    return {"declared": declared, **{word: value for word, value in said.items() if word != "sensitive" or value}}


def _tools(before: Content, after: Content) -> Iterator[ContentChange]:
    old, new = tools_by_name(before.tools), tools_by_name(after.tools)
    found = list(_walk("tools", "tools", old, new, tool_losses(before.tools, after.tools)))
    if not found and not json_equal(before.tools, after.tools):  # another order, or none and an empty list
        found = [ContentChange("tools", "tools", "changed", list(old), list(new))]
    yield from found


def _partials(before: Content, after: Content, effort: int) -> Iterator[ContentChange]:
    for change in _walk("partials", "partials", before.partials, after.partials, {}):
        both = change.kind == "changed"
        yield replace(change, diff=unified_diff(change.before, change.after, effort)) if both else change


def _format_whys(before: Content, after: Content) -> dict[str, str]:
    if after.format == "jinja2" and before.format != "jinja2":
        return {"format": "only an installation with jinja2 renders it"}
    return {}


def _model_whys(before: Content, after: Content) -> dict[str, str]:
    if before.model and not after.model:
        return {"model": "the prompt no longer names a model, and a program that takes it from there finds none"}
    return {}


def _context_whys(before: Content, after: Content) -> dict[str, str]:
    old, new = before.context, after.context
    if new is None:
        return {} if old is None else {"context": "a render no longer retrieves passages, and its answer has none"}
    gives = f"a program that renders by itself must give passages as '{new.into}'"
    if old is None:
        return {"context": f"the prompt has a context now: {gives}"}
    return {} if old.into == new.into else {"context.into": f"the context fills another name: {gives}"}


# --- JSON ---------------------------------------------------------------------------------------------------------------


def _walk(part: str, path: str, before: Any, after: Any, whys: Mapping[str, str]) -> Iterator[ContentChange]:
    """List the differences of two JSON values: as deep as objects go, but no deeper than what has a reason."""
    if isinstance(before, dict) and isinstance(after, dict) and path not in whys:
        for name in dict.fromkeys([*before, *after]):
            yield from _walk(part, f"{path}.{name}", before.get(name, ABSENT), after.get(name, ABSENT), whys)
    elif before is ABSENT:
        if after is not ABSENT:
            yield ContentChange(part, path, "added", None, after, why=whys.get(path))
    elif after is ABSENT:
        yield ContentChange(part, path, "removed", before, None, why=whys.get(path))
    elif not json_equal(before, after):
        yield ContentChange(part, path, "changed", before, after, why=whys.get(path))


def _body(message: MessageOrPlaceholder) -> str:
    return message.content if isinstance(message, Message) else message.name


def _dumped(template: str | Sequence[MessageOrPlaceholder] | MessageOrPlaceholder | None) -> Any:
    if template is None or isinstance(template, str):
        return template
    return template.model_dump() if isinstance(template, Message | Placeholder) else [one.model_dump() for one in template]
