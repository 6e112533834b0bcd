"""Words that say which of two responses is preferred: `a`, `model_b`, `A>>B`, `tie`."""

from __future__ import annotations

import re

#: The two responses' columns, as words may name them, and the tie.
_BARE = {
    **dict.fromkeys(("a", "first", "1st", "left", "former"), 1.0),
    **dict.fromkeys(("b", "second", "2nd", "right", "latter"), 0.0),
}
_TIES = re.compile(
    r"ties?|tied|draw|even|neither|indifferent|equals?|(?:the|aboutthe)?same|nopreference|"
    r"nodifference|(?:tie)?both(?:bad|good)?|equally(?:good|bad)|(?:both|bothare|theyare)equal|"
    r"bothare(?:good|bad)|\[c\]"
)
_STEM = (
    r"(?:model|response|output|answer|assistant|completion|option|candidate|system|text|choice|"
    r"argument|summary|side|player|chatbot|human)"
)
_NAMED = re.compile(rf"(?:the )?(?:{_STEM}[ _\-]*)?(?P<which>[ab]|[012]|a1|a2)")
_BETTER = re.compile(
    r"(?P<who>.+?)[ _\-]+(?:(?:is|was)[ _\-]+)?(?:(?:slightly|somewhat|much|clearly|significantly|"
    r"far|a lot|a bit|moderately|marginally|considerably|substantially|strongly|definitely)"
    r"[ _\-]+)?(?:better|best|wins?|won|preferred)(?:[ _\-]+(?:than|over|to)[ _\-]+(?P<other>.+))?"
)
_COMPARED = re.compile(
    r"(?P<one>[^<>=≻≺≈~]+?)\s*(?P<sign>>+|<+|≻+|≺+|=+|≈|~)\s*(?P<other>[^<>=≻≺≈~]+)"
)


def word(text: str, sides: tuple[str, str]) -> float | None:
    """P(first preferred) that a word says: `a`, `model_b`, `[[A]]`, `A>>B`, `tie`; else None.

    It may be the name of one of the columns of the two responses, too.

    >>> word("Answer B", ("response_a", "response_b")), word("maybe", ("x_a", "x_b"))
    (0.0, None)
    """
    phrase = " ".join(text.split()).casefold()
    if phrase.startswith("[[") and phrase.endswith("]]"):
        phrase = phrase[2:-2].strip()
        phrase = "[c]" if phrase == "c" else phrase
    names = [side.casefold() for side in sides]
    if phrase in names:
        return float(phrase == names[0])
    if _TIES.fullmatch(re.sub(r"[ _\-()/,.]", "", phrase)):
        return 0.5
    if compared := _COMPARED.fullmatch(phrase):
        one = _against(compared["one"], compared["other"], names)
        sign = compared["sign"][0]
        return one if one is None or sign in ">≻" else 1 - one if sign in "<≺" else 0.5
    if compared := _BETTER.fullmatch(phrase):
        phrase = compared["who"].strip()
        if compared["other"] is not None:
            return _against(phrase, compared["other"], names)
    return _which(phrase, names)


def _against(one: str, other: str, names: list[str]) -> float | None:
    """Which response one name stands for, where another one stands for the other response."""
    first, second = _which(one.strip(), names), _which(other.strip(), names)
    return first if first is not None and second is not None and first + second == 1.0 else None


def _which(name: str, names: list[str]) -> float | None:
    """Which response a name stands for; numbers count from 0 where those of the columns do."""
    if name in names:
        return float(name == names[0])
    if name in _BARE:
        return _BARE[name]
    found = _NAMED.fullmatch(name)
    if found is None or (found["which"] == name and name in "012"):
        return None
    first, second = "01" if names[0].endswith("0") else "12"
    firsts, seconds = ("a", "a1", first), ("b", "a2", second)
    return 1.0 if found["which"] in firsts else 0.0 if found["which"] in seconds else None
