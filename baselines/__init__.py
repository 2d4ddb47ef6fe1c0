"""Baselines: agents that anybody can train again with one command."""
