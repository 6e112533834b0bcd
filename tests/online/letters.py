"""A reward that needs no model."""

from __future__ import annotations


class Letters:
    """A reward function of TRL's form: how often a letter occurs."""

    __name__ = "letters"

    def __init__(self, letter="e", broken=None):
        self.letter, self.broken, self.asked = letter, broken, 0

    def __call__(self, prompts, completions, **named):
        self.asked += 1
        values = [float(text.count(self.letter)) + 0.1 * len(text) for text in completions]
        if self.broken is not None and self.asked == self.broken:
            values[1] = float("nan")
        return values
