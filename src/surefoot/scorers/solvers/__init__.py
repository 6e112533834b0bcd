"""Optimisers of heads, K of them at once: by L-BFGS, by a bundle method, by AdamW."""
