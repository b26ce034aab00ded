"""The routes of MLflow's prompt API."""

from typing import Annotated

from fastapi import APIRouter, Query

from promptuary.access.auth.authentication import KeyPlace
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.compat.error_format import MLFLOW
from promptuary.compat.mlflow.schemas import (
    AliasRemoval,
    EmptyResponse,
    ModelAlias,
    ModelList,
    ModelRemoval,
    ModelResponse,
    ModelTag,
    ModelVersion,
    ModelVersionList,
    ModelVersionResponse,
    NewModel,
    NewModelVersion,
    RegisteredModel,
    TagRemoval,
    VersionTag,
    VersionTagRemoval,
    pending_model,
    version_number,
)
from promptuary.compat.mlflow.search_filter import parse_filter
from promptuary.compat.mlflow.tags import EXPERIMENTS, IS_PROMPT, SDK, free_tags, is_reserved
from promptuary.compat.names import changeable_name, known_name, new_name
from promptuary.compat.sdk_rendering import require_sdk_renderable
from promptuary.core.errors import AlreadyExists, FieldError, InvalidRequest, NotFound
from promptuary.core.parameters import STRICT_INTEGER
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.name import fold_label
from promptuary.registry.given_names import resolve_name
from promptuary.registry.labels import Labels, require_prompt
from promptuary.registry.service import RegistrationDetails, Registry
from promptuary.registry.store import PromptFilter, PromptRecord
from promptuary.registry.tags import TAG_LENGTH, Tags, tag_text

router = APIRouter(prefix=MLFLOW, tags=["mlflow"], route_class=IdempotentRoute)

Read = Annotated[UnitOfWork, authorize(Scope.PROMPT_LOOKUP, key_place=KeyPlace.BASIC)]
ReadHistory = Annotated[UnitOfWork, authorize(Scope.PROMPT_READ, key_place=KeyPlace.BASIC)]
TagByReader = Annotated[UnitOfWork, authorize(Scope.PROMPT_LOOKUP, key_place=KeyPlace.BASIC)]
CheckByPost = Annotated[UnitOfWork, authorize(Scope.PROMPT_WRITE, reads=True, key_place=KeyPlace.BASIC)]
Write = Annotated[UnitOfWork, authorize(Scope.PROMPT_WRITE, key_place=KeyPlace.BASIC)]
Move = Annotated[UnitOfWork, authorize(Scope.LABEL_MOVE, key_place=KeyPlace.BASIC)]
Name = Annotated[str, Query(max_length=250)]
Text = Annotated[str, Query(max_length=2000)]
Results = Annotated[int, Query(ge=1, le=100_000), STRICT_INTEGER]
Token = Annotated[str | None, Query(max_length=1000)]
_REASON = "by an MLflow client"
_ORDERS = {"", "name", "name asc"}
_VERSION_ORDERS = {"", "version_number desc"}


@router.get("/registered-models/get")
def read_model(name: Name, unit: Read) -> ModelResponse:
    """Return a prompt."""
    prompt = require_prompt(unit, known_name(unit, name))
    return ModelResponse(registered_model=_model(Registry(unit), prompt, name))


@router.post("/registered-models/create")
def create_model(body: NewModel, unit: CheckByPost) -> ModelResponse:
    """Check that a prompt can be created. It is created with its first version, which MLflow's SDK registers next."""
    name = new_name(unit, body.name)
    if not any(tag.key == IS_PROMPT and tag.value == "true" for tag in body.tags):
        raise InvalidRequest("the model cannot be registered: this registry has only prompts")
    if _exists(unit, name):
        raise AlreadyExists(f"there is a prompt '{body.name}' already")
    return ModelResponse(registered_model=pending_model(body, unit.clock()))


