"""From what was found to one configuration: remedies that go together and are worth it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.auditing.diagnosis import Diagnosis
from surefoot.statistics.estimate import Estimate

#: Options of a configuration by section, such as `{"scorer": {"source_aware": True}}`.
Options = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Trial:
    """A configuration against another."""

    gain: Estimate | None  #: of accuracy on the pairs that it is for
    overall: Estimate | None  #: of accuracy on all pairs
    against: str = ""  #: why it is not to be taken; empty where it is

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        gain, overall = (None if e is None else e.to_dict() for e in (self.gain, self.overall))
        return {"gain": gain, "overall": overall, "against": self.against}


@dataclass(frozen=True)
class Remedy:
    """Options that answer something."""

    options: Options  #: of a configuration, by section
    answers: tuple[Diagnosis, ...]  #: what they are an answer to

    @property
    def name(self) -> str:
        """What it answers, in words."""
        return ", ".join(one.name for one in self.answers)


@dataclass(frozen=True)
class TriedRemedy:
    """A remedy, and what its trial said."""

    remedy: Remedy
    trial: Trial

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        trial = self.trial
        if trial.gain is None:
            return f"not taken: {trial.against}."
        part = "that it is for " if trial.overall != trial.gain else ""
        seen = f"of unseen pairs {part}{trial.gain} more are ordered right than without it"
        if part:
            seen += f", of all {trial.overall}"
        return f"not taken, as {trial.against} ({seen})." if trial.against else f"taken: {seen}."


@dataclass(frozen=True)
class Choice:
    """The configuration that an audit comes to."""

    #: by section; none where plain training is the answer
    options: Options = field(default_factory=dict)
    taken: tuple[TriedRemedy, ...] = ()  #: remedies whose options these are
    left: tuple[TriedRemedy, ...] = ()  #: remedies that were offered and are not among them
    untried: str = ""  #: why no remedy could be tried; empty where they were

    @property
    def sentence(self) -> str:
        """The choice in one line."""
        if self.taken:
            return f"Train with the remedy for: {'; '.join(t.remedy.name for t in self.taken)}."
        if not self.left:
            return "Train plainly: nothing was found that an option of training answers."
        if self.untried:
            return f"Train plainly: remedies were not tried ({self.untried})."
        return "Train plainly: no remedy that was tried did better on pairs it had not seen."

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "sentence": self.sentence,
            "options": {section: dict(one) for section, one in self.options.items()},
            "taken": [_ready(one) for one in self.taken],
            "left": [_ready(one) for one in self.left],
        }


def _ready(one: TriedRemedy) -> dict[str, Any]:
    options = {section: dict(given) for section, given in one.remedy.options.items()}
    return {"answers": one.remedy.name, "options": options, **one.trial.to_dict()}


def remedies_of(diagnoses: Iterable[Diagnosis]) -> tuple[Remedy, ...]:
    """The remedies for what was found, the gravest first, then for what is assumed; each once.

    Whether an assumption holds these data cannot say; whether its remedy does better on pairs that
    it has not seen, they can.
    """
    found: list[Remedy] = []
    for one in diagnoses:
        options = one.measurement.remedy
        if one.verdict not in ("found", "assumed") or not options:
            continue
        same = next((r for r in found if r.options == options), None)
        if same is not None:
            found[found.index(same)] = Remedy(same.options, (*same.answers, one))
        else:
            found.append(Remedy(options, (one,)))
    return tuple(found)


def joined(first: Options, second: Options) -> Options | None:
    """Both together; None where they set one option (`objective.risk`) to different values."""
    both: dict[str, dict[str, Any]] = {name: dict(section) for name, section in first.items()}
    for name, section in second.items():
        into = both.setdefault(name, {})
        if any(option in into and into[option] != value for option, value in section.items()):
            return None
        into.update(section)
    return both


def remedy_of(
    diagnoses: Iterable[Diagnosis], trial: Callable[[Options, Options, int], Trial] | str
) -> Choice:
    """One configuration that answers what was found or is assumed, as far as that is worth it.

    Each remedy is tried against plain; those for which the trial speaks are taken one after the
    other, the largest gain first, each where it does better still beside those that are taken.

    Args:
        diagnoses: of the audit.
        trial: compares options with others on pairs that neither was fitted to, as one of so many
            that are tried; or why that cannot be done: then plain training is the answer.
    """
    offered = remedies_of(diagnoses)
    if isinstance(trial, str):
        unknown = Trial(None, None, trial)
        return Choice({}, (), tuple(TriedRemedy(one, unknown) for one in offered), trial)
    tries = len(offered)
    alone = [TriedRemedy(one, trial({}, one.options, tries)) for one in offered]
    options: Options = {}
    taken: list[TriedRemedy] = []
    left = [one for one in alone if one.trial.against]
    for one in sorted((t for t in alone if not t.trial.against), key=_worth, reverse=True):
        both = joined(options, one.remedy.options)
        if both is None:
            why = Trial(None, None, "it sets an option that another one sets, which gains more")
            left.append(TriedRemedy(one.remedy, why))
            continue
        tried = TriedRemedy(one.remedy, trial(options, both, tries)) if taken else one
        if tried.trial.against:
            left.append(tried)
        else:
            options = both
            taken.append(tried)
    return Choice(options, tuple(taken), tuple(left))


def _worth(one: TriedRemedy) -> float:
    gain = one.trial.gain
    return -1.0 if gain is None or gain.estimate is None else gain.estimate
