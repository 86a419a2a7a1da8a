"""Bringing in what others have written, as task files of our own language."""
