"""Routes for programs that speak another registry's protocol; they translate, and ask the same services as `/v1`."""
