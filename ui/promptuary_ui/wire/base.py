"""The bases of all wire models: frozen, and open to fields of the API that this UI does not know."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class ApiModel(BaseModel):
    """The base of all: frozen, and open to fields that this UI does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Page(ApiModel, Generic[T]):
    """Some items of a list, and the cursor of the next ones."""

    items: list[T]
    next_cursor: str | None = None
