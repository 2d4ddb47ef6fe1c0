"""Adaptivity: whether an agent with frozen weights goes on learning within an episode, and how.

A profile says what was shown by figures, references and controls, and nothing about mechanisms. It
stands apart from the verdict on objectives.
"""
