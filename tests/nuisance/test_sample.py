"""`surefoot sample`: references, the auxiliary model, and what is written."""

from __future__ import annotations

import gzip
import json
import sys
import types
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from encoders import WORDS
from judge_server import Endpoint, Reply, completion
from language_models import byte_tokenizer, llama

from surefoot.data import read_preferences
from surefoot.data.references import references_of
from surefoot.errors import ConfigurationError, DataError, SurefootError
from surefoot.nuisance import Conditions, SampleConfig, sample
from surefoot.nuisance.evidence import PAIRS, RESULT
from surefoot.nuisance.sampling import REFERENCES
from surefoot.objectives import Objective
from surefoot.scorers import EmbeddingRewardModel

PROMPTS, EACH = 12, 4


def _rows(prompts: int = PROMPTS, each: int = EACH, seed: int = 0) -> list[dict]:
    """A tournament: `each` pairs of four responses to every prompt."""
    generator = np.random.default_rng(seed)
    rows = []
    for p in range(prompts):
        pool = [f"{WORDS[(p + k) % len(WORDS)]} answer {k} of {p}" for k in range(4)]
        for _ in range(each):
            a, b = generator.choice(4, 2, replace=False)
            rows.append(
                {
                    "prompt": f"question {p} about {WORDS[p % len(WORDS)]}",
                    "response_a": pool[a],
                    "response_b": pool[b],
                    "label": float(generator.random() < 0.5),
                }
            )
    return rows


@pytest.fixture
def data(tmp_path) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in _rows()))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    made = llama()
    made.generation_config.repetition_penalty = 5.0  # has no say: the law is what is stated
    made.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def _config(data: Path, output: Path, **sections) -> SampleConfig:
    return SampleConfig(
        data={"train": str(data), "damaged": "keep"}, output=str(output), **sections
    )


def _drawn(data: Path, output: Path, model: Path, **options) -> SampleConfig:
    law = {"max_new_tokens": 6, **options.pop("law", {})}
    source = {"kind": "language-model", "model": str(model), "pairs": 2, "law": law, **options}
    return _config(data, output, reference=source, check=False)


def _run(config: SampleConfig, **how):
    return sample(config, Conditions(), **how)


class TestPool:
    def test_every_distinct_pair_is_judged_and_trained_on(self, data, tmp_path, small_fitted):
        config = _config(data, tmp_path / "out", reference="pool", auxiliary=small_fitted)
        _run(config)
        read = read_preferences(tmp_path / "out" / PAIRS)
        assert set(read.strings("reference_law")) == {"pool"}
        for responses, chances in read.read("references", "reference_auxiliary"):
            assert len(chances) == len(responses) * (len(responses) - 1) // 2
            assert all(0.02 <= p <= 0.98 for p in chances)
        references = references_of(read)
        assert np.isinf(references.independent).all()
        assert len(references.independent) == PROMPTS  # rows of a prompt share a set
        objective = Objective(labels={"kind": "control-variate", "coefficient": "shrunk"})
        fitted = EmbeddingRewardModel(small_fitted.scorer, objective).fit(read)
        assert fitted.report_.gap < 1e-6

    def test_prompts_with_one_pair_each_are_refused(self, tmp_path):
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in _rows(each=1)))
        with pytest.raises(DataError, match="control variate is exactly 0"):
            _run(_config(path, tmp_path / "out", reference="pool"))