@router.get("/registered-models/search")
def search_models(
    unit: Read,
    conditions: Annotated[Text, Query(alias="filter")] = "",
    max_results: Results = 100,
    order_by: Annotated[list[str] | None, Query()] = None,
    page_token: Token = None,
) -> ModelList:
    """List prompts by name. A page may have fewer items than requested, and still have a next page."""
    _check_order(order_by, _ORDERS)
    search_filter, registry = parse_filter(conditions), Registry(unit)
    search = None if search_filter.name is None else resolve_name(unit, search_filter.name)
    prompts = registry.prompts(min(max_results, unit.settings.page_limit), page_token or None, PromptFilter(search))
    models = [
        _model(registry, prompt, search_filter.name if search == prompt.name else prompt.given_name) for prompt in prompts.items
    ]
    return ModelList(
        registered_models=[
            model for model in models if search_filter.matches(model.name, {tag.key: tag.value for tag in model.tags})
        ],
        next_page_token=prompts.next_cursor or "",
    )


@router.post("/registered-models/set-tag")
def tag_model(body: ModelTag, unit: TagByReader) -> EmptyResponse:
    """Set a tag of a prompt.

    The SDK's note about the experiment that loaded a prompt is accepted from a reader, too, and then not stored.
    """
    name = changeable_name(unit, body.name)
    if body.key == EXPERIMENTS and not (unit.caller.has(Scope.PROMPT_WRITE) and _fits(body)):
        require_prompt(unit, name)
        return EmptyResponse()
    unit.caller.require(Scope.PROMPT_WRITE)
    if is_reserved(body.key) and body.key != EXPERIMENTS:
        raise InvalidRequest("the tag cannot be set", [FieldError("key", "is a part of MLflow's own protocol")])
    Tags(unit).set_prompt_tag(name, body.key, body.value)
    return EmptyResponse()


@router.get("/registered-models/alias")
def read_alias(name: Name, alias: Name, unit: Read) -> ModelVersionResponse:
    """Return the version that an alias (a label, or `latest`) points at."""
    try:
        result = Registry(unit).lookup(known_name(unit, name), label=fold_label(alias))
    except NotFound as error:  # with the message of MLflow's own server, which programs match
        raise NotFound(f"Prompt alias {alias} not found. {error.message}") from None
    return ModelVersionResponse(model_version=ModelVersion.of(result.version, name))


@router.post("/registered-models/alias")
def set_alias(body: ModelAlias, unit: Move) -> EmptyResponse:
    """Move an alias to a version."""
    Labels(unit).move(changeable_name(unit, body.name), body.alias, version_number(body.version), _REASON)
    return EmptyResponse()


@router.get("/model-versions/get")
def read_version(name: Name, version: Name, unit: Read) -> ModelVersionResponse:
    """Return a version that MLflow's SDK can format."""
    selected = Registry(unit).version(known_name(unit, name), version_number(version))
    return ModelVersionResponse(model_version=ModelVersion.of(selected, name))


@router.post("/model-versions/create")
def create_version(body: NewModelVersion, unit: Write) -> ModelVersionResponse:
    """Register a version. The tags of a prompt's first version are the prompt's tags, too, as the SDK means them."""
    name = new_name(unit, body.name)
    content, tags = body.content_and_tags()
    details = RegistrationDetails(
        body.description,
        tags,
        given_name=body.name,
        each_is_new=True,
        prompt_tags=None if _exists(unit, name) else tags,
    )
    version = Registry(unit).create(name, content, details).version
    require_sdk_renderable(content_from_json(version.content), SDK)  # with its partials
    return ModelVersionResponse(model_version=ModelVersion.of(version, body.name))


@router.get("/model-versions/search")
def search_versions(
    unit: ReadHistory,
    conditions: Annotated[Text, Query(alias="filter")] = "",
    max_results: Results = 100,
    order_by: Annotated[list[str] | None, Query()] = None,
    page_token: Token = None,
) -> ModelVersionList:
    """List the versions of one prompt, the newest first."""
    _check_order(order_by, _VERSION_ORDERS)
    search_filter = parse_filter(conditions)
    if search_filter.name is None:
        raise InvalidRequest("the search is not possible", [FieldError("filter", "must name the prompt: name = '…'")])
    name = search_filter.name
    versions = Registry(unit).versions(known_name(unit, name), min(max_results, unit.settings.page_limit), page_token or None)
    return ModelVersionList(
        model_versions=[
            ModelVersion.listed(version, name)
            for version in versions.items
            if version.erased_at is None and search_filter.matches(name, {IS_PROMPT: "true", **free_tags(version)})
        ],
        next_page_token=versions.next_cursor or "",
    )


