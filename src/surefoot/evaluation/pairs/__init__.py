"""Rewards against preferences, pair by pair: accuracy, calibration, groups, comparisons."""
