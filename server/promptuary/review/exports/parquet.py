"""An export as a Parquet file."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import IO

from promptuary.core.errors import InvalidRequest
from promptuary.review.exports.columns import Column, cell_text
from promptuary.review.exports.export_row import ExportRow

_ROWS_A_GROUP = 1_000


def write_parquet(file: IO[bytes], columns: Sequence[Column], rows: Iterable[ExportRow]) -> None:
    """Write the rows: numbers as doubles, `id` and `schema_number` as whole numbers, any other value as text or JSON text.

    Raises:
        InvalidRequest: when pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise InvalidRequest("Parquet needs pyarrow on the server: install promptuary[tables], or choose csv") from None
    whole = {"id", "schema_number"}
    types = [pyarrow.int64() if c.name in whole else pyarrow.float64() if c.is_number else pyarrow.string() for c in columns]
    schema = pyarrow.schema([pyarrow.field(column.name, type_) for column, type_ in zip(columns, types, strict=True)])
    remaining = iter(rows)
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(remaining, _ROWS_A_GROUP)):
            values = [[c.value(row) if c.is_number else cell_text(c.value(row)) for row in group] for c in columns]
            arrays = [pyarrow.array(column, type_) for column, type_ in zip(values, types, strict=True)]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
