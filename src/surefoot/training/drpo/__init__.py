"""DRPO: its place in a configuration, its step and its trainer."""
