"""Problem details (RFC 9457): their format, the status of each error, and the handlers of exceptions."""
