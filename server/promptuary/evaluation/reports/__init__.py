"""What a run says, for people, CI and programs. Made from the API's answers with the standard library alone."""