class TestCrossFitting:
    def test_no_pair_is_judged_by_a_model_that_saw_its_label(self, data, tmp_path, small_fitted):
        """Other labels in one fold leave what is said of that fold as it was."""
        config = _config(data, tmp_path / "one", auxiliary=small_fitted)
        before = _run(config).pairs
        from surefoot.data.splits import folds

        fold = folds(before, small_fitted.folds, by="prompt", seed=0)
        labels = np.where(fold == 0, 1 - before.labels, before.labels)
        changed = small_fitted.judge(before.with_labels(labels), None, Conditions())
        same = small_fitted.judge(before, None, Conditions())
        np.testing.assert_array_equal(changed.pairs[fold == 0], same.pairs[fold == 0])
        assert (changed.pairs[fold != 0] != same.pairs[fold != 0]).any()

    def test_by_label_where_prompts_are_few(self, tmp_path, small_fitted):
        """Votes on one pair share a fold, and a pool's pair is judged as the data's own is.

        Were it judged by the models of other rows, which saw its label, the sum over the pool would
        not cancel the data's term on average.
        """
        rows = _rows(prompts=2, each=30)
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        scorer = small_fitted.scorer.model_copy(update={"fold_by": "row"})
        by_label = small_fitted.model_copy(update={"scorer": scorer, "folds": 2})
        config = _config(path, tmp_path / "out", reference="pool", auxiliary=by_label)
        found = _run(config).pairs
        own: dict[tuple, float] = {}
        for prompt, a, b, chance in found.read("prompt", "response_a", "response_b", "auxiliary"):
            texts = a[0]["content"], b[0]["content"]
            for one, other, p in ((*texts, chance), (*texts[::-1], 1 - chance)):
                known = own.setdefault((prompt[0]["content"], one, other), p)
                assert known == pytest.approx(p)
        compared = 0
        for prompt, pool, chances in found.read("prompt", "references", "reference_auxiliary"):
            texts = [response[0]["content"] for response in pool]
            for (one, other), chance in zip(combinations(texts, 2), chances, strict=True):
                if (prompt[0]["content"], one, other) in own:
                    compared += 1
                    assert own[prompt[0]["content"], one, other] == pytest.approx(chance)
        assert compared > len(found)

    def test_a_pair_that_is_not_in_the_data_is_judged_by_the_model_of_the_row(
        self, tmp_path, small_fitted
    ):
        """Two kinds of rows, two models, two opinions of it."""
        rows = [
            {
                "prompt": "q",
                "response_a": f"{WORDS[i]} answer",
                "response_b": f"{WORDS[i + 1]} answer",
                "label": float(i % 2),
            }
            for i in range(20)
        ]
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        scorer = small_fitted.scorer.model_copy(update={"fold_by": "row"})
        by_label = small_fitted.model_copy(update={"scorer": scorer, "folds": 2})
        config = _config(path, tmp_path / "out", reference="pool", auxiliary=by_label)
        found = _run(config).pairs
        judged = {tuple(chances) for (chances,) in found.read("reference_auxiliary")}
        assert len(judged) == 2

    def test_too_few_prompts_for_the_folds(self, tmp_path, small_fitted):
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in _rows(prompts=2)))
        with pytest.raises(DataError, match="2 different prompts"):
            _run(_config(path, tmp_path / "out", auxiliary=small_fitted))


