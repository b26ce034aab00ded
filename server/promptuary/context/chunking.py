"""The splitting of documents into chunks, at paragraphs and sentences where possible (LangChain's splitters)."""

from promptuary.core.errors import Unavailable

SEPARATORS = ["\n\n", "\n", ". ", "? ", "! ", "; ", ", ", " ", ""]


def split_text(text: str, size: int, overlap: int) -> list[str]:
    """Split a text into chunks of at most `size` characters that share up to `overlap` with their neighbours.

    Blank chunks are left out.

    Raises:
        Unavailable: when the splitters are not installed.
    """
    try:
        from langchain_text_splitters import RecursiveCharacterTextSplitter
    except ImportError:
        raise Unavailable("the text splitters are not installed; install promptuary[context]", retry_after=60) from None

    splitter = RecursiveCharacterTextSplitter(
        chunk_size=size, chunk_overlap=overlap, separators=SEPARATORS, keep_separator="end", strip_whitespace=True
    )
    return [chunk for chunk in splitter.split_text(text) if chunk.strip()]
