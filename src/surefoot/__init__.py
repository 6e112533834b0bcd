"""Robust RLHF: diagnose preferences, train under a robust objective, prove that it helped."""


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("surefoot")
    raise AttributeError(f"module 'surefoot' has no attribute {name!r}")
