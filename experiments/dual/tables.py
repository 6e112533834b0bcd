"""Tables of the experiment on running duals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.statistics import Estimate

if TYPE_CHECKING:
    from experiments.dual.experiment import Settings

_NONE = "refused"


def markdown(figures: dict[str, Any], settings: Settings) -> str:
    """Both tables."""
    return "\n".join([*_estimates(settings, figures), "", *_training(settings, figures), ""])


def _cell(row: dict[str, Any], name: str, spec: str = ".3f") -> str:
    return format(Estimate(**row[name]), spec) if name in row else _NONE


def _estimates(settings: Settings, figures: dict[str, Any]) -> list[str]:
    lines = [
        f"What steps estimate, as a share of the robust value of all {settings.losses} losses "
        f"(exponential); {settings.seeds} seeds, {settings.passes} passes of which the last half "
        f"is averaged; micro-batches of {settings.micro_batch}:",
        "",
        "| risk | pairs in a step | `step` | `dual` | micro-batches |",
        "|---|---|---|---|---|",
    ]
    for row in figures["estimates"]:
        cells = [_cell(row, name) for name in ("step", "dual", "micro-batches")]
        lines.append(f"| {row['risk']} | {row['pairs']} | {' | '.join(cells)} |")
    return lines


def _training(settings: Settings, figures: dict[str, Any]) -> list[str]:
    steps = settings.checkpoints
    lines = [
        "Gap to the exact robust minimum of the average of the second half of the path, in "
        f"steps of {settings.step_size}; {settings.pairs} pairs, {settings.features} features, "
        f"{settings.seeds} seeds. *Rate*: slope of log gap against log steps from "
        f"{settings.fitted_from} on; theory has -.5 for unbiased gradients of a convex function:",
        "",
        "| risk | estimate | " + " | ".join(map(str, steps)) + " | rate |",
        "|---" * (3 + len(steps)) + "|",
    ]
    for row in figures["training"]:
        gaps = [format(row["gaps"][str(step)]["estimate"], ".4f") for step in steps]
        rate = format(Estimate(**row["rate"]), ".2f")
        lines.append(f"| {row['risk']} | {row['estimate']} | {' | '.join(gaps)} | {rate} |")
    return lines
