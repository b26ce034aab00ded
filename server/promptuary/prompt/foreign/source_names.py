"""How the names in another system's file become names of prompts here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptuary.prompt.name import fold_name


@dataclass(frozen=True)
class SourceNames:
    """The translation of a file's names: a rename where the caller chose one, else the name folded into our form.

    Attributes:
        fallback: the name of a prompt that has none in the file.
        renames: names here by names in the file.
    """

    fallback: str
    renames: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, source_name: str) -> str:
        """Return the name here of a prompt; it is not valid where no name can be made of it."""
        return self.renames.get(source_name) or fold_name(source_name)

    def given_name_of(self, source_name: str) -> str | None:
        """Return the name in the file of a renamed prompt, which does not fold onto its name here; None for any other."""
        if source_name == self.fallback or self.name_of(source_name) == fold_name(source_name):
            return None
        return source_name
