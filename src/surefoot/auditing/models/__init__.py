"""The audit of reward models."""
