"""Collections, documents, queries and rendering over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as InQuery
from starlette.requests import Request

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize, authorize_caller
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.context.ingestion import DocumentIngestion, NewDocument
from promptuary.context.rendering import ContextRenderer
from promptuary.context.schemas import (
    CollectionOut,
    CollectionSummaryOut,
    DocumentOut,
    IndexProgressOut,
    IngestionResultOut,
    NewDocuments,
    PassageOut,
    Passages,
    PromptMatchesOut,
    PutCollection,
    Query,
    Reindex,
    Render,
    RenderedOut,
)
from promptuary.context.service import Collections
from promptuary.core.wire import PageOf
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.templates.preparation import prepare
from promptuary.registry.service import Registry

router = APIRouter(tags=["context"], route_class=IdempotentRoute)
Sought = Annotated[str, InQuery(min_length=1, max_length=2000, pattern=r"\S")]
LabelQuery = Annotated[str | None, InQuery(max_length=200)]
NumberQuery = Annotated[int | None, InQuery(ge=1, le=2**31 - 1)]
LeastScore = Annotated[float | None, InQuery(ge=-1, le=1)]


@router.put("/collections/{name}")
def put_collection(
    name: PathName, body: PutCollection, unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_WRITE)]
) -> CollectionSummaryOut:
    """Make a collection, or change its description."""
    return CollectionSummaryOut.of(
        Collections(unit).put_collection(name, body.description, body.chunk_size, body.chunk_overlap)
    )


@router.get("/collections")
def list_collections(
    unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[CollectionOut]:
    """List the project's collections by name."""
    found = Collections(unit).collections(min(limit, unit.settings.page_limit), cursor)
    return PageOf[CollectionOut].model_validate(found)


@router.get("/collections/{name}")
def read_collection(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_READ)]) -> CollectionSummaryOut:
    """Give a collection and how much it holds."""
    return CollectionSummaryOut.of(Collections(unit).collection(name))


@router.get("/collections/{name}/documents")
def list_documents(
    name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[DocumentOut]:
    """List a collection's documents by key."""
    found = Collections(unit).documents(name, min(limit, unit.settings.page_limit), cursor)
    shown = [
        DocumentOut(
            id=document.key,
            title=document.title,
            digest=document.digest,
            metadata=dict(document.metadata),
            created_at=document.created_at,
        )
        for document in found.items
    ]
    return PageOf[DocumentOut](items=shown, next_cursor=found.next_cursor)


@router.post("/collections/{name}/documents", status_code=201)
def add_documents(
    name: PathName, body: NewDocuments, request: Request, caller: Annotated[Caller, authorize_caller(Scope.CONTEXT_WRITE)]
) -> IngestionResultOut:
    """Take documents in: cut, embedded, stored. The same document again changes nothing."""
    state = request.app.state
    documents = [NewDocument(new.id, new.text, new.title, new.metadata) for new in body.documents]
    intake = DocumentIngestion(state.database, state.clock, state.settings, state.retrieval)
    return IngestionResultOut.model_validate(intake.add(caller, name, documents))


@router.delete("/collections/{name}/documents/{id:path}", status_code=204)
def delete_document(name: PathName, id: str, unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_WRITE)]) -> None:  # noqa: A002
    """Take a document out of a collection."""
    Collections(unit).delete_document(name, id)


@router.post("/collections/{name}/query")
def query(
    name: PathName, body: Query, request: Request, caller: Annotated[Caller, authorize_caller(Scope.CONTEXT_READ)]
) -> Passages:
    """Find the passages nearest to a text."""
    found = request.app.state.retrieval.query(caller.project, name, body.query, body.k, body.min_score, body.where)
    return Passages(passages=[PassageOut.model_validate(passage) for passage in found])


@router.post("/collections/{name}/reindex")
def reindex(
    name: PathName, request: Request, caller: Annotated[Caller, authorize_caller(Scope.CONTEXT_WRITE)]
) -> dict[str, int]:
    """Make the collection's index anew from SQL."""
    return {"chunks": request.app.state.retrieval.reindex(caller.project, name)}


@router.post("/prompts/{name}/render")
def render(
    name: PathName, body: Render, request: Request, caller: Annotated[Caller, authorize_caller(Scope.PROMPT_RENDER)]
) -> RenderedOut:
    """Render a version with the given variables and the passages that its context asks for."""
    state = request.app.state
    with state.database.read() as session:
        unit = UnitOfWork(session, caller, state.clock, state.settings)
        found = Registry(unit).lookup(name, label=body.label, version=body.version, targeting_key=body.targeting_key)
    version = found.version
    prepared = prepare(content_from_json(version.content), jinja2=state.settings.jinja2)
    rendered = ContextRenderer(state.retrieval, state.settings).render(caller.project, prepared, body.variables, body.query)
    return RenderedOut(
        name=name,
        version=version.number,
        digest=version.digest,
        variant=found.variant,
        text=rendered.text,
        messages=[dict(message) for message in rendered.messages] if rendered.messages is not None else None,
        model=version.content["model"],
        **RenderedOut.passages_out(rendered.passages),
    )


@router.get("/search")
def search(
    q: Sought,
    request: Request,
    caller: Annotated[Caller, authorize_caller(Scope.PROMPT_READ)],
    limit: Limit = 10,
    min_score: LeastScore = None,
) -> PromptMatchesOut:
    """Find prompts by what they are for, the nearest first; `behind` tells how many are not in the index yet."""
    state = request.app.state
    return PromptMatchesOut.of(state.prompt_search.search(caller.project, q, min(limit, state.settings.page_limit), min_score))


@router.post("/search/reindex")
def reindex_prompts(
    body: Reindex, request: Request, caller: Annotated[Caller, authorize_caller(Scope.CONTEXT_WRITE)]
) -> IndexProgressOut:
    """Bring the index of prompts in step, some hundreds at a time: call again while `behind` is not 0."""
    return IndexProgressOut.model_validate(request.app.state.prompt_vectors.reindex(caller.project, anew=body.anew))


@router.get("/prompts/{name}/similar")
def similar(
    name: PathName,
    request: Request,
    caller: Annotated[Caller, authorize_caller(Scope.PROMPT_READ)],
    label: LabelQuery = None,
    version: NumberQuery = None,
    limit: Limit = 10,
    min_score: LeastScore = None,
) -> PromptMatchesOut:
    """Find other prompts that say nearly what a version of this one says: by label, by number, or its newest."""
    state = request.app.state
    most = min(limit, state.settings.page_limit)
    return PromptMatchesOut.of(state.prompt_search.similar(caller, name, most, min_score, label=label, version=version))