class TestDraws:
    def test_the_law_is_kept_and_stated(self, data, tmp_path, model):
        found = _run(_drawn(data, tmp_path / "out", model, law={"banned": ["</s>"]}))
        law = json.loads(found.pairs.strings("reference_law")[0])
        assert law["temperature"] == 1.0
        assert law["banned"] == ["</s>"]
        assert law["weights"]
        assert found.collected.figures["unfinished_share"] == 1.0  # it may not end
        assert "reached 6 tokens" in found.collected.notes[0]
        by_prompt = {}
        for prompt, references in found.pairs.read("prompt", "references"):
            assert len(references) == 4
            by_prompt.setdefault(prompt[0]["content"], []).append(references)
        assert all(all(r == rs[0] for r in rs) for rs in by_prompt.values())

    def test_frequencies_are_those_of_the_model(self, model):
        """First tokens of many draws against the softmax: no top-k, no penalties."""
        import torch
        from transformers import AutoModelForCausalLM

        from surefoot.scorers.language.generation import continuations
        from surefoot.scorers.language.law import SamplingLaw
        from surefoot.scorers.language.loading import load_tokenizer

        tokenizer, loaded = load_tokenizer(str(model)), AutoModelForCausalLM.from_pretrained(model)
        given = tokenizer("question")["input_ids"]
        torch.manual_seed(0)
        law = SamplingLaw(max_new_tokens=1, min_new_tokens=0, temperature=0.5)
        drawn = continuations(loaded, tokenizer, [given] * 4000, law)
        with torch.no_grad():
            logits = loaded(torch.tensor([given])).logits[0, -1]
        logits[[tokenizer.pad_token_id, tokenizer.bos_token_id]] = -torch.inf
        expected = (logits / 0.5).softmax(-1)
        counts = torch.bincount(torch.tensor([ids[0] for ids in drawn]), minlength=len(expected))
        # Pearson's statistic over tokens, pooled to cells of at least 20: mean = cells - 1.
        order = expected.argsort(descending=True)
        cells = (4000 * expected[order]).cumsum(0).div(20).floor().unique(return_inverse=True)[1]
        e = torch.zeros(int(cells.max()) + 1).index_add(0, cells, 4000 * expected[order])
        o = torch.zeros_like(e).index_add(0, cells, counts[order].float())
        statistic = float(((o - e).square() / e).sum())
        assert statistic < len(e) + 5 * (2 * len(e)) ** 0.5

    def test_a_tokenizer_without_padding(self, model):
        """As GPT-2's and Llama 3's: the token that fills a batch is one that nobody reads."""
        import torch
        from transformers import AutoModelForCausalLM

        from surefoot.scorers.language.generation import continuations
        from surefoot.scorers.language.law import SamplingLaw
        from surefoot.scorers.language.loading import load_tokenizer

        loaded = AutoModelForCausalLM.from_pretrained(model)
        given, law = [[5, 6, 7, 8, 9], [10]], SamplingLaw(max_new_tokens=4)
        drawn = []
        for padding in (True, False):
            tokenizer = load_tokenizer(str(model))
            if not padding:
                law = law.model_copy(update={"banned": (tokenizer.pad_token,)})
                tokenizer.pad_token = None
            torch.manual_seed(0)
            drawn.append(continuations(loaded, tokenizer, given, law))
        assert drawn[0] == drawn[1]

    def test_a_run_that_was_cut_short_ends_with_the_same_draws(self, data, tmp_path, model):
        whole = _run(_drawn(data, tmp_path / "whole", model, batch=8)).pairs
        out = tmp_path / "cut"
        config = _drawn(data, out, model, batch=8)
        _run(config)
        lines = (out / REFERENCES).read_bytes().splitlines(keepends=True)
        for kept in (1, 4, 7):  # the law alone, a batch torn apart, in the middle
            (out / REFERENCES).write_bytes(b"".join(lines[:kept]) + lines[kept][:20])
            resumed = _run(config, resume=True).pairs
            assert list(resumed.read("references")) == list(whole.read("references"))
            assert (out / REFERENCES).read_bytes().count(b"\n") == len(lines)

    def test_draws_that_were_damaged_are_not_gone_on_with(self, data, tmp_path, model):
        out = tmp_path / "out"
        config = _drawn(data, out, model)
        _run(config)
        path = out / REFERENCES
        lines = path.read_text().splitlines(keepends=True)
        row = json.loads(lines[2])
        for number, damaged in (
            (1, "[1]"),
            (1, '{"law": "x"}'),
            (3, "{}"),
            (3, "[" * 100_000),
            (3, json.dumps({**row, "references": row["references"][1:]})),
            (3, json.dumps({**row, "references": [1] * len(row["references"])})),
            (3, json.dumps({**row, "key": "x"})),
            (3, json.dumps({**row, "unfinished": None})),
        ):
            path.write_text("".join([*lines[: number - 1], damaged + "\n", *lines[number:]]))
            says = "another law" if "law" in damaged[:6] else f"line {number} is not what surefoot"
            with pytest.raises(ConfigurationError, match=says):
                _run(config, resume=True)

    def test_other_laws_are_not_mixed(self, data, tmp_path, model):
        out = tmp_path / "out"
        _run(_drawn(data, out, model))
        with pytest.raises(ConfigurationError, match=r"other law \(other temperature\)"):
            _run(_drawn(data, out, model, law={"temperature": 0.7}), resume=True)

    def test_all_pairs_of_the_draws(self, data, tmp_path, model, small_fitted):
        config = _drawn(data, tmp_path / "out", model, compare="all")
        config = config.model_copy(update={"auxiliary": small_fitted})
        references = references_of(_run(config).pairs)
        assert np.bincount(references.sets).tolist() == [6] * PROMPTS
        assert references.independent.tolist() == [2.0] * PROMPTS

    def test_no_room_for_an_answer(self, data, tmp_path, model):
        with pytest.raises(DataError, match="leave no room for 10000 new tokens"):
            _run(_drawn(data, tmp_path / "out", model, law={"max_new_tokens": 10_000}))

    def test_a_banned_token_that_does_not_exist(self, data, tmp_path, model):
        with pytest.raises(ConfigurationError, match="no token '<nope>'"):
            _run(_drawn(data, tmp_path / "out", model, law={"banned": ["<nope>"]}))

    def test_an_engine_that_is_absent(self, data, tmp_path, model):
        with pytest.raises(ConfigurationError, match="vLLM, which is absent"):
            _run(_drawn(data, tmp_path / "out", model, engine="vllm"))


