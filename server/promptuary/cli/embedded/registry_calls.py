"""Direct calls of the registry: each is one of the routes in `promptuary.registry.routes`, without HTTP."""

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.cli.embedded.direct_call import DirectCall, Request, Work, to_json
from promptuary.core.preconditions import UNCONDITIONAL
from promptuary.core.wire import PageOf
from promptuary.registry.labels import Labels
from promptuary.registry.lookup_response import build_response
from promptuary.registry.schemas import (
    Archive,
    DependentOut,
    Dependents,
    ErasedVersionOut,
    LabelOut,
    MoveLabel,
    MoveOut,
    NewTags,
    NewVersion,
    PreviewOut,
    PromptOut,
    RegisteredOut,
    Renew,
    RollBack,
    TagsOut,
    VersionOut,
)
from promptuary.registry.service import RegistrationDetails, Registry
from promptuary.registry.similarity import same_content_warnings
from promptuary.registry.store import PromptFilter
from promptuary.registry.tags import Tags


def _look_up(request: Request) -> Work:
    name = request.name()
    label, version = request.query_text("label"), request.query_number("version")
    targeting_key = request.query_text("targeting_key")

    def work(unit: UnitOfWork) -> str:
        result = Registry(unit).lookup(name, label=label, version=version, targeting_key=targeting_key)
        return build_response(result).body.decode()

    return work


def _list_prompts(request: Request) -> Work:
    conditions = PromptFilter(archived=request.query_flag("archived"), search=request.query_text("search"))
    return lambda unit: to_json(PageOf[PromptOut].model_validate(Registry(unit).prompts(*request.page(unit), conditions)))


def _list_versions(request: Request) -> Work:
    name = request.name()

    def work(unit: UnitOfWork) -> str:
        versions = Registry(unit).versions(name, *request.page(unit))
        items = [
            VersionOut.of(version) if version.erased_at is None else ErasedVersionOut.of(version, version.erased_at)
            for version in versions.items
        ]
        return to_json(PageOf[VersionOut | ErasedVersionOut](items=items, next_cursor=versions.next_cursor))

    return work


def _read_version(request: Request) -> Work:
    name, number = request.name(), request.number()
    return lambda unit: to_json(VersionOut.of(Registry(unit).version(name, number)))


def _preview(request: Request) -> Work:
    name, body = request.name(), request.parse(NewVersion)
    return lambda unit: to_json(PreviewOut.of(name, Registry(unit).preview(name, body.content())))


def _list_dependents(request: Request) -> Work:
    name = request.name()
    return lambda unit: to_json(
        Dependents(dependents=[DependentOut.of(update) for update in Registry(unit).include_updates(name)])
    )


def _list_label_history(request: Request) -> Work:
    name, label = request.name(), request.name(1)
    return lambda unit: to_json(PageOf[MoveOut].model_validate(Labels(unit).history(name, label, *request.page(unit))))


def _register(request: Request) -> Work:
    name, body = request.name(), request.parse(NewVersion)

    def work(unit: UnitOfWork) -> str:
        details = RegistrationDetails(body.message, body.sent_tags(), tuple(body.labels), body.given_name)
        registration = Registry(unit).create(name, body.content(), details)
        warnings = same_content_warnings(unit, registration.version)
        return to_json(RegisteredOut.with_warnings(registration.version, warnings))

    return work


def _set_version_tags(request: Request) -> Work:
    name, number, body = request.name(), request.number(), request.parse(NewTags)
    return lambda unit: to_json(TagsOut(tags=list(Tags(unit).replace_version_tags(name, number, body.tags))))


def _move_label(request: Request) -> Work:
    name, label, body = request.name(), request.name(1), request.parse(MoveLabel)

    def work(unit: UnitOfWork) -> str:
        labels = Labels(unit)
        if body.version is not None:
            moved = labels.move(name, label, body.version, body.reason, UNCONDITIONAL)
        else:
            weights = [(arm.version, arm.weight) for arm in body.split or ()]
            moved = labels.split(name, label, weights, body.reason, UNCONDITIONAL)
        return to_json(LabelOut.model_validate(moved))

    return work


def _remove_label(request: Request) -> Work:
    name, label = request.name(), request.name(1)
    return lambda unit: Labels(unit).remove(name, label, "removed", UNCONDITIONAL)


def _roll_back(request: Request) -> Work:
    name, label, body = request.name(), request.name(1), request.parse(RollBack)
    return lambda unit: to_json(
        LabelOut.model_validate(Labels(unit).roll_back(name, label, body.reason, body.to, UNCONDITIONAL))
    )


def _archive(request: Request) -> Work:
    name, body = request.name(), request.parse(Archive)
    return lambda unit: to_json(PromptOut.model_validate(Registry(unit).archive(name, body.reason)))


def _restore(request: Request) -> Work:
    name, body = request.name(), request.parse(Archive)
    return lambda unit: to_json(PromptOut.model_validate(Registry(unit).restore(name, body.reason)))


def _renew(request: Request) -> Work:
    name, body = request.name(), request.parse(Renew)
    return lambda unit: to_json(VersionOut.of(Registry(unit).renew(name, body.message).version))


LOOK_UP = DirectCall(_look_up, query=("label", "version", "targeting_key"))
LIST_PROMPTS = DirectCall(_list_prompts, query=("search", "archived", "limit", "cursor"))
LIST_VERSIONS = DirectCall(_list_versions, query=("limit", "cursor"))
READ_VERSION = DirectCall(_read_version)
PREVIEW = DirectCall(_preview)
LIST_DEPENDENTS = DirectCall(_list_dependents)
LIST_LABEL_HISTORY = DirectCall(_list_label_history, query=("limit", "cursor"))
REGISTER = DirectCall(_register, writes=True)
SET_VERSION_TAGS = DirectCall(_set_version_tags, writes=True)
MOVE_LABEL = DirectCall(_move_label, writes=True)
REMOVE_LABEL = DirectCall(_remove_label, writes=True)  # a reason is a free text, which the app checks
ROLL_BACK = DirectCall(_roll_back, writes=True)
ARCHIVE = DirectCall(_archive, writes=True)
RESTORE = DirectCall(_restore, writes=True)
RENEW = DirectCall(_renew, writes=True)
