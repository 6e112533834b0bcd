"""Readers, checks, suites, rulers, commands, measured coverage, threats: from what the code has."""

from __future__ import annotations

import textwrap
from dataclasses import fields
from importlib import import_module
from typing import Any

import typer
from trl import DPOConfig, RewardConfig

from surefoot.auditing import diagnostics
from surefoot.auditing.judges import judge_diagnostics
from surefoot.auditing.models import model_diagnostics
from surefoot.cli.app import app
from surefoot.cli.options import sections
from surefoot.data import checks
from surefoot.data.labels.codings import CODINGS
from surefoot.data.readers import readers
from surefoot.data.readers.numbered import LABELS
from surefoot.data.schema import FEATURES
from surefoot.evaluation.pairs import rulers
from surefoot.evaluation.suites import suites
from surefoot.objectives import LabelModel, MarginLoss, Regulariser, Risk
from surefoot.training import PreferenceConfig
from surefoot.worlds.planted import faults
from surefoot.worlds.planted_judges import judge_faults
from surefoot_docs.markdown import code, document, paragraphs, prose, table

_STATISTICS = ("intervals", "comparison", "seeds", "groups", "calibration", "shift")

#: Threats of `docs/threats.md`.
THREATS = ("flips", "doubt", "confidence", "likelihood", "offset", "misspecified", "drift")
#: What the threats are called that label models declare, and the directions of risks.
_DECLARED = {
    "flipped labels": "flips",
    "flipped labels, under a risk over pairs": "flips",
    "soft labels in doubt": "doubt",
    "wrong preference model": "misspecified",
    "against shift": "drift",
    "against noise": "flips",
}
_SLOTS = {"labels": LabelModel, "loss": MarginLoss, "risk": Risk, "regularisers": Regulariser}


def parts() -> dict[str, str]:
    """All texts."""
    return {
        "readers": table(("Form", "Columns"), [(r.name, r.accepts) for r in readers()]),
        "codings": table(
            ("Coding", "Meaning"),
            [(code(one.name), one.in_words(("a", "b"))) for one in CODINGS.values()],
        ),
        "checks": every_check(),
        "diagnostics": every_diagnostic(),
        "judge-diagnostics": every_judge_diagnostic(),
        "model-diagnostics": every_model_diagnostic(),
        "suites": suite_sections(),
        "rulers": document(rulers) + "\n\n" + document(rulers.ruler_rewards),
        **{f"coverage-{name}": coverage(name) for name in _STATISTICS},
        "commands": commands(),
        "options-by-section": options_by_section(),
    }


def inline() -> dict[str, str]:
    """Parts of sentences."""
    columns = {"columns": ", ".join(map(code, FEATURES)), "labels": ", ".join(map(code, LABELS))}
    return (
        columns
        | {f"remedies_{threat}": remedies(threat) for threat in THREATS}
        | training_defaults()
    )


def training_defaults() -> dict[str, str]:
    """Defaults of the options whose defaults differ from TRL's, here and there."""
    found = {}
    for name in ("learning_rate", "bf16", "gradient_checkpointing", "logging_steps"):
        ours, dpo, reward = (
            next(one.default for one in fields(cls) if one.name == name)
            for cls in (PreferenceConfig, DPOConfig, RewardConfig)
        )
        theirs = _set(dpo) if dpo == reward else f"{_set(dpo)} (DPO), {_set(reward)} (reward model)"
        found |= {f"our_{name}": _set(ours), f"trl_{name}": theirs}
    return found


def _set(value: object) -> str:
    switched = {None: "off", False: "off", True: "on"}
    return code(value) if type(value) in (int, float) else switched[value]


def coverage(name: str) -> str:
    """What a module of statistics measured of itself."""
    module = import_module(f"surefoot.statistics.{name}")
    return document(module.worst_group if name == "groups" else module)


def every_check() -> str:
    """Every check with what it looks for."""
    return table(
        ("Check", "Looks for"),
        [(one.__name__.replace("_", " "), prose(paragraphs(one)[0])) for one in checks.checks()],
    )


