"""The tables of prompt vectors; private to this folder. Chroma can be rebuilt from them."""

from sqlalchemy import LargeBinary
from sqlmodel import Column, Field, SQLModel


class PromptIndexRow(SQLModel, table=True):
    """The name of the index collection with a project's prompts, for one embedding model."""

    __tablename__ = "prompt_index"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    model: str = Field(primary_key=True)
    uid: str = Field(unique=True)


class PromptVectorRow(SQLModel, table=True):
    """A prompt's vector (little-endian float32, unit length), and the version it was computed from.

    `digest` identifies the embedded texts. `indexed` is true once exactly this row was sent to the index.
    """

    __tablename__ = "prompt_vector"

    prompt_id: int = Field(foreign_key="prompt.id", primary_key=True)
    version: int
    digest: str
    model: str
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    indexed: bool = False
