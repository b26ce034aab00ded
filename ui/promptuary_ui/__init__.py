"""The Streamlit app: a REST client with pages; it imports nothing of the server."""
