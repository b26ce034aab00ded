"""Feedback in production: stored once, counted where its call is, and joined with calls that come later."""
