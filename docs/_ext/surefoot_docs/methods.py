"""One page per method: prose by hand in `docs/methods/<kind>.md`, the rest from the code.

The build fails where a member has no page, a page has no member, or a section is missing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from sphinx.errors import ExtensionError

from surefoot.objectives import (
    Facts,
    LabelModel,
    MarginLoss,
    Objective,
    Regulariser,
    Risk,
    verdicts,
)
from surefoot.options import Member
from surefoot_docs.compositions import objective, regularised, units
from surefoot_docs.markdown import code, paragraphs, prose, table
from surefoot_docs.members import options, shown, split_equation
from surefoot_docs.numbers import numbers
from surefoot_docs.results import measured

#: The part of `objective` that each slot fills.
PLACES: Mapping[str, type[Member]] = {
    "loss": MarginLoss,
    "labels": LabelModel,
    "risk": Risk,
    "regularisers": Regulariser,
}
TITLES = {
    "loss": "Margin losses",
    "labels": "Label models",
    "risk": "Risks",
    "regularisers": "Regularisers",
}
#: What a person has to write on every page.
SECTIONS = (
    "Equation",
    "Threat and direction",
    "When to use it",
    "When it fails",
    "In a configuration",
)


def kinds() -> dict[str, tuple[str, type[Any]]]:
    """Every member by its kind: where it goes in `objective`, and its class."""
    return {
        kind: (place, cls) for place, base in PLACES.items() for kind, cls in base.registry.items()
    }


def check(folder: Path) -> None:
    """Every member has its page with every section.

    Raises:
        ExtensionError: a page or a section is missing, or a page has no member.
    """
    pages = {path.stem: path for path in folder.glob("*.md") if path.stem != "index"}
    missing, stray = sorted(kinds().keys() - pages), sorted(pages.keys() - kinds())
    if missing or stray:
        raise ExtensionError(
            f"docs/methods: no page for {missing or 'nothing'}; no member for {stray or 'nothing'}."
        )
    for path in pages.values():
        found = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        if lacking := [section for section in SECTIONS if section not in found]:
            raise ExtensionError(f"docs/methods/{path.name} lacks the sections {lacking}.")


def complete(kind: str, text: str) -> str:
    """A page: its prose, and around it what the code knows."""
    place, cls = kinds()[kind]
    title, _, body = text.partition("\n")
    _, *explanation = _docstring(cls)
    generated = [
        ("Options", own_options(cls)),
        ("In numbers", numbers(cls)),
        ("What it composes with", composes(place, kind)),
        ("Measured here", measured(place, kind)),
        ("Source", source(cls)),
    ]
    end = "\n\n".join(f"## {heading}\n\n{given}" for heading, given in generated)
    above = "\n\n".join([title, *explanation, facts(place, cls)])
    return f"{above}\n\n{body.strip()}\n\n{end}\n"


def parts() -> dict[str, str]:
    """The table of each slot, and those of all slots one after the other."""
    tables = {place: overview(place, "methods/") for place in PLACES}
    names = {"loss": "margin-losses", "labels": "label-models", "risk": "risks"}
    found = {names.get(place, place): text for place, text in tables.items()}
    lists = [f"## {TITLES[place]}\n\n{overview(place)}" for place in PLACES]
    return found | {"methods": "\n\n".join(lists)}


def overview(place: str, folder: str = "") -> str:
    """The members of a slot: equation, what they answer, source."""
    rows = [
        (
            f"[`{kind}`]({folder}{kind}.md)",
            code(_docstring(cls)[0]),
            answers(place, cls),
            source(cls),
        )
        for kind, cls in PLACES[place].registry.items()
    ]
    head = {"loss": "Margins", "regularisers": "For"}.get(place, "Answers")
    return table(("Name", "Equation", head, "Source"), rows)


def _docstring(cls: type[Any]) -> list[str]:
    """Equation, and the paragraphs of explanation."""
    first, *rest = paragraphs(cls)
    equation, explanation = split_equation(first)
    return [equation, *(prose(text) for text in [explanation, *rest] if text)]


def source(cls: type[Any]) -> str:
    """Where it comes from."""
    return prose(paragraphs(sys.modules[cls.__module__])[0])


def answers(place: str, cls: type[Any]) -> str:
    """What a member answers, as it declares."""
    if place == "loss":
        return "growing with P(a preferred)" if cls.properties.calibrated else "no probabilities"
    if place == "labels":
        return cls.properties.threat or "nothing: the plain model"
    if place == "risk":
        against = {
            "against shift": "shift: hard units gain weight",
            "against noise": "noise: hard units lose weight",
        }
        return against.get(cls.properties.direction, "nothing: the plain risk")
    heads = "linear heads, " if cls.of_linear_heads else ""
    return heads + {"rewards": "reward models", "token sums": "policies"}[cls.needs]


def facts(place: str, cls: type[Any]) -> str:
    """What a member declares."""
    rows = [("Where", f"`objective.{place}`"), ("Answers", answers(place, cls))]
    if place == "loss":
        rows[1] = ("Best margins are", answers(place, cls))
    if place == "regularisers":
        rows[1] = ("For", answers(place, cls))
    rows.append(("Neutral setting", neutral(place, cls)))
    skipped = {"neutral", "threat", "direction", "calibrated"}
    if place != "regularisers":
        rows += [
            (name.replace("_", " ").capitalize(), shown(value))
            for name in (field.name for field in fields(cls.properties))
            if name not in skipped and (value := getattr(cls.properties, name)) not in ((),)
        ]
    return table(("", ""), rows)


def neutral(place: str, cls: type[Any]) -> str:
    """The setting at which a member changes nothing."""
    if place == "loss":
        return "none: each loss is another model of preferences"
    if place == "regularisers":
        return "leave it out"
    if place == "risk":
        given = cls.properties.neutral
        if given is None:
            return "none"
        return _options(given) if given else "always: this is the plain risk"
    plain = cls(**cls.shown_at).neutral(MarginLoss.parse("logistic"))
    if plain is None:
        return "none"
    return _options(dict(plain)) if dict(plain) else "always: this is the plain label model"


def _options(given: Mapping[str, Any]) -> str:
    settings = {name: value for name, value in given.items() if value is not None}
    return ", ".join(f"`{name}: {value:g}`".replace("e+0", "e") for name, value in settings.items())


def own_options(cls: type[Any]) -> str:
    """The options of a member."""
    given = options(cls) if cls.model_fields else "None."
    if issubclass(cls, Risk):
        given += "\n\n`unit`, `unit_mass`, `trim` and `regret` are options of every risk."
    return given


#: Facts that turn up later than the configuration: what they are, and what brings them.
LATER: Mapping[str, Facts] = {
    "every label is 0 or 1": Facts(soft_labels=False),
    "the data have none of the optional columns": Facts(columns=frozenset()),
    "the scorer is a linear head without a ridge penalty": Facts(linear=True, frozen=True, l2=0.0),
    "the scorer is a head on frozen embeddings": Facts(linear=True, frozen=True, l2=1e-3),
    "the scorer is a reward model": Facts(linear=False, scores="rewards"),
    "the scorer is a policy": Facts(linear=False, scores="token sums"),
}


def composes(place: str, kind: str) -> str:
    """The outcomes of every pairing with other slots, and of facts that come with data or scorer.

    All members are at their defaults.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for named, one in pairings(place, kind):
        found = verdicts(one)
        for verdict in found:
            if verdict.outcome == found[0].outcome:  # a warning beside a refusal is lost in it
                groups.setdefault((verdict.outcome, verdict.reason), []).append(named)
        if not found:
            groups.setdefault(("allowed", ""), []).append(named)
    plain = objective(**{place: kind}) if place != "regularisers" else regularised(kind)
    of_plain = set(verdicts(plain))
    for named, known in LATER.items():
        for verdict in verdicts(plain, known):
            if verdict not in of_plain:
                groups.setdefault((verdict.outcome, verdict.reason), []).append(f"where {named}")
    order = {"allowed": 0, "warned": 1, "refused": 2}
    lines = [
        f"- **{outcome.capitalize()}**: {'; '.join(named)}."
        + (f" {prose(reason)}" if reason else "")
        for (outcome, reason), named in sorted(groups.items(), key=lambda g: order[g[0][0]])
    ]
    return (
        "By the validator, every member at its defaults ([all tables](../compositions.md)):\n\n"
        + "\n".join(lines)
    )


def pairings(place: str, kind: str) -> Iterator[tuple[str, Objective]]:
    """A member with each member of the neighbouring slots."""
    if place == "regularisers":
        for loss in MarginLoss.registry:
            yield f"`loss: {loss}`", regularised(kind, loss)
        return
    if place in ("loss", "risk"):
        for labels in LabelModel.registry:
            for unit in units(kind) if place == "risk" else ("pair",):
                over = f" over {unit}s" if place == "risk" else ""
                given = {"risk": kind, "unit": unit} if place == "risk" else {"loss": kind}
                yield f"`labels: {labels}`{over}", objective(labels=labels, **given)
        return
    for loss in MarginLoss.registry:
        yield f"`loss: {loss}`", objective(labels=kind, loss=loss)
    for risk in Risk.registry:
        for unit in units(risk):
            yield f"`risk: {risk}` over {unit}s", objective(labels=kind, risk=risk, unit=unit)
