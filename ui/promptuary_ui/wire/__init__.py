"""Typed models of the API's responses, with the fields that the pages show."""
