"""The export of a queue's decisions, as files that the browser stores."""

from functools import partial

import streamlit as st

from promptuary_ui import session

FORMATS = {"csv": ("CSV", "text/csv"), "jsonl": ("JSON lines", "application/x-ndjson")}
"""The API's formats with their titles and media types."""


def show_downloads(queue: str) -> None:
    """Show a button for each format; a press reads the file from the API, with the rights of this session."""
    st.subheader("Export", anchor=False)
    st.caption("All decisions of the queue that were not undone, with the labels that count and what was reviewed.")
    with st.container(horizontal=True):
        for file_format, (title, media_type) in FORMATS.items():
            st.download_button(
                title,
                data=partial(session.api().export, queue, file_format),
                file_name=f"{queue}.{file_format}",
                mime=media_type,
                key=f"export.{file_format}",
                icon=":material/download:",
                on_click="ignore",
            )
