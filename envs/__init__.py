"""Environments: one file each, registered by its line in `pyproject.toml`."""
