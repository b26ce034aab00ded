"""Expressions of Jinja templates: values that evaluate themselves under a render budget. They never become code.

They see JSON values only: `a.b` is a member of an object, never an attribute of a Python object.
"""