def every_diagnostic() -> str:
    """Every diagnostic: its question, and from which size on the answer is yes."""
    found = {one.diagnostic for one in faults().values()}
    return table(
        ("Diagnostic", "Question", "Found beyond", "Embeds"),
        [
            (
                one.name,
                one.question,
                f"{one.matters:g} {one.unit}" if one.name in found else "nothing: it assumes",
                "yes" if one.embeds else "",
            )
            for one in diagnostics().values()
        ],
    )


def every_judge_diagnostic() -> str:
    """Every diagnostic of judges: its question, and from which size on the answer is yes."""
    found = {one.diagnostic for one in judge_faults().values()}
    return table(
        ("Diagnostic", "Question", "Found beyond"),
        [
            (
                one.name,
                one.question,
                f"{one.matters:g} {one.unit}" if one.name in found else "nothing: it assumes",
            )
            for one in judge_diagnostics().values()
        ],
    )


def every_model_diagnostic() -> str:
    """Every diagnostic of reward models: its question, and from which size on the answer is yes."""
    return table(
        ("Diagnostic", "Question", "Found beyond"),
        [
            (one.name, one.question, f"{one.matters:g} {one.unit}")
            for one in model_diagnostics().values()
        ],
    )


def suite_sections() -> str:
    """Every suite: what it tests, origin, licence, note, files."""
    sections = []
    for suite in suites().values():
        files = ", ".join(code(part.path) for part in suite.parts.values())
        fetched = all(part.url for part in suite.parts.values())
        rows = [
            ("Origin", suite.origin),
            ("Licence", suite.licence),
            ("Note", suite.note),
            ("Files", files),
            ("Fetched from its origin", "yes" if fetched else "no: the public form differs"),
        ]
        given = [(name, value) for name, value in rows if value]
        sections.append(f"## `{suite.name}`\n\n{suite.description}.\n\n{table(('', ''), given)}")
    return "\n\n".join(sections)


def commands() -> str:
    """Every command with its arguments and options."""
    group = typer.main.get_command(app)
    sections = []
    for name, command in group.commands.items():
        text = (command.help or "").partition("For example:")
        shown = [prose(p) for p in text[0].split("\n\n") if p.strip()]
        examples = textwrap.dedent(text[2]).strip()
        rows = [
            (
                code(", ".join(p.opts)) if p.param_type_name == "option" else code(p.name.upper()),
                "required" if p.required else "" if p.default in (None, False) else code(p.default),
                prose(p.help or ""),
            )
            for p in command.params
        ]
        sections.append(
            "\n\n".join(
                [
                    f"## surefoot {name}",
                    *shown,
                    f"```bash\n{examples}\n```",
                    table(("Argument or option", "Default", "Meaning"), rows),
                ]
            )
        )
    return "\n\n".join(sections)


def options_by_section() -> str:
    """For the help of `surefoot train`: sections with their options, slots with their kinds."""
    options, kinds = {}, {}
    for name, cls in sections().items():
        slot, _, kind = name.partition(": ")
        if "." in slot and kind:
            kinds.setdefault(slot, []).append(kind)
        elif name != "the whole" and "online" not in name and kind != "doubly-robust":
            options[name] = list(cls.model_fields)
    lines = [f"- {name}: {', '.join(listed)}" for name, listed in options.items()]
    lines += [f"- kinds of {slot}: {', '.join(sorted(listed))}" for slot, listed in kinds.items()]
    return "\n".join(lines)


def threats_of(cls: type[Any]) -> frozenset[str]:
    """The threats that a member answers, by what it declares."""
    said = None
    if issubclass(cls, LabelModel):
        said = _DECLARED.get(cls.properties.threat)
    elif issubclass(cls, Risk):
        said = _DECLARED.get(cls.properties.direction)
    elif issubclass(cls, MarginLoss) and cls.properties.bounded:
        said = "flips"
    return cls.remedy_for | {said} if said else cls.remedy_for


def remedies(threat: str) -> str:
    """The members that answer a threat, by slot."""
    found = [
        f"[`{place}: {kind}`](methods/{kind}.md)"
        for place, slot in _SLOTS.items()
        for kind, cls in slot.registry.items()
        if threat in threats_of(cls)
    ]
    return f"Now: {', '.join(found)}."
