"""Regular expressions that cannot hang: RE2, and JavaScript patterns translated to it."""
