"""What can go wrong with a judge."""

from __future__ import annotations

from surefoot.errors import SurefootError


class JudgeError(SurefootError):
    """The judge cannot go on; the answers so far are kept."""


class UnusableError(JudgeError):
    """One question got no usable answer; others may."""


class GarbledError(UnusableError):
    """A reply that is no chat completion: the endpoint's failure, which may pass."""


class RefusedError(UnusableError):
    """The model, or a filter before it, does not judge this pair: an answer, and remembered."""


class DeclinedError(SurefootError):
    """The estimate was not confirmed; nothing was sent."""
