"""The main job on one file: the audit, the remedy it wrote, the proof against plain, what next."""
