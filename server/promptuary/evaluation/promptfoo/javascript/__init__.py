"""The JavaScript of promptfoo files: files that are inlined, what code reads of its test, and transforms."""
