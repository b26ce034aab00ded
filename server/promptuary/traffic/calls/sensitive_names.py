"""The variables that versions declare as sensitive."""

from dataclasses import dataclass, field

from promptuary.core.database import Session
from promptuary.registry.version_store import newest_sensitive_variables, sensitive_variables


@dataclass
class SensitiveNames:
    """The variables that versions declare as sensitive, read once in a transaction: an erasure may come between two."""

    _names: dict[tuple[int, int], frozenset[str]] = field(default_factory=dict)

    def of(self, session: Session, prompt_id: int | None, version: int) -> frozenset[str] | None:
        """Return the names; None for a version whose content was erased, of which nothing is known.

        Where a call names no version that exists, they are those of the newest one.
        """
        if prompt_id is None:
            return frozenset()
        if not version:
            return newest_sensitive_variables(session, prompt_id)
        names = self._names.get((prompt_id, version))
        if names is None:
            declared = sensitive_variables(session, prompt_id, version)
            if declared is None:
                return None
            names = self._names[prompt_id, version] = declared
        return names
