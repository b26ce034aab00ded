"""Collections, documents, queries and rendering over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as QueryParameter
from starlette.requests import Request

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize, authorize_caller
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.context.ingestion import DocumentIngestion, NewDocument
from promptuary.context.rendering import ContextRenderer
from promptuary.context.retrieval import PassageQuery
from promptuary.context.schemas import (
    CollectionOut,
    CollectionSummaryOut,
    DocumentOut,
    IngestionResultOut,
    NewDocuments,
    PassageOut,
    Passages,
    PutCollection,
    Query,
    ReindexedOut,
    Render,
    RenderedOut,
)
from promptuary.context.service import Collections
from promptuary.core.wire import PageOf
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.templates.preparation import prepare
from promptuary.registry.service import Registry

router = APIRouter(prefix="/v1", tags=["context"], route_class=IdempotentRoute)
DocumentId = Annotated[str, QueryParameter(min_length=1, max_length=500)]


@router.put("/collections/{name}")
def put_collection(
    name: PathName, body: PutCollection, unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_WRITE)]
) -> CollectionSummaryOut:
    """Create a collection, or change its description."""
    return CollectionSummaryOut.of(
        Collections(unit).put_collection(name, body.description, body.chunk_size, body.chunk_overlap)
    )


@router.get("/collections")
def list_collections(
    unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[CollectionOut]:
    """List the project's collections, ordered by name."""
    collections = Collections(unit).collections(min(limit, unit.settings.page_limit), cursor)
    return PageOf[CollectionOut].model_validate(collections)


@router.get("/collections/{name}")
def read_collection(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_READ)]) -> CollectionSummaryOut:
    """Return a collection with the numbers of its documents and chunks."""
    return CollectionSummaryOut.of(Collections(unit).collection(name))


@router.get("/collections/{name}/documents")
def list_documents(
    name: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_READ)],
    id: DocumentId | None = None,  # noqa: A002 - the API's own parameter name
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[DocumentOut]:
    """List a collection's documents, ordered by id; with `id`, only that document, whatever characters its id has."""
    collections = Collections(unit)
    if id is not None:
        return PageOf[DocumentOut](items=[DocumentOut.of(collections.document(name, id))])
    documents = collections.documents(name, min(limit, unit.settings.page_limit), cursor)
    items = [DocumentOut.of(document) for document in documents.items]
    return PageOf[DocumentOut](items=items, next_cursor=documents.next_cursor)


@router.post("/collections/{name}/documents", status_code=201)
def add_documents(
    name: PathName, body: NewDocuments, request: Request, caller: Annotated[Caller, authorize_caller(Scope.CONTEXT_WRITE)]
) -> IngestionResultOut:
    """Split, embed and store documents. An unchanged document is left alone."""
    state = request.app.state
    documents = [NewDocument(new.id, new.text, new.title, new.metadata) for new in body.documents]
    ingestion = DocumentIngestion(state.database, state.clock, state.settings, state.retrieval)
    return IngestionResultOut.model_validate(ingestion.add(caller, name, documents))


@router.delete("/collections/{name}/documents", status_code=204)
def delete_document_by_id(
    name: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_WRITE)],
    id: DocumentId,  # noqa: A002 - the API's own parameter name
) -> None:
    """Delete a document from a collection, whatever characters its id has, such as `../x` of an earlier release."""
    Collections(unit).delete_document(name, id)


@router.get("/collections/{name}/documents/{id:path}")
def read_document(name: PathName, id: str, unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_READ)]) -> DocumentOut:  # noqa: A002 - the API's own parameter name
    """Return a document's title, digest and metadata."""
    return DocumentOut.of(Collections(unit).document(name, id))


@router.delete("/collections/{name}/documents/{id:path}", status_code=204)
def delete_document(name: PathName, id: str, unit: Annotated[UnitOfWork, authorize(Scope.CONTEXT_WRITE)]) -> None:  # noqa: A002 - the API's own parameter name
    """Delete a document from a collection."""
    Collections(unit).delete_document(name, id)


@router.post("/collections/{name}/query")
def query(
    name: PathName, body: Query, request: Request, caller: Annotated[Caller, authorize_caller(Scope.CONTEXT_READ)]
) -> Passages:
    """Find the passages nearest to a text."""
    passage_query = PassageQuery(body.query, body.k, body.min_score, body.where)
    matches = request.app.state.retrieval.search(caller.project, name, passage_query)
    return Passages(passages=[PassageOut.model_validate(passage) for passage in matches.passages], searched=matches.searched)


@router.post("/collections/{name}/reindex")
def reindex(name: PathName, request: Request, caller: Annotated[Caller, authorize_caller(Scope.CONTEXT_WRITE)]) -> ReindexedOut:
    """Rebuild the collection's index from SQL."""
    return ReindexedOut(chunks=request.app.state.retrieval.reindex(caller.project, name))


@router.post("/prompts/{name}/render")
def render(
    name: PathName, body: Render, request: Request, caller: Annotated[Caller, authorize_caller(Scope.PROMPT_RENDER)]
) -> RenderedOut:
    """Render a version with the given variables and the passages of its context."""
    state = request.app.state
    with state.database.read() as session:
        unit = UnitOfWork(session, caller, state.clock, state.settings)
        result = Registry(unit).lookup(name, label=body.label, version=body.version, targeting_key=body.targeting_key)
    prepared = prepare(content_from_json(result.version.content), jinja2=state.settings.jinja2)
    renderer = ContextRenderer(state.retrieval, state.settings)
    return RenderedOut.of(result, renderer.render(caller.project, prepared, body.variables, body.query))
