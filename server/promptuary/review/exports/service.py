"""Exports on behalf of a caller."""

import json
import tempfile
from enum import StrEnum
from typing import IO

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.agreement import store as agreement_store
from promptuary.review.agreement.final_label import list_final_labels
from promptuary.review.exports import store
from promptuary.review.exports.columns import table_columns
from promptuary.review.exports.parquet import write_parquet
from promptuary.review.exports.spreadsheet import csv_lines
from promptuary.review.queues.service import QueueService

_MEMORY = 8 * 1024**2
"""In bytes: a longer file is on the disk until it is sent."""


class ExportFormat(StrEnum):
    """The format of an export."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


def export_decisions(unit: UnitOfWork, name: str, file_format: ExportFormat) -> IO[bytes]:
    """Return a file with all decisions of a queue, one a row; the caller closes it.

    Raises:
        NotFound: when there is no such queue.
        InvalidRequest: for Parquet, when pyarrow is not installed.
    """
    queue = QueueService(unit).find(name)
    columns = table_columns(agreement_store.list_labels(queue))
    rows = store.iterate_rows(unit.session, queue, list_final_labels(unit, queue))
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_MEMORY)
    try:
        if file_format is ExportFormat.PARQUET:
            write_parquet(file, columns, rows)
        elif file_format is ExportFormat.CSV:
            file.writelines(csv_lines(columns, rows))
        else:
            file.writelines(json.dumps(row.to_json(), ensure_ascii=False).encode() + b"\n" for row in rows)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file
