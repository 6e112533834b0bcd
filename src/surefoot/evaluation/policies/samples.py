"""What policies wrote: read from files, matched with prompts, judged beside data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from surefoot.arrays import Floats
from surefoot.boundary.json_texts import json_value
from surefoot.data.keys import prompt_key
from surefoot.data.reading import fields
from surefoot.data.references import against
from surefoot.data.schema import Preferences
from surefoot.data.sources.origins import origins_of
from surefoot.data.text import Message, Prompt, to_messages, to_text
from surefoot.errors import ConfigurationError, DataError
from surefoot.runs import require_finished
from surefoot.scorers import LanguageModel, PolicyScorer, TrainedScorer
from surefoot.scorers.trained import rewards_of

_FORM = (
    "one prompt a line with its `references` (responses), as `surefoot sample` writes them, or one "
    "`completion` a line, as TRL logs them"
)
#: What a law says of draws from the policy as it is.
_ITS_OWN: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "banned": [], "min_new_tokens": 0}


@dataclass(frozen=True)
class WrittenResponses:
    """A prompt, what a policy wrote to it, and what that is worth where the file says so."""

    prompt: Prompt
    responses: list[list[Message]]
    gold: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Samples:
    """Responses of one policy."""

    place: str  #: the file
    written: dict[int, WrittenResponses]  #: by the key of the prompt
    laws: tuple[Mapping[str, Any], ...]  #: how they were drawn, where the file says so

    @property
    def altered(self) -> dict[str, Any]:
        """Settings of the law by which these are not draws from the policy as it is."""
        return {
            name: law[name]
            for law in self.laws
            for name, plain in _ITS_OWN.items()
            if law.get(name, plain) != plain
        }


def read_samples(path: str | Path) -> Samples:
    """Responses of a policy from JSON lines.

    Each row holds `prompt` and `references`, texts or messages; `gold`, if given, holds a number
    for each of these. Or each row holds one `completion`, and one number as `gold`. Other columns
    are left alone. The law is a line of its own (`{"law": ...}`), or the column `reference_law`.

    Raises:
        DataError: no such file, or a row that does not hold both; the message names it.
        ConfigurationError: the `surefoot sample` that writes it was not finished.
    """
    require_finished(Path(path).parent)
    rows = ((origin.place, row) for origin in origins_of(path) for row in origin.records())
    written: dict[int, WrittenResponses] = {}
    laws: dict[str, Mapping[str, Any]] = {}
    for place, numbered in rows:
        try:
            if numbered.record is None:
                raise DataError(numbered.reason)
            record = dict(numbered.record)
            law = record.get("law", record.get("reference_law"))
            if law is not None:
                parsed = _law(law)
                laws[json.dumps(parsed, sort_keys=True, default=str)] = parsed
            if set(record) == {"law"}:
                continue
            alone = "references" not in record and record.get("completion") is not None
            entry = _written(_of_one(record) if alone else record)
        except DataError as error:
            raise DataError(f"{place}, row {numbered.row}: {str(error).rstrip('.')}.") from None
        known = written.setdefault(prompt_key(entry.prompt), entry)
        if known is not entry and (alone or known.responses != entry.responses):
            known.responses.extend(entry.responses)
            known.gold.extend(entry.gold)
    if not written:
        raise DataError(f"{path} holds no responses. It takes {_FORM}.")
    return Samples(str(path), written, tuple(laws.values()))


def _of_one(record: Mapping[str, Any]) -> dict[str, Any]:
    """A row of one completion as one of several."""
    gold = {} if record.get("gold") is None else {"gold": [record["gold"]]}
    return {**record, "references": [record["completion"]], **gold}


def _written(record: Mapping[str, Any]) -> WrittenResponses:
    for name in ("prompt", "references"):
        if not record.get(name):
            raise DataError(
                f"the column {name!r} is missing or empty; a file of samples has {_FORM}"
            )
    given = record["prompt"]
    responses = fields.listed(record["references"], "references")
    plain = isinstance(given, str) and all(isinstance(r, str) for r in responses)
    kinds: dict[str, Any] = {"tools": list, "template_arguments": dict}
    tools, arguments = (
        fields.json_text(record[name], name, kind) if record.get(name) else None
        for name, kind in kinds.items()
    )
    conversational = bool(record.get("conversational", not plain))
    gold = record.get("gold")
    numbers = (
        [] if gold is None else [fields.number(v, "gold") for v in fields.listed(gold, "gold")]
    )
    if len(numbers) != len(responses) and gold is not None:
        raise DataError(
            f"'gold' holds a number for each of the {len(responses)} 'references'; got "
            f"{len(numbers)}"
        )
    return WrittenResponses(
        Prompt(to_messages(given, role="user"), conversational, tools, arguments),
        [to_messages(response, role="assistant") for response in responses],
        numbers,
    )


def _law(column: Any) -> Mapping[str, Any]:
    try:
        found = json_value(column) if isinstance(column, str) else column
    except DataError:
        found = column
    return found if isinstance(found, Mapping) else {"law": found}


def sampled_auxiliary(
    auxiliary: TrainedScorer, preferences: Preferences, samples: Samples
) -> Floats:
    """Mean over samples of g(X, Y*, Ya) for both responses of N records, shape (N, 2).

    g is the auxiliary model's P(first preferred).

    Raises:
        DataError: prompts without a sample.
    """
    keys = preferences.prompt_keys().tolist()
    require_prompts(preferences.name, samples, dict(zip(keys, preferences.prompts(), strict=True)))
    pairs, owners = against(preferences, [samples.written[key].responses for key in keys])
    found = np.bincount(owners, auxiliary.probabilities(pairs)) / np.bincount(owners)
    return np.asarray(found.reshape(-1, 2), dtype=np.float64)


def sampled_rewards(
    model: TrainedScorer, samples: Samples, source: str | None = None
) -> list[Floats]:
    """Rewards of all responses to each prompt, in the order of the file.

    The source is for models that know sources.

    Raises:
        ConfigurationError: the model judges pairs.
        DataError: a reward is not finite.
    """
    every = list(samples.written.values())
    return rewards_of(
        model,
        [one.prompt for one in every],
        [one.responses for one in every],
        [source] * len(every),
        samples.place,
    )


def gold_of(samples: Samples) -> list[Floats]:
    """The column `gold` of each prompt.

    Raises:
        DataError: it is absent, or given for some responses only.
    """
    every = list(samples.written.values())
    absent = sum(len(one.gold) != len(one.responses) for one in every)
    if absent:
        raise DataError(
            f"{samples.place}: {absent} of {len(every)} prompts have no column 'gold' (a number "
            "for each response). Add it, or name a reward model as a stand-in (--gold RUN)."
        )
    return [np.asarray(one.gold) for one in every]


def log_ratios(policy: TrainedScorer, preferences: Preferences) -> Floats:
    """Log pi - log pi_ref of both responses of N records, in nats, shape (N, 2).

    Raises:
        ConfigurationError: the model is no policy.
    """
    if not isinstance(policy, LanguageModel) or not isinstance(policy.scorer, PolicyScorer):
        raise ConfigurationError(f"the value is that of a policy; {policy.label()} writes nothing.")
    return np.asarray(policy.raw_scores(preferences) / policy.scorer.beta)


def require_prompts(place: str, samples: Samples, prompts: Mapping[int, Prompt]) -> None:
    """Every prompt has samples; those that have none are named."""
    absent = [one.prompt for key, one in prompts.items() if key not in samples.written]
    if absent:
        shown = ", ".join(repr(" ".join(to_text(prompt).split())[:60]) for prompt in absent[:3])
        raise DataError(
            f"{len(absent)} of {len(prompts)} prompts of {place} have no response in "
            f"{samples.place}: {shown}{', ...' if len(absent) > 3 else ''}. Draw samples for these "
            "prompts (surefoot sample), or leave them out."
        )
