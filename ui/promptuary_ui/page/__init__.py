"""The pages: each module has one function `show`. Streamlit would serve a folder `pages` by itself, without the sign-in."""
