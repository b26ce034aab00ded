"""What a prompt is: content and its digest, templates, variables, prompt files. Pure: no network, no database, no clock."""
