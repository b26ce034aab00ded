"""A file of cases or outputs, opened by its suffix and read as a whole, with all its errors at once."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from promptuary.evaluation.datasets.readers.formats import FileFormat, format_of, listed_suffixes
from promptuary.evaluation.datasets.readers.row import FileErrors
from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.yaml_document import InvalidFile

FILE_LIMIT = 64 * 1024 * 1024
Content = TypeVar("Content")


def read_data_file(path: Path, noun: str, read: Callable[[IO[bytes], FileFormat, FileErrors], Content]) -> Content:
    """Return what a function reads of a file of at most 64 MiB.

    Args:
        path: of the file.
        noun: what the file is, for the message about a suffix that is not known: "dataset file".
        read: reads the open file in its format, and adds each error.

    Raises:
        InvalidFile: naming the file, with line and field of every error (the first hundred of them).
    """
    file_format = format_of(path.suffix)
    if file_format is None:
        raise InvalidFile(f"{path} is not a {noun}", [FieldError("", f"must end in {listed_suffixes()}")])
    errors = FileErrors()
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise InvalidFile(f"{path} is over the limit of {FILE_LIMIT} bytes")
        with path.open("rb") as file:
            content = read(file, file_format, errors)
    except FileNotFoundError:
        raise InvalidFile(f"{path} does not exist") from None
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror}") from None
    if errors:
        raise InvalidFile(f"{path} cannot be used", errors.listed())
    return content