def test_the_law_reaches_vllm(data, tmp_path, model, monkeypatch):
    """By a stand-in with vLLM's names, as of its sampling_params.py and LLM.generate."""
    asked, loaded = [], []

    class SamplingParams:
        def __init__(
            self,
            *,
            temperature,
            top_p,
            top_k,
            min_tokens,
            max_tokens,
            stop_token_ids,
            logit_bias,
            seed,
            detokenize,
        ):
            self.said = dict(locals())
            del self.said["self"]

    class LLM:
        def __init__(self, model, generation_config):
            loaded.append((model, generation_config))

        def generate(self, prompts, parameters, use_tqdm):
            asked.extend(one.said for one in parameters)
            assert all(set(one) == {"prompt_token_ids"} for one in prompts)
            word = byte_tokenizer().convert_tokens_to_ids(list("hello"))
            outputs = [types.SimpleNamespace(token_ids=[*word, 1])]
            return [types.SimpleNamespace(outputs=outputs) for _ in prompts]

    stand_in = types.ModuleType("vllm")
    stand_in.LLM, stand_in.SamplingParams = LLM, SamplingParams
    monkeypatch.setitem(sys.modules, "vllm", stand_in)
    law = {"temperature": 0.7, "top_p": 0.9, "min_new_tokens": 2, "max_new_tokens": 5}
    found = _run(_drawn(data, tmp_path / "out", model, engine="vllm", law=law)).pairs
    assert loaded == [(str(model), "vllm")]  # not the model's own generation settings
    assert len(asked) == PROMPTS * 4
    assert len({one["seed"] for one in asked}) == len(asked)
    for one in asked:
        assert (one["temperature"], one["top_p"], one["top_k"]) == (0.7, 0.9, -1)
        assert (one["min_tokens"], one["max_tokens"]) == (2, 5)
        assert 1 in one["stop_token_ids"]
        assert 0 in one["logit_bias"]  # the beginning of a text is never written
        assert 1 not in one["logit_bias"]
    for (responses,) in found.read("references"):
        assert [turn["content"] for r in responses for turn in r] == ["hello"] * 4


