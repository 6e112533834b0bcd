"""What can be seen of a response without understanding it: features that labels may follow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surefoot.data.text import normalised
from surefoot.evaluation.pairs.rulers import markdown

_LIST_ITEM = re.compile(r"^[^\S\n]*(?:[-*+•]|\d+[.)])\s", re.MULTILINE)
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)|i (?:can(?:'t|not)|won't|will not|couldn't)"
    r"|as an ai|i(?:'d| would) rather not|i (?:must|have to) decline)\b"
)
_HEDGE = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|might|could be|it depends|i think|i believe|i guess"
    r"|i'm not sure|not certain|generally|usually|typically|seems?|appears?)\b"
)
_FLATTERY = re.compile(
    r"\b(?:great|good|excellent|wonderful|fantastic|interesting) (?:question|point|idea|choice)"
    r"|you(?:'re| are) (?:absolutely |completely |so |totally )?right|absolutely!|i agree with you"
    r"|happy to help|glad you asked|of course!"
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Feature:
    """A number that a response has in itself, or beside its prompt."""

    name: str  #: in results
    more: str  #: what a response with a larger value is, as in "labels prefer ... responses"
    measure: Callable[[str, str], float]  #: from the prompt's last turn and the response


def _matches(pattern: re.Pattern[str]) -> Callable[[str, str], float]:
    def count(prompt: str, response: str) -> float:
        del prompt
        return float(np.log1p(sum(1 for _ in pattern.finditer(response.lower().replace("’", "'")))))

    return count


def _length(prompt: str, response: str) -> float:
    del prompt
    return float(np.log1p(len(response.strip())))


def _markdown(prompt: str, response: str) -> float:
    del prompt
    return float(np.log1p(markdown(response)))


def _overlap(prompt: str, response: str) -> float:
    """Share of the response's distinct words that stand in the prompt's last turn."""
    words = set(_WORD.findall(normalised(response)))
    asked = set(_WORD.findall(normalised(prompt)))
    return len(words & asked) / len(words) if words else 0.0


FEATURES = (
    Feature("length", "longer", _length),
    Feature("markdown", "more marked-up", _markdown),
    Feature("lists", "more listed", _matches(_LIST_ITEM)),
    Feature("refusal", "more refusing", _matches(_REFUSAL)),
    Feature("hedges", "more hedging", _matches(_HEDGE)),
    Feature("flattery", "more flattering", _matches(_FLATTERY)),
    Feature("overlap", "more repeating (words of the prompt)", _overlap),
)
