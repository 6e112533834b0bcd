"""Robust RLHF: diagnose preferences, train under a robust objective, prove that it helped."""
