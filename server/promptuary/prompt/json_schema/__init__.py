"""JSON Schemas: the library, and what a schema from outside must be."""
