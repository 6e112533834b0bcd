"""Pairs in: schema, readers, checks, splits. Knows nothing of models."""
