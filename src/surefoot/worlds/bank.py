"""The sentences that a text world is made of: plain English in a few banks, in `bank.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import yaml


@dataclass(frozen=True)
class Topic:
    """What people ask about and what a good answer says."""

    subjects: tuple[str, ...]  #: what fills `{subject}`
    questions: tuple[str, ...]  #: with one `{subject}` each
    advice: tuple[str, ...]  #: specific sentences that help, some with `{subject}`


_BANKS = yaml.safe_load(files(__package__).joinpath("bank.yaml").read_text(encoding="utf-8"))

TOPICS = {
    name: Topic(*(tuple(bank[part]) for part in ("subjects", "questions", "advice")))
    for name, bank in _BANKS["topics"].items()
}
#: Answers without content.
VAGUE: tuple[str, ...] = tuple(_BANKS["vague"])
#: Answers that turn the question away.
DISMISSIVE: tuple[str, ...] = tuple(_BANKS["dismissive"])
#: Words that add length and nothing else.
FILLER: tuple[str, ...] = tuple(_BANKS["filler"])
#: What marks a request whose author wants few words.
HURRY: tuple[str, ...] = tuple(_BANKS["hurry"])
