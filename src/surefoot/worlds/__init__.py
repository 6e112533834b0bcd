"""Preference worlds with known truth."""
