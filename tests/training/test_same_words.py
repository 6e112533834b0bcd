"""Audits, trainers and writers read the same words of the same rows."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import templates
from encoders import WORDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from language_models import llama, llama_reward, save
from templates import TEMPLATES, template_tokenizer

from surefoot.cli.app import app
from surefoot.data import Preferences, read_preferences
from surefoot.data.checks import check
from surefoot.data.rendering.embedding_texts import read_by_encoder
from surefoot.data.rendering.notes import IDENTICAL, REFUSED, remark_of, remarks
from surefoot.data.rendering.tokens import TokenReader
from surefoot.errors import DataError
from surefoot.judge.question import Pair
from surefoot.nuisance.reference import LanguageModelReference
from surefoot.objectives import Objective
from surefoot.objectives.risks.mean import Mean
from surefoot.online.prompts import prompt_set
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer, Encoder, EncoderOptions
from surefoot.scorers.embeddings.features import embed
from surefoot.scorers.loading import of_transformers
from surefoot.scorers.trained import readable
from surefoot.training import RunConfig, train
from surefoot.training.drpo.on_policy import Writer
from surefoot.training.language.pairs import TrainingPairs

QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck)
)  # fixtures are not changed by examples

words = st.lists(st.sampled_from([*WORDS[:6], "<think>a</think>"]), max_size=14).map(" ".join)
answers = st.one_of(words, st.sampled_from(["yes", "Yes", "yes no", "yes  no"]))


@st.composite
def rows(draw):
    """Talks and plain text, some with a system turn, reasoning or no prompt at all."""
    if draw(st.booleans()):
        return {
            "prompt": draw(words),
            "response_a": draw(answers),
            "response_b": draw(answers),
            "label": 1.0,
        }
    turns = enumerate(draw(st.lists(words, max_size=3)))
    prompt = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in turns]
    if prompt and draw(st.booleans()):
        prompt.insert(0, {"role": "system", "content": draw(words)})
    sides = []
    for _ in range(2):
        side = {"role": "assistant", "content": draw(answers)}
        if draw(st.integers(0, 4)) == 0:
            side["reasoning_content"] = draw(words)
        sides.append([side])
    return {"prompt": prompt, "response_a": sides[0], "response_b": sides[1], "label": 1.0}


@given(st.lists(rows(), min_size=1, max_size=5), st.sampled_from(list(TEMPLATES)), st.data())
@QUICK
def test_the_audit_finds_what_the_trainer_does(given, name, data):
    """Sentence by sentence, row by row, whatever the template and the length."""
    preferences, n = Preferences.from_rows(given), len(given)
    tokenizer, limit = template_tokenizer(TEMPLATES[name]), data.draw(st.integers(4, 60))
    report = check(preferences, tokenizer=tokenizer, max_length=limit)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trained = TrainingPairs.of(preferences, tokenizer, Objective(), "rewards", limit)
    except DataError as error:  # no pair is left
        told, kept = str(error), []
    else:
        told, kept = " ".join(trained.notes), trained.preferences.dataset["row"][:]
    parts = {
        part
        for found in TokenReader(tokenizer).rows(list(preferences.dataset), limit)
        for part in found.marks
    }
    for remark in {*remarks(limit), *(remark_of(part, limit) for part in parts)}:
        found = report.of(remark.kind)
        sentence = f"{found.count if found else 0} of {n} pairs {remark.predicate}."
        assert (sentence in told) == bool(found)
    lost = [report.of(kind) for kind in (IDENTICAL.kind, "identical-responses", REFUSED.kind)]
    gone = {row for found in lost if found for row in found.positions.tolist()}
    assert kept == sorted(set(range(n)) - gone)
    refused = report.of(REFUSED.kind)
    assert (f"{refused.count if refused else 0} of {n} pairs {REFUSED.predicate}" in told) == bool(
        refused
    )


@given(
    st.lists(rows(), min_size=1, max_size=5),
    st.sampled_from([("together",), ("full",), ("response", "product"), ("prompt", "together")]),
    st.integers(8, 24),
)
@QUICK
def test_the_audit_finds_what_a_head_on_embeddings_does(small_encoder, given, views, limit):
    preferences = Preferences.from_rows(given)
    encoder = Encoder(EncoderOptions(name=small_encoder, max_length=limit))
    embedded = embed(preferences, encoder, views)
    found = read_by_encoder(preferences, encoder.tokenizer, encoder.limit, views)
    assert found.identical.tolist() == embedded.identical.tolist()
    assert found.share == pytest.approx(embedded.truncated)
    assert bool(found.cut.any()) == bool(embedded.truncated)
    report = check(preferences, tokenizer=encoder.tokenizer, max_length=encoder.limit, views=views)
    same = [a == b for a, b in zip(*preferences.texts("response"), strict=True)]
    identical = report.of(IDENTICAL.kind)
    expected = np.flatnonzero(embedded.identical.numpy() & ~np.array(same)).tolist()
    assert (identical.positions.tolist() if identical else []) == expected


def long_prompts(path):
    """20 prompts of 400 words, and short answers that differ."""
    prompt = " ".join(WORDS[i % len(WORDS)] for i in range(400))
    lines = [
        {"prompt": f"{prompt} {i}?", "chosen": f"good {WORDS[i]}", "rejected": f"bad {WORDS[i]}"}
        for i in range(20)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


@pytest.mark.parametrize("kind", ["encoder", "policy", "reward-model"])
def test_short_answers_to_long_prompts_are_not_cut_to_the_same(
    tmp_path, capsys, small_encoder, kind
):
    data = long_prompts(tmp_path / "long.jsonl")
    made = {"policy": llama, "reward-model": llama_reward}
    place = small_encoder
    if kind in made:
        place = save(tmp_path / kind, made[kind](), template_tokenizer(None))
    app(["audit", data, "--tokenizer", place, "--max-length", "40"], standalone_mode=False)
    said = " ".join("".join(capsys.readouterr()).split())
    assert IDENTICAL.kind not in said
    reader = "a head on the embeddings" if kind == "encoder" else f"a {kind.replace('-', ' ')}"
    assert f"read as by {reader}" in said
    lost = "text-cut: 20 (100.0%)" if kind == "encoder" else "prompt-cut: 20 (100.0%)"
    assert lost in said


@pytest.mark.parametrize("name", TEMPLATES)
def test_whoever_writes_goes_on_from_the_trainer_s_prompt(name):
    """DRPO's samples, online training and reference responses: the same token ids."""
    tokenizer = template_tokenizer(TEMPLATES[name])
    side = [[{"role": "assistant", "content": text}] for text in ("Yes", "No")]
    prompts = [
        [{"role": "user", "content": "On tea?"}],
        [{"role": "user", "content": "On <|im_start|> bread?"}],
    ]
    given = [
        {"prompt": p, "response_a": side[0], "response_b": side[1], "label": 1.0} for p in prompts
    ]
    given.append({"prompt": "On maps?", "response_a": "yes", "response_b": "no", "label": 1.0})
    preferences = Preferences.from_rows(given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = TrainingPairs.of(preferences, tokenizer, Objective(), "token sums", 300)
    expected = [prompt for prompt, *_ in trained.tokens.read(np.arange(3))]
    writer = Writer(preferences, tokenizer, 2, 8, 8, 300)
    assert [ids.tolist() for ids in writer.openings] == expected
    online = prompt_set(preferences, False, tokenizer, Mean(), 300)
    assert sorted(online.ids) == sorted(expected)
    assert online.dataset(tokenizer)["opening"][:] == online.ids


@pytest.fixture
def talks(tmp_path):
    """A file of six talks, of which some have a system turn."""

    def make(*with_system):
        lines = [
            {
                "prompt": [
                    *([{"role": "system", "content": "Be short."}] if i in with_system else []),
                    {"role": "user", "content": f"On {WORDS[i]}?"},
                ],
                "chosen": [{"role": "assistant", "content": f"good {WORDS[i]}"}],
                "rejected": [{"role": "assistant", "content": "bad"}],
            }
            for i in range(6)
        ]
        path = tmp_path / "talks.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return str(path)

    return make


def test_a_row_that_the_template_refuses_is_left_out_everywhere(tmp_path, trained, talks):
    """Named by the trainer, for the held-out pairs, and by who scores them."""
    preferences = read_preferences(talks(3))
    tokenizer = template_tokenizer(templates.NO_SYSTEM)
    with pytest.warns(UserWarning, match=r"1 of 6 pairs cannot be .*row 4: .*no system role"):
        trainer = trained(data=preferences, tokenizer=tokenizer, eval_data=preferences)
    assert len(trainer.pairs) == len(trainer.eval_pairs[""]) == 5
    place = save(tmp_path / "model", llama_reward(), tokenizer)
    model = of_transformers(place)
    said = []
    kept = readable([model], preferences, said.append)
    assert kept.dataset["row"][:] == [1, 2, 3, 5, 6]
    assert [fault.row for fault in kept.faults] == [4]
    assert "1 of 6 pairs cannot be written" in said[0]
    assert np.isfinite(model.scores(kept)).all()
    with pytest.raises(DataError, match="row 4: the chat template refuses"):
        model.scores(preferences)


@pytest.mark.parametrize(
    ("with_system", "on_error", "error"),
    [
        ((3,), "skip", None),
        ((3,), "fail", "cannot write 1 of 6 pairs, and at most 0% may be left out.*row 4"),
        ((0, 1, 2, 3), "skip", "cannot write 4 of 6 pairs, and at most 50%.*no system role"),
    ],
)
def test_a_run_goes_on_without_some_rows_and_not_without_most(
    tmp_path, talks, with_system, on_error, error
):
    place = save(tmp_path / "model", llama(), template_tokenizer(templates.NO_SYSTEM))
    config = RunConfig(
        data={"train": [talks(*with_system)], "on_error": on_error},
        scorer={"kind": "policy", "model": place, "max_length": 64},
        training={"epochs": 1, "pairs_per_step": 2, "micro_batch_pairs": 2},
        output=str(tmp_path / "run"),
    )
    said = []
    if error is None:
        run = train(config, say=said.append)
        assert any("1 of 6 pairs cannot be written" in line and "row 4" in line for line in said)
        assert (
            json.loads((run.folder / "manifest.json").read_text())["figures"]["cuts"]["refused"]
            == 1
        )
        return
    with pytest.raises(DataError, match=error):
        train(config, say=said.append)
    assert not (tmp_path / "run" / "config.json").exists()


def test_responses_are_drawn_for_the_prompts_that_can_be_written(tmp_path, talks):
    place = save(tmp_path / "model", llama(), template_tokenizer(templates.NO_SYSTEM))
    source = LanguageModelReference(model=place, pairs=1, law={"max_new_tokens": 3})
    said = []
    usable = source.usable(read_preferences(talks(3)), said.append)
    assert usable.dataset["row"][:] == [1, 2, 3, 5, 6]
    assert "row 4: the chat template refuses" in said[0]
    found = source.collect(usable, 0, tmp_path, said.append)
    assert [len(one) for one in found.responses] == [2] * 5
    with pytest.raises(DataError, match="6 of 6 pairs cannot be written"):
        source.usable(read_preferences(talks(*range(6))), said.append)


def test_a_head_says_what_it_does_not_read(tmp_path, small_encoder):
    """In training, and when it scores."""
    long = Path(long_prompts(tmp_path / "long.jsonl"))
    lines = [json.loads(line) for line in long.read_text().splitlines()]
    for line in lines[:5]:
        line["prompt"] = [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": line["prompt"]},
        ]
        for side in ("chosen", "rejected"):
            line[side] = [{"role": "assistant", "content": line[side]}]
    path = tmp_path / "mixed.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    scorer = {"kind": "embedding", "encoder": {"name": small_encoder, "max_length": 40}}
    config = RunConfig(data={"train": [str(path)]}, scorer=scorer, output=str(tmp_path / "run"))
    said = []
    model = train(config, say=said.append).model
    told = " ".join(said)
    cut = "100.0% of the texts that the encoder reads are longer than 40 tokens"
    assert cut in told
    assert "5 of 20 pairs have a system turn, earlier turns or tools" in told
    model.scores(read_preferences(path))
    last_turns = EmbeddingScorer(encoder=scorer["encoder"], views=("prompt", "response"))
    of_the_last_turn = EmbeddingRewardModel(last_turns).fit(read_preferences(path))
    of_the_last_turn.scores(read_preferences(path))
    assert any("which the head does not see" in note for note in of_the_last_turn.notes())
    cut_said, unread = model.notes()
    assert cut in cut_said
    assert "5 of 20 pairs have a system turn, earlier turns or tools" in unread
    report = check(
        read_preferences(path), tokenizer=model.encoder.tokenizer, max_length=40, views=["together"]
    )
    assert cut in report.of("text-cut").meaning


def test_tools_are_part_of_the_prompt_for_whoever_reads_texts():
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    side = [[{"role": "assistant", "content": text}] for text in ("yes", "no")]
    row = {"prompt": [{"role": "user", "content": "On tea?"}], "label": 1.0}
    row |= {"response_a": side[0], "response_b": side[1]}
    preferences = Preferences.from_rows([row, row | {"tools": tools}])
    for view, shown in (("full", True), ("prompt", True), ("together", False)):
        assert ["look_up" in text for text in preferences.texts(view)[0]] == [False, shown]
    assert len(set(preferences.prompt_keys().tolist())) == 2
    plain, with_tools = preferences.prompts()
    asked = Pair.of(with_tools, side[0], side[1], 1000).prompt
    assert "look_up" in asked
    assert Pair.of(plain, side[0], side[1], 1000).prompt == "On tea?"
