"""Estimates with intervals: arrays only."""
