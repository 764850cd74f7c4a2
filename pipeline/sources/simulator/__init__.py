"""Simulated markets, for trying things out."""
