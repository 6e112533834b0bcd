"""The demo's page: what the audit found, the remedy, the proof, and what to type next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from surefoot.auditing.diagnosis import Verdict, configuration_lines
from surefoot.auditing.document import AuditDocument, DiagnosisDocument, LabelsDocument
from surefoot.auditing.picture import Picture
from surefoot.demo.story.data import DemoData
from surefoot.demo.story.steps import AUDIT, EVALUATION, DemoStep, DoneSteps, demo_steps
from surefoot.report.charts import dot_interval_chart
from surefoot.report.page import environment_of
from surefoot.report.pictures import CAPTIONS, drawn
from surefoot.report.words import Outcome, counted, interval, outcome
from surefoot.statistics import Comparison, Estimate

#: Of the differences, that of all pairs; sources beside it.
WHOLE = "all pairs"
#: What the reader's own file is called in commands.
YOURS = "PAIRS.jsonl"


@dataclass(frozen=True)
class Proof:
    """The remedy against plain training, on pairs that neither saw."""

    remedy: Estimate  #: accuracy with it
    plain: Estimate  #: accuracy without it
    differences: Mapping[str, Comparison]  #: of accuracy: of all pairs first, then by source
    adjusted: Mapping[str, float | None] = field(default_factory=dict)  #: p-values of sources

    @classmethod
    def read(cls, evaluation: Mapping[str, Any]) -> Proof:
        """What `evaluation.json` says of its one set of pairs."""
        (found,) = (one["comparison"] for one in evaluation["results"].values())
        sources = {name: _comparison(one) for name, one in found["sources"].items()}
        adjusted = {name: found["adjusted_p_values"].get(f"source: {name}") for name in sources}
        return cls(
            remedy=Estimate.read(found["first"]),
            plain=Estimate.read(found["baseline"]),
            differences={WHOLE: _comparison(found["accuracy"]), **sources},
            adjusted=adjusted,
        )

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """What each difference shows; of sources, corrected for their number."""
        return {
            name: outcome(one, self.adjusted.get(name)) for name, one in self.differences.items()
        }

    @property
    def sentence(self) -> str:
        """Both, and the difference on all pairs."""
        whole = self.differences[WHOLE].difference
        return (
            f"Of {counted(whole.n, 'pair')} that neither model saw, the remedy orders "
            f"{interval(self.remedy)} as they are labelled, plain training {interval(self.plain)}: "
            f"a difference of {interval(whole, signed=True)}, {self.outcomes[WHOLE]}."
        )


@dataclass(frozen=True)
class Story:
    """What the commands of a demo left, read from their files."""

    data: DemoData
    audit: AuditDocument
    labels: LabelsDocument  #: of the audit
    configuration: str  #: `remedy.yaml`, as the audit wrote it
    proof: Proof
    done: DoneSteps

    @classmethod
    def read(cls, folder: Path, data: DemoData, done: DoneSteps) -> Story:
        """Read a demo whose steps are all done."""
        audit = AuditDocument.model_validate_json((folder / AUDIT / "audit.json").read_bytes())
        assert audit.labels is not None  # an audit of pairs
        return cls(
            data=data,
            audit=audit,
            labels=audit.labels,
            configuration=(folder / AUDIT / "remedy.yaml").read_text(encoding="utf-8"),
            proof=Proof.read(json.loads((folder / EVALUATION / "evaluation.json").read_bytes())),
            done=done,
        )

    def of(self, verdict: Verdict) -> list[DiagnosisDocument]:
        """What the audit says of labels with one verdict, the gravest first."""
        return [one for one in self.labels.diagnoses if one.verdict == verdict]

    @property
    def damage(self) -> str:
        """How much damage was found, of what was planted."""
        found = {one.kind: one.count for one in self.audit.findings}
        if not self.data.planted:
            rows = counted(sum(found.values()), "row")
            return f"The checks found damage in {rows}." if found else "No damage was found."
        seen = ((kind, found.get(kind, 0), n) for kind, n in self.data.planted.items())
        listed = ", ".join(f"{kind.replace('-', ' ')} {n} of {all_}" for kind, n, all_ in seen)
        return f"Rows found, of those that were planted: {listed}."

    @property
    def options(self) -> tuple[str, ...]:
        """The remedy's lines of a configuration."""
        return configuration_lines(self.labels.remedy.options)

    @property
    def next_steps(self) -> tuple[DemoStep, ...]:
        """What to type on pairs of one's own."""
        return demo_steps(YOURS, Path())

    @property
    def headline(self) -> tuple[str, str]:
        """Tone, and a sentence that says what to do."""
        proof, whole = self.proof, self.proof.differences[WHOLE].difference
        pairs = f"{counted(whole.n, 'pair')} that neither model saw"
        change = f"{interval(whole, signed=True)} of accuracy"
        if not self.labels.remedy.taken:
            return "doubt", self.labels.remedy.sentence
        if proof.outcomes[WHOLE] == "better":
            options = ", ".join(self.options)
            return "good", f"Train with {options}: on {pairs} it is better than plain, by {change}."
        if proof.outcomes[WHOLE] == "worse":
            return "bad", f"Train plainly: on {pairs} the remedy is worse, by {change}."
        return "doubt", f"Collect more pairs: on {pairs} the remedy does not show, by {change}."


def story_page(story: Story) -> str:
    """The page of a demo, in the order of the job."""
    tone, sentence = story.headline
    return (
        environment_of("surefoot.demo.story")
        .get_template("story.html.jinja")
        .render(
            story=story,
            tone=tone,
            sentence=sentence,
            pictures={one.diagnostic: _picture(one) for one in story.of("found")},
            differences=dot_interval_chart(
                list(story.proof.differences),
                {"remedy": [one.difference for one in story.proof.differences.values()]},
                0.0,
                axis="accuracy with the remedy, less that of plain training",
                reference_label="no difference",
            ),
        )
    )


def _picture(found: DiagnosisDocument) -> tuple[Markup, str] | None:
    """What a diagnosis is seen by, where it has a picture of its own, and how it is read."""
    if found.picture is None:
        return None
    picture = Picture.read(found.picture)
    return drawn(picture), CAPTIONS[picture.kind]


def _comparison(content: Mapping[str, Any]) -> Comparison:
    return Comparison(Estimate.read(content["difference"]), content["p_value"])
