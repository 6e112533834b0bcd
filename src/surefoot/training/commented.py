"""Configurations as people edit them: YAML with a comment beside each option, one writer for all.

`surefoot init` and the audit's remedies come from here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from surefoot.errors import ConfigurationError, unknown_name
from surefoot.escaping import one_line
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import Scorer
from surefoot.scorers.language.options import LanguageModelScorer
from surefoot.training.config import DataOptions, RunConfig
from surefoot.training.options import LanguageTrainingOptions, TrainingOptions

#: Columns of a line of comment, at most.
_WIDTH = 96
_SENTENCE = re.compile(r"(?<=[.;])\s")


@dataclass(frozen=True)
class Offer:
    """Options that may be worth trying: they are written as comments, behind the sign `#`."""

    section: str  #: where they go
    options: Mapping[str, Any]  #: by name
    reason: str  #: what they are for, and why here


@dataclass(frozen=True)
class Draft:
    """A configuration to be written.

    Each section and option has the first sentence of its own help text as its comment.

    Attributes:
        options: by section, those that are set; `scorer` names its kind.
        output: the run folder.
        head: paragraphs above everything.
        reasons: by section and option, why it is set so, in place of the option's help text.
        offers: what may be worth trying beside.
    """

    options: Mapping[str, Mapping[str, Any]]
    output: str
    head: Sequence[str] = ()
    reasons: Mapping[tuple[str, str], str] = field(default_factory=dict)
    offers: Sequence[Offer] = ()

    @property
    def text(self) -> str:
        """The file, which trains as it is.

        Raises:
            ConfigurationError: there is no such kind of scorer.
        """
        whole = RunConfig.help()
        lines = [*_comment(self.head), "schema_version: 1"]
        for section, described in self._sections().items():
            given = self.options.get(section, {})
            offers = [one for one in self.offers if one.section == section]
            if not given and not offers:
                continue
            lines += ["", *_comment([first_sentence(whole[section])])]
            lines.append(f"{section}:" if given else f"# {section}:")
            for name, value in given.items():
                why = self.reasons.get((section, name)) or _help(described, name)
                lines += [*_comment([why], "  "), *_indented({name: value})]
            for one in offers:
                lines += _comment([f"{one.reason}:"], "  ")
                lines += [f"  # {line[2:]}" for line in _indented(one.options)]
        lines += [
            "",
            *_comment([first_sentence(whole["output"])]),
            *_written({"output": self.output}),
        ]
        return "\n".join(lines) + "\n"

    def _sections(self) -> dict[str, type[Options]]:
        """The sections in order, each with the class that describes its options."""
        kind = str(self.options["scorer"]["kind"])
        if kind not in Scorer.registry:
            raise ConfigurationError(unknown_name("kind of scorer", kind, Scorer.registry))
        scorer: type[Options] = Scorer.registry[kind]
        language = issubclass(scorer, LanguageModelScorer)
        training = LanguageTrainingOptions if language else TrainingOptions
        return {
            "data": DataOptions,
            "scorer": scorer,
            "objective": Objective,
            "training": training,
        }


def _help(options: type[Options], name: str) -> str:
    """What an option is, in a sentence; of a kind, what that kind is."""
    text = (options.__doc__ or "") if name == "kind" else options.help().get(name, "")
    return first_sentence(text)


def first_sentence(text: str) -> str:
    """The first sentence of a help text, or what stands before its first semicolon, on one line.

    >>> first_sentence("Tokens kept; of each text.")
    'Tokens kept.'
    """
    sentence = _SENTENCE.split(" ".join(text.split()), maxsplit=1)[0]
    return f"{sentence.rstrip('.;')}." if sentence else ""


def _indented(options: Mapping[str, Any]) -> Iterator[str]:
    return (f"  {line}" for line in _written(options))


def _written(options: Mapping[str, Any]) -> list[str]:
    """Options as YAML, one on a line; letters stand as they are where nothing is hidden by that."""
    lines = []
    for name, value in options.items():
        how: dict[str, Any] = {"sort_keys": False, "default_flow_style": True, "width": 10**6}
        text = yaml.safe_dump({name: value}, allow_unicode=True, **how)[1:-2]
        if one_line(text) != text:
            text = yaml.safe_dump({name: value}, default_style='"', **how)[1:-2]
        lines.append(text)
    return lines


def _comment(paragraphs: Sequence[str], indent: str = "") -> list[str]:
    """Lines that YAML does not read, whatever stands in the paragraphs."""
    return [
        f"{indent}# {line}"
        for paragraph in paragraphs
        for line in textwrap.wrap(one_line(paragraph), _WIDTH - len(indent), break_on_hyphens=False)
    ]
