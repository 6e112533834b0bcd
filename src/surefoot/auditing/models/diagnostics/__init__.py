"""Diagnostics of reward models: each file here that defines `DIAGNOSTIC` is one."""
