"""Validation: what the scorer says of agents whose objective is known."""
