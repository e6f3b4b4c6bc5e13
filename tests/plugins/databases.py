"""Databases for tests: filled in with the store."""
