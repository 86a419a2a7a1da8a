"""Declarations of the commands, by group; each imports its work late."""
