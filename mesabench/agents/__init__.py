"""Agents: planned, random, from ONNX files and from Stable-Baselines3."""
