"""The wire models of the search for prompts."""

from typing import Annotated, Self

from pydantic import Field

from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.embedding.index import SearchedIn
from promptuary.search.service import PromptMatches


class PromptMatchOut(ResponseModel):
    """A prompt in a search result: the compared version, its cosine similarity, its labels, and the best sentence."""

    name: str
    version: int
    score: float
    labels: list[str]
    snippet: str


class PromptMatchesOut(ResponseModel):
    """A search result, the nearest prompt first; `behind` counts the prompts that are not indexed yet.

    `searched` is `sql` where every vector was compared: in a process without an index, or while an index that has lost
    something is rebuilt.
    """

    items: list[PromptMatchOut]
    behind: int
    searched: SearchedIn

    @classmethod
    def of(cls, matches: PromptMatches) -> Self:
        """Build the wire model from the domain value."""
        return cls.model_validate(matches)


class Reindex(RequestModel):
    """Whether to send every vector to the index again, or only those that were not sent yet."""

    rebuild: Annotated[bool, Field(alias="anew")] = False


class IndexProgressOut(ResponseModel):
    """The number of indexed prompts, and of those still to come: call again until `behind` is 0."""

    prompts: int
    behind: int
