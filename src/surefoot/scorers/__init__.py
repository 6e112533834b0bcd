"""Scores for (prompt, response): encoders, heads, reward models."""
