"""Importers: convert other projects' task files to dataset files."""
