"""Drills: how one begins, gives way to what is real, and ends."""