@router.post("/model-versions/set-tag")
def tag_version(body: VersionTag, unit: Write) -> EmptyResponse:
    """Set a tag of a version. A tag that is a part of its content is accepted as it is, and otherwise refused."""
    name, number = changeable_name(unit, body.name), version_number(body.version)
    if is_reserved(body.key):
        version = Registry(unit).version(name, number)
        tags = {tag.key: tag.value for tag in ModelVersion.listed(version, body.name).tags}
        if tags.get(body.key) != body.value:
            raise InvalidRequest(f"a version's content never changes; register another one with the tag '{body.key}'")
        return EmptyResponse()
    Tags(unit).set_version_tag(name, number, body.key, body.value)
    return EmptyResponse()


@router.delete("/registered-models/alias")
def remove_alias(body: AliasRemoval, unit: Move) -> EmptyResponse:
    """Remove an alias, which is a label."""
    Labels(unit).remove(changeable_name(unit, body.name), fold_label(body.alias), _REASON)
    return EmptyResponse()


@router.delete("/registered-models/delete-tag")
def remove_tag(body: TagRemoval, unit: Write) -> EmptyResponse:
    """Remove a tag of a prompt; without such a tag, nothing changes."""
    Tags(unit).remove_prompt_tag(changeable_name(unit, body.name), body.key)
    return EmptyResponse()


@router.delete("/model-versions/delete-tag")
def remove_version_tag(body: VersionTagRemoval, unit: Write) -> EmptyResponse:
    """Remove a tag of a version, unless it is a part of its content; without such a tag, nothing changes."""
    if is_reserved(body.key):
        raise InvalidRequest("a version's content never changes; register another one without the tag")
    Tags(unit).remove_version_tag(changeable_name(unit, body.name), version_number(body.version), body.key)
    return EmptyResponse()


@router.delete("/model-versions/delete")
def remove_version(body: ModelRemoval, unit: Write) -> EmptyResponse:
    """Refuse the request: nothing is deleted."""
    require_prompt(unit, known_name(unit, body.name))
    raise InvalidRequest("a version is never deleted; move the labels away from it")


@router.delete("/registered-models/delete")
def remove_model(body: ModelRemoval, unit: Write) -> EmptyResponse:
    """Refuse the request unless there is no such prompt: MLflow's SDK cleans up after a failed first version this way."""
    if _exists(unit, known_name(unit, body.name)):
        raise InvalidRequest("nothing is deleted; archive the prompt with POST /v1/prompts/{name}/archive")
    return EmptyResponse()


def _fits(tag: ModelTag) -> bool:
    return len(tag_text(tag.key, tag.value)) <= TAG_LENGTH


def _model(registry: Registry, prompt: PromptRecord, name: str | None) -> RegisteredModel:
    """Return a prompt under the name that was requested; under its own in a list."""
    first = registry.stored_version(prompt.name, 1)
    newest = first if prompt.newest == 1 else registry.stored_version(prompt.name, prompt.newest)
    return RegisteredModel.of(prompt, name or prompt.name, first, newest)


def _exists(unit: UnitOfWork, name: str) -> bool:
    try:
        require_prompt(unit, name)
    except NotFound:
        return False
    return True


def _check_order(orders: list[str] | None, known: set[str]) -> None:
    if any(" ".join(order.lower().split()) not in known for order in orders or ()):
        raise InvalidRequest("the search is not possible", [FieldError("order_by", "is not supported; leave it out")])
