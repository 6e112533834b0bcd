"""One page per method: prose by hand in `docs/methods/<kind>.md`, the rest from the code.

The build fails where a member has no page, a page has no member, or a section is missing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
import yaml
from sphinx.errors import ExtensionError

from surefoot.demo.methods import methods as demo_methods
from surefoot.objectives import (
    Evidence,
    Facts,
    LabelModel,
    MarginLoss,
    Objective,
    Outputs,
    Regulariser,
    Risk,
    verdicts,
)
from surefoot.options import Member
from surefoot.worlds import TextWorld
from surefoot_docs.compositions import objective, regularised, units
from surefoot_docs.markdown import code, paragraphs, prose, table
from surefoot_docs.members import options, shown, split_equation

ROOT = Path(__file__).parents[3]

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
#: The members of the plain objective.
PLAIN = {member.kind for member in (Objective().loss, Objective().labels, Objective().risk)}
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
    return {kind: (place, cls) for place, base in PLACES.items() for kind, cls in _of(base)}


def _of(base: type[Member]) -> Iterator[tuple[str, type[Any]]]:
    yield from base.registry.items()


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
    """The table of each slot, and the page that lists all methods."""
    tables = {place: overview(place, "methods/") for place in PLACES}
    names = {"loss": "margin-losses", "labels": "label-models", "risk": "risks"}
    found = {names.get(place, place): text for place, text in tables.items()}
    lists = [
        f"## {TITLES[place]}\n\n{overview(place)}\n\n"
        f"```{{toctree}}\n:hidden:\n\n" + "\n".join(base.registry) + "\n```"
        for place, base in PLACES.items()
    ]
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
        told = {
            "against shift": "shift: hard units gain weight",
            "against noise": "noise: hard units lose weight",
        }
        return told.get(cls.properties.direction, "nothing: the plain risk")
    return {"rewards": "reward models", "token sums": "policies"}[cls.needs]


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
    plain = cls().neutral(MarginLoss.parse("logistic"))
    if plain is None:
        return "none"
    return _options(dict(plain)) if dict(plain) else "always: this is the plain label model"


def _options(given: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}: {value:g}`".replace("e+0", "e") for name, value in given.items())


def own_options(cls: type[Any]) -> str:
    """The options of a member."""
    given = options(cls) if cls.model_fields else "None."
    if issubclass(cls, Risk):
        given += "\n\n`unit` and `unit_mass` are options of every risk."
    return given


def numbers(cls: type[Any]) -> str:
    """What a member makes of a few numbers, by running it."""
    member = regularised(cls.kind).regularisers[0] if issubclass(cls, Regulariser) else cls()
    if isinstance(member, MarginLoss):
        return loss_numbers(member)
    if isinstance(member, LabelModel):
        return label_numbers(member)
    if isinstance(member, Risk):
        return risk_numbers(member)
    return regulariser_numbers(member)


MARGINS = (-4.0, -2.0, -1.0, -0.25, 0.25, 1.0, 2.0, 4.0)


def loss_numbers(psi: MarginLoss) -> str:
    """Loss and pull at a few margins."""
    loss, pull = _loss_and_pull(psi)
    rows = [("loss", *map(_figure, loss)), ("pull", *map(_figure, pull))]
    grid = table(("margin", *map(_figure, MARGINS)), rows)
    return f"The pull is the slope with the sign turned: how hard a pair asks for more.\n\n{grid}"


def label_numbers(labels: LabelModel) -> str:
    """Loss and pull at a few margins, beside the plain model."""
    soft, expected = labels.properties.needs_soft_labels, "auxiliary" in labels.properties.needs
    psi, plain = MarginLoss.parse("logistic"), LabelModel.parse("observed")
    evidence = Evidence(
        torch.tensor(0.7 if soft else 1.0, dtype=torch.float64),
        torch.tensor(0.7, dtype=torch.float64) if expected else None,
    )
    rows = []
    for one in dict.fromkeys((plain, labels)):
        loss, pull = _loss_and_pull(lambda m, one=one: one(psi, m, None, evidence))
        rows.append((f"{code(one.kind)}, loss", *map(_figure, loss)))
        rows.append((f"{code(one.kind)}, pull", *map(_figure, pull)))
    what = "the label 0.7" if soft else "the label 1" + (", auxiliary 0.7" if expected else "")
    grid = table(("margin", *map(_figure, MARGINS)), rows)
    return (
        f"With the logistic loss, {what}, options at their defaults. The pull is the slope with "
        f"the sign turned: how hard a pair asks for more margin.\n\n{grid}"
    )


def _loss_and_pull(loss: Any) -> tuple[list[float], list[float]]:
    margins = torch.tensor(MARGINS, dtype=torch.float64, requires_grad=True)
    values = loss(margins)
    (slope,) = torch.autograd.grad(values.sum(), margins)
    return values.tolist(), (-slope).tolist()


LOSSES = (0.1, 0.3, 0.5, 1.0, 3.0)


def risk_numbers(risk: Risk) -> str:
    """Weights of five units."""
    found = risk(torch.tensor(LOSSES, dtype=torch.float64))
    rows = [
        ("weight under the mean", *(["0.2"] * len(LOSSES))),
        (f"weight under {code(risk.kind)}", *map(_figure, found.weights.tolist())),
    ]
    grid = table(("loss of the unit", *map(_figure, LOSSES)), rows)
    mean = sum(LOSSES) / len(LOSSES)
    return (
        f"Five units of equal mass, options at their defaults. The mean of their losses is "
        f"{_figure(mean)}; this risk is {_figure(float(found.value))}.\n\n{grid}"
    )


def regulariser_numbers(regulariser: Regulariser) -> str:
    """Penalties of three pairs of which the first response is preferred."""
    if regulariser.needs == "rewards":
        scores = torch.tensor([[1.0, -1.0], [3.0, 1.0], [-1.0, -3.0]])
        found = regulariser(Outputs(scores, None, torch.ones(3, 2)), torch.ones(3))
        rows = [
            ("rewards", *(f"{_figure(a)}, {_figure(b)}" for a, b in scores.tolist())),
            ("penalty", *map(_figure, found.tolist())),
        ]
    else:
        log_probs = torch.tensor([[-10.0, -30.0], [-30.0, -10.0], [-30.0, -10.0]])
        lengths = torch.tensor([[10.0, 10.0], [10.0, 10.0], [30.0, 10.0]])
        found = regulariser(Outputs(log_probs, log_probs, lengths), torch.ones(3))
        rows = [
            ("log-probabilities", *(f"{_figure(a)}, {_figure(b)}" for a, b in log_probs.tolist())),
            ("tokens", *(f"{_figure(a)}, {_figure(b)}" for a, b in lengths.tolist())),
            ("penalty", *map(_figure, found.tolist())),
        ]
    grid = table(("", "pair 1", "pair 2", "pair 3"), rows)
    return f"Three pairs; the first response is the preferred one.\n\n{grid}"


def _figure(value: float) -> str:
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return {"-0": "0"}.get(text, text).replace("-", "−")


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
    told = set(verdicts(plain))
    for named, known in LATER.items():
        for verdict in verdicts(plain, known):
            if verdict not in told:
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


def measured(place: str, kind: str) -> str:
    """The rows of our own experiments that use a member, beside plain ones."""
    if kind in PLAIN:
        return "It is part of every row called *plain* on the pages of the other methods."
    using, plain = _experiments(place, kind)
    found = []
    for caption, head, rows in _results():
        kept = [row for row in rows if row[0] in using]
        if kept:
            base = [row for row in rows if row[0] in plain and row not in kept]
            found.append(f"{caption}\n\n{table(head, [*base, *kept])}")
    if not found:
        return "No experiment of ours uses it yet."
    return "\n\n".join(found) + "\n\nThe README says how these experiments were made."


def _experiments(place: str, kind: str) -> tuple[set[str], set[str]]:
    """Names of the rows that use a member, and of those with nothing but defaults."""
    named = {method.name: method.objective for method in demo_methods(TextWorld())}
    for path in sorted((ROOT / "experiments").glob("*.yaml")):
        for section in yaml.safe_load(path.read_text()).values():
            if isinstance(section, Mapping):
                named |= {
                    name: given.get("objective", {})
                    for name, given in section.items()
                    if isinstance(given, Mapping)
                }
    using = {name for name, given in named.items() if _kind(given.get(place)) == kind}
    return using, {name for name, given in named.items() if not given}


def _kind(given: Any) -> str | None:
    return given.get("kind") if isinstance(given, Mapping) else given


def _results() -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    """Tables of `experiments/results/*.md`: the line above, the head, the rows."""
    for path in sorted((ROOT / "experiments" / "results").glob("*.md")):
        caption = (
            "The demo's world. Accuracy against the truth, except under *noisy labels*; the last "
            "column is the log-loss, where lower is better. ▲ better and ▼ worse than plain, where "
            "the interval of the paired difference leaves out 0."
        )
        for block in path.read_text(encoding="utf-8").split("\n\n"):
            lines = block.strip().splitlines()
            if lines and lines[0].startswith("|"):
                head, _, *rows = [[c.strip() for c in li.strip("|").split("|")] for li in lines]
                yield f"**`experiments/results/{path.name}`.** {caption}", head, rows
            else:
                caption = " ".join(lines)
