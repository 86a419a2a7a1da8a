"""Scoring answers to a build's evaluation tasks. Start at `task.py`; no JAX is needed here."""
