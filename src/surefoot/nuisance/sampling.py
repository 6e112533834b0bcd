"""Drawing reference responses: in batches, with a seed for each, resumable after a kill."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from surefoot.boundary.json_texts import json_value
from surefoot.data.keys import prompt_key
from surefoot.data.rendering.messages import opening
from surefoot.data.rendering.tokens import TokenReader
from surefoot.data.schema import Fault, Preferences
from surefoot.data.text import Prompt, with_extra
from surefoot.errors import ConfigurationError, DataError
from surefoot.nuisance.reference import LanguageModelReference
from surefoot.nuisance.vllm import continue_by_vllm
from surefoot.pretrained import Tokenizer
from surefoot.scorers.language.architecture import positions_in, require_rows
from surefoot.scorers.language.generation import continuations, ends_of, response_text
from surefoot.scorers.language.loading import load_model, load_tokenizer
from surefoot.scorers.language.reference import weights_key

#: From token ids and a seed to new token ids, with the end token where there is one.
Writer = Callable[[list[list[int]], int], list[list[int]]]

#: What was drawn, one line for each prompt after the law.
REFERENCES = "references.jsonl"


@dataclass(frozen=True)
class ReferenceResponses:
    """Reference responses, with the law that they are drawn from."""

    responses: dict[int, list[str]]  #: 2 M texts for each prompt, by its key
    law: dict[str, Any]  #: how they were drawn, in full, for the column `reference_law`
    unfinished: float  #: share of responses that were cut at the largest number of tokens


@dataclass(frozen=True)
class PromptReader:
    """Reads the prompts of comparisons alone, as those do who write responses."""

    tokenizer: Tokenizer

    def refusals(self, preferences: Preferences) -> dict[int, Fault]:
        """Rows whose prompts the chat template cannot write, by their positions, and why."""
        faults: dict[int, Fault] = {}
        places = preferences.read("file", "row")
        for i, (prompt, (file, row)) in enumerate(zip(preferences.prompts(), places, strict=True)):
            try:
                opening(self.tokenizer, prompt)
            except DataError as error:
                faults[i] = Fault(file, row, str(error))
        return faults


def distinct_prompts(preferences: Preferences) -> dict[int, Prompt]:
    """The prompts of N comparisons by their keys, in order of appearance."""
    found: dict[int, Prompt] = {}
    for prompt in preferences.prompts():
        found.setdefault(prompt_key(prompt), prompt)
    return found


def draw(
    source: LanguageModelReference,
    prompts: Mapping[int, Prompt],
    seed: int,
    kept: Path | Callable[[Mapping[str, Any]], Path],
) -> ReferenceResponses:
    """Draw 2 M responses to each prompt, or go on with what a file holds already.

    A batch holds whole prompts and has a seed of its own, so a run that was killed ends with the
    same responses as one that was not.

    Args:
        source: model and law.
        prompts: distinct ones by their keys.
        seed: of everything random.
        kept: JSON lines, one for each prompt, appended batch by batch; the first line is the law.
            Or a function of the law that says where they are.

    Raises:
        ConfigurationError: what is there was drawn by another law or for other prompts.
        DataError: a prompt that is longer than the model can read.
    """
    tokenizer = load_tokenizer(source.model)
    model = load_model(source.model, "policy")
    require_rows(model, tokenizer)
    law = {
        **source.law.model_dump(mode="json"),
        "model": source.model,
        "weights": weights_key(model, adapters=True),
        "engine": source.engine,
        "batch": source.batch,
        "pairs": source.pairs,
        "seed": seed,
        "prompts": _digest(list(prompts)),
    }
    path = kept(law) if callable(kept) else kept
    known = _known(path, law)
    ends = ends_of(model, tokenizer)
    size = max(1, source.batch // (2 * source.pairs))
    keys, all_prompts = list(prompts), list(prompts.values())
    openings = list(map(TokenReader(tokenizer).opening, all_prompts))
    _require_room(all_prompts, openings, positions_in(model.config), source.law.max_new_tokens)
    order = sorted(range(len(prompts)), key=lambda i: len(openings[i]))
    write = _writer(source, model, tokenizer)
    with (
        path.open("a", encoding="utf-8") as file,
        tqdm(total=len(prompts), desc="sampling", unit="prompt", disable=None, leave=False) as bar,
    ):
        for number, start in enumerate(range(0, len(order), size)):
            rows = order[start : start + size]
            bar.update(len(rows))
            if all(keys[i] in known for i in rows):
                continue
            given = [openings[i] for i in rows for _ in range(2 * source.pairs)]
            new = write(given, seed * 1_000_003 + number)
            for place, i in enumerate(rows):
                if keys[i] in known:  # of a batch that was torn apart
                    continue
                own = new[place * 2 * source.pairs : (place + 1) * 2 * source.pairs]
                record = {
                    "key": keys[i],
                    **_given(all_prompts[i]),
                    "references": [response_text(tokenizer, ids, ends) for ids in own],
                    "unfinished": sum(not ids or ids[-1] not in ends for ids in own),
                }
                known[keys[i]] = record
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
    responses = {key: list(known[key]["references"]) for key in keys}
    cut = sum(known[key]["unfinished"] for key in keys)
    return ReferenceResponses(responses, law, cut / (2 * source.pairs * len(prompts)))


def _writer(source: LanguageModelReference, model: Any, tokenizer: Any) -> Writer:
    if source.engine == "vllm":
        return continue_by_vllm(source.model, tokenizer, ends_of(model, tokenizer), source.law)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)

    def write(openings: list[list[int]], seed: int) -> list[list[int]]:
        torch.manual_seed(seed)
        return continuations(model, tokenizer, openings, source.law)

    return write


def _given(prompt: Prompt) -> dict[str, Any]:
    """The columns of a prompt, without those that are not given."""
    columns = prompt._asdict() | {"prompt": [with_extra(turn) for turn in prompt.prompt]}
    return {name: value for name, value in columns.items() if value is not None}


def _require_room(
    prompts: Sequence[Prompt], openings: Sequence[Sequence[int]], positions: int, new: int
) -> None:
    over = [i for i, ids in enumerate(openings) if len(ids) + new > positions]
    if over:
        start = " ".join(turn["content"] for turn in prompts[over[0]].prompt)[:60]
        raise DataError(
            f"{len(over)} of {len(prompts)} prompts leave no room for {new} new tokens in a model "
            f"of {positions} positions; the first begins {start!r}. Lower law.max_new_tokens, or "
            "leave these rows out."
        )


def _known(path: Path, law: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """What was drawn before, by prompt key; a new file starts with the law."""
    lines = _whole_lines(path)
    if not lines:
        path.write_text(json.dumps({"law": law}) + "\n", encoding="utf-8")
        return {}
    before = lines[0].get("law")
    if before != law:
        known = before if isinstance(before, dict) else {}
        names = sorted(k for k in law if known.get(k) != law[k])
        raise ConfigurationError(
            f"{path} was drawn by another law (other {', '.join(names)}). Name another output, or "
            "begin anew (--overwrite in place of --resume)."
        )
    for number, line in enumerate(lines[1:], start=2):
        texts = line.get("references")
        counts = isinstance(line.get("key"), int) and isinstance(line.get("unfinished"), int)
        if not (
            counts
            and isinstance(texts, list)
            and len(texts) == 2 * law["pairs"]
            and all(isinstance(text, str) for text in texts)
        ):
            raise _damaged(path, number)
    return {line["key"]: line for line in lines[1:]}


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """Lines that were written to their end; what a kill left of the last one is cut off."""
    if not path.is_file():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    os.truncate(path, len(whole))
    records = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            value = json_value(line)
        except DataError:
            raise _damaged(path, number) from None
        if not isinstance(value, dict):
            raise _damaged(path, number)
        records.append(value)
    return records


def _damaged(path: Path, number: int) -> ConfigurationError:
    return ConfigurationError(
        f"{path}, line {number} is not what surefoot sample wrote: it cannot be resumed. Name "
        "another output, or pass --overwrite."
    )


def _digest(keys: Sequence[int]) -> str:
    return hashlib.blake2b(np.array(keys, dtype=np.int64).tobytes(), digest_size=16).hexdigest()