def test_rows_without_an_answer_are_left_out_and_counted(data, tmp_path, monkeypatch):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def behave(body, number):
        question = body["messages"][0]["content"]
        return Reply(completion("I would rather not say" if "question 3 " in question else "A"))

    with Endpoint(behave) as endpoint:
        judge = {
            "kind": "judge",
            "base_url": endpoint.url,
            "model": "m",
            "answer": "text",
            "key_variable": None,
            "on_error": "skip",
            "reasks": 0,
        }
        config = _config(data, tmp_path / "out", reference="pool", auxiliary=judge)
        found = sample(config, Conditions(proceed=lambda cost: True))
    assert len(found.pairs) == (PROMPTS - 1) * EACH
    assert f"{EACH} of {PROMPTS * EACH} rows lack an answer" in found.judged.notes[-1]
    assert not any("question 3 " in p[0]["content"] for (p,) in found.pairs.read("prompt"))


class TestColumns:
    def _given(self, tmp_path, **columns) -> Path:
        rows = [{**row, **columns} for row in _rows()]
        path = tmp_path / "given.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def test_they_are_cut(self, tmp_path):
        path = self._given(
            tmp_path, auxiliary=1.0, references=["x", "y"], reference_auxiliary=[0.0]
        )
        config = _config(
            path, tmp_path / "out", reference="column", auxiliary="column", check=False, clip=0.1
        )
        _run(config)
        with gzip.open(tmp_path / "out" / PAIRS, "rt") as file:
            row = json.loads(file.readline())
        assert (row["auxiliary"], row["reference_auxiliary"]) == (0.9, [0.1])

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({}, "'references' holds 0"),
            ({"references": ["x"]}, "'references' holds 1"),
            ({"references": ["x", "y"]}, "no 'auxiliary'"),
            ({"references": ["x", "y"], "auxiliary": 0.4}, "no 'reference_auxiliary'"),
            (
                {"references": ["x", "y"], "auxiliary": 0.4, "reference_auxiliary": [0.1, 0.2]},
                "2 number",
            ),
        ],
    )
    def test_what_is_missing_is_named(self, tmp_path, columns, message):
        path = self._given(tmp_path, **columns)
        config = _config(
            path, tmp_path / "out", reference="column", auxiliary="column", check=False
        )
        with pytest.raises(DataError, match=message):
            _run(config)

    def test_probabilities_out_of_range_are_unreadable_rows(self, tmp_path):
        path = self._given(tmp_path, auxiliary=1.4)
        with pytest.raises(DataError, match="auxiliary"):
            _run(_config(path, tmp_path / "out", auxiliary="column"))


def test_nothing_to_do(data, tmp_path):
    with pytest.raises(ConfigurationError, match="nothing to do"):
        _run(_config(data, tmp_path / "out"))


@pytest.mark.parametrize("resume", [False, True])
def test_nothing_is_overwritten(data, tmp_path, resume):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "held-out.jsonl").write_text("x")
    with pytest.raises(SurefootError, match="not empty"):
        _run(_config(data, tmp_path / "out", reference="pool"), resume=resume)
    assert (tmp_path / "out" / "held-out.jsonl").read_text() == "x"


def test_references_of_another_program_are_not_resumed(data, tmp_path, model):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / REFERENCES).write_text("not ours\n")
    with pytest.raises(ConfigurationError, match="line 1 is not what surefoot sample wrote"):
        _run(_drawn(data, tmp_path / "out", model), resume=True)


def test_the_run_says_what_it_did(data, tmp_path, small_fitted):
    config = _config(data, tmp_path / "out", reference="pool", auxiliary=small_fitted)
    _run(config)
    written = json.loads((tmp_path / "out" / RESULT).read_text())
    assert written["figures"]["reference"]["largest_pool"] <= 4
    assert "difference" in written["figures"]["auxiliary"]["log_loss_less_bradley_terry"]
    again = SampleConfig.read(tmp_path / "out" / "config.yaml")
    assert again == config
