"""MLflow's SQLite file, which may be deleted or replaced while a process has it open."""

from pathlib import Path

_SCHEME = "sqlite:///"


class LocalDatabase:
    """The file of a tracking URI; MLflow opens it again once it is another file.

    MLflow keeps what it has opened for as long as the process runs, by the URI. A deleted file would stay deleted, and every
    delivery would fail. After a change of the file, its path is therefore written in another way that means the same.
    """

    def __init__(self, uri: str) -> None:
        """Store the URI; any other than a SQLite file's is returned as it is."""
        self._uri = uri
        self._path = Path(uri.removeprefix(_SCHEME)) if uri.startswith(_SCHEME) else None
        self._identity: tuple[int, int] | None = None
        self._changes = 0

    def current_uri(self) -> str:
        """Return the URI under which MLflow opens the present file."""
        if self._path is None:
            return self._uri
        before = self._identity
        self.record_use()
        if before is not None and before != self._identity:
            self._changes += 1
        return f"{_SCHEME}{self._path.parent}/{'./' * self._changes}{self._path.name}"

    def record_use(self) -> None:
        """Record which file is there now: after MLflow was used, it is the one that MLflow has open."""
        if self._path is None:
            return
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._identity = None
        else:
            self._identity = (status.st_dev, status.st_ino)
