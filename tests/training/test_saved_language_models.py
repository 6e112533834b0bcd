"""Runs that are saved and loaded again: positions, pad tokens, precision, references, folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from language_models import (
    VOCABULARY,
    bert_reward,
    bert_tokenizer,
    byte_tokenizer,
    gpt2,
    gpt2_reward,
    llama,
    llama_reward,
    pairs,
    save,
)
from peft import AutoPeftModelForSequenceClassification
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
)

from surefoot.data import Preferences, read_preferences
from surefoot.errors import ConfigurationError, SurefootError
from surefoot.scorers import load_scorer
from surefoot.training import PreferenceTrainer, train

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def long_pairs(tmp_path) -> str:
    """Pairs of some 90 tokens."""
    rows = [row | {"prompt": "word " * 60 + row["prompt"]} for row in pairs(16, source="s")]
    path = tmp_path / "long.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize(
    ("kind", "build", "tokenizer", "limit"),
    [
        ("reward-model", bert_reward, bert_tokenizer, 60),
        ("reward-model", llama_reward, byte_tokenizer, 64),
        ("reward-model", gpt2_reward, byte_tokenizer, 64),
        ("policy", gpt2, byte_tokenizer, 64),
        ("policy", llama, byte_tokenizer, 64),
    ],
)
def test_texts_are_cut_where_the_model_ends_in_training_and_evaluation(
    configure, tmp_path, long_pairs, kind, build, tokenizer, limit
):
    """Beyond its positions a model fails, or reads what it never learned."""
    positions = "n_positions" if build in (gpt2, gpt2_reward) else "max_position_embeddings"
    made = tokenizer()
    made.model_max_length = 60  # of an encoder: the rest of its positions is not for text
    place = save(tmp_path / "base", build(**{positions: 64}), made)
    data = {"train": long_pairs, "held_out": 0}
    run = train(configure({"kind": kind, "model": place, "max_length": 1024}, data=data))
    rows = read_preferences(long_pairs)
    found = load_scorer(tmp_path / "run")
    assert found.max_length == run.model.max_length == limit
    np.testing.assert_allclose(found.rewards(rows), run.model.rewards(rows), atol=1e-4)
    assert found.cuts.marks["prompt-cut"] == 16
    assert found.notes() == [
        f"16 of 16 pairs lost the start of the prompt (max_length is {limit} tokens)."
    ]
    reference = str(place) if kind == "policy" else None
    for name in ("surefoot.json", "surefoot-run.json"):  # as if it were of another origin
        (tmp_path / "run" / name).unlink()
    other = load_scorer(tmp_path / "run", reference)
    assert other.max_length == limit
    assert np.isfinite(other.rewards(rows)).all()


@pytest.mark.parametrize("pad", ["</s>", None])
@pytest.mark.parametrize("build", [llama_reward, gpt2_reward])
def test_an_adapter_on_a_base_whose_configuration_names_no_padding(configure, tmp_path, build, pad):
    tokenizer = byte_tokenizer(pad=None)
    tokenizer.pad_token = pad
    base = build()
    assert base.config.pad_token_id is None
    place = save(tmp_path / "base", base, tokenizer)
    scorer = {"kind": "reward-model", "model": place, "adapter": {"rank": 2}}
    run = train(configure(scorer))
    padding = run.model.prepared.tokenizer.pad_token_id
    told = f"model.config.pad_token_id = {padding}"
    assert any(told in note for note in run.report.warnings)
    assert told in (tmp_path / "run" / "README.md").read_text()
    rows = read_preferences(tmp_path / "pairs.jsonl")
    expected = run.model.raw_scores(rows)
    np.testing.assert_allclose(load_scorer(tmp_path / "run").raw_scores(rows), expected, atol=1e-5)
    plain = AutoPeftModelForSequenceClassification.from_pretrained(tmp_path / "run", num_labels=1)
    plain.config.pad_token_id = padding
    np.testing.assert_allclose(_plainly(plain, tmp_path / "run", rows), expected, atol=1e-4)


def _masked(kind):
    """A masked language model, of whose reward model more is new than the last layer."""
    shape = {"vocab_size": VOCABULARY, "initializer_range": 0.15}
    if kind == "bert":  # its pooler
        shape |= {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
        return BertForMaskedLM(BertConfig(**shape, intermediate_size=64))
    shape |= {"dim": 32, "n_layers": 1, "n_heads": 4, "hidden_dim": 64}  # a layer before it
    return DistilBertForMaskedLM(DistilBertConfig(**shape))


@pytest.mark.parametrize(("kind", "new"), [("bert", "pooler"), ("distilbert", "pre_classifier")])
def test_all_that_is_new_under_an_adapter_is_saved(configure, tmp_path, kind, new):
    """It is drawn at random where the base is loaded, and would be drawn anew."""
    place = save(tmp_path / "base", _masked(kind), bert_tokenizer())
    run = train(configure({"kind": "reward-model", "model": place, "adapter": {"rank": 2}}))
    rows = read_preferences(tmp_path / "pairs.jsonl")
    expected = run.model.raw_scores(rows)
    for _ in range(2):
        found = load_scorer(run.folder).raw_scores(rows)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    path = tmp_path / "run" / "adapter_model.safetensors"
    kept = {name: value for name, value in load_file(path).items() if new not in name}
    save_file(kept, path, metadata={"format": "pt"})
    (tmp_path / "run" / "surefoot-run.json").unlink()  # as of a surefoot that left no mark
    with pytest.raises(ConfigurationError, match=f"has no .*{new}.*drawn at random"):
        load_scorer(run.folder)


def test_the_base_of_an_adapter_is_the_one_that_it_was_trained_on(configure, tmp_path):
    place = save(tmp_path / "base", llama_reward(), byte_tokenizer())
    run = train(configure({"kind": "reward-model", "model": place, "adapter": {"rank": 2}}))
    assert load_scorer(run.folder).reference_key == run.model.reference_key is not None
    save(tmp_path / "base", llama_reward(seed=1), byte_tokenizer())
    with pytest.raises(ConfigurationError, match="is not the model that the adapter was trained"):
        load_scorer(run.folder)
    description = json.loads((tmp_path / "run" / "surefoot.json").read_text())
    older = description | {"reference_key": None}  # which did not note it
    (tmp_path / "run" / "surefoot.json").write_text(json.dumps(older))
    (tmp_path / "run" / "surefoot-run.json").unlink()
    assert load_scorer(run.folder).reference_key is None


def _plainly(model, folder, rows):
    """Scores (N, 2) of a padded batch in plain transformers; texts end as ours do."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [
        f"{p[0]['content']}\n\n{r[0]['content']}{tokenizer.eos_token}"
        for p, *both in rows.read("prompt", "response_a", "response_b")
        for r in both
    ]
    with torch.no_grad():
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        batch.pop("token_type_ids", None)
        return model.eval()(**batch).logits.view(-1, 2).numpy()


def test_a_model_that_pads_with_its_end_token_scores_as_in_plain_transformers(
    tmp_path, monkeypatch
):
    """It was trained elsewhere to read the token before the end."""
    monkeypatch.setattr("surefoot.scorers.language.options.has_bfloat16", lambda: False)
    tokenizer = byte_tokenizer(pad=None)
    tokenizer.pad_token = "</s>"
    end = tokenizer.eos_token_id
    place = save(tmp_path / "other", llama_reward(pad_token_id=end), tokenizer)
    rows = Preferences.from_rows(pairs(6))
    plain = AutoModelForSequenceClassification.from_pretrained(place)
    found = load_scorer(place)
    np.testing.assert_allclose(found.raw_scores(rows), _plainly(plain, place, rows), atol=1e-5)
    elsewhere = AutoModelForSequenceClassification.from_pretrained(place, pad_token_id=0)
    assert np.abs(found.raw_scores(rows) - _plainly(elsewhere, place, rows)).min() > 1e-3


@pytest.mark.parametrize("kind", ["reward-model", "policy"])
def test_an_adapter_on_a_base_in_half_precision(configure, tmp_path, monkeypatch, kind):
    """Trained where bfloat16 is fast, and evaluated where it is not."""
    build = llama_reward if kind == "reward-model" else llama
    place = save(tmp_path / "base", build(), byte_tokenizer())
    scorer = {"kind": kind, "model": place, "adapter": {"rank": 2}, "precision": "auto"}
    with monkeypatch.context() as patch:
        patch.setattr("surefoot.scorers.language.options.has_bfloat16", lambda: True)
        run = train(configure(scorer))
        rows = read_preferences(tmp_path / "pairs.jsonl")
        expected = run.model.rewards(rows)
    monkeypatch.setattr("surefoot.scorers.language.options.has_bfloat16", lambda: False)
    loaded = load_scorer(tmp_path / "run")
    np.testing.assert_allclose(loaded.rewards(rows), expected, atol=1e-5)
    assert len(np.unique(loaded.rewards(rows))) == 2 * len(rows)


def test_what_precision_chose_is_not_kept_where_weights_are_float32(configure, policy, tmp_path):
    run = train(configure({"kind": "policy", "model": policy, "precision": "auto"}))
    saved = json.loads((tmp_path / "run" / "surefoot.json").read_text())["scorer"]
    assert saved["precision"] == "auto"
    assert run.model.scorer.model == policy


@pytest.mark.parametrize("adapter", [None, {"rank": 2}])
def test_a_run_is_loaded_from_any_folder(configure, policy, tmp_path, monkeypatch, adapter):
    monkeypatch.chdir(tmp_path)
    scorer = {"kind": "policy", "model": Path(policy).name, "adapter": adapter}
    run = train(configure(scorer))
    rows = read_preferences(tmp_path / "pairs.jsonl")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    loaded = load_scorer(tmp_path / "run")
    np.testing.assert_allclose(loaded.rewards(rows), run.model.rewards(rows), atol=1e-5)


@pytest.mark.parametrize("reference", ["cached", "live"])
@pytest.mark.parametrize("adapter", [None, {"rank": 2}])
def test_a_run_needs_its_reference_once(
    configure, policy, tmp_path, monkeypatch, adapter, reference
):
    """The trainer has it in memory: nothing is read again, and no other model taken for it."""
    step = PreferenceTrainer.train

    def and_the_base_changes(self, *given, **named):
        found = step(self, *given, **named)
        llama(seed=5).save_pretrained(policy)
        return found

    scorer = {"kind": "policy", "model": policy, "adapter": adapter, "reference": reference}
    expected = train(configure(scorer, output="before")).model
    monkeypatch.setattr(PreferenceTrainer, "train", and_the_base_changes)
    run = train(configure(scorer))
    assert (run.model.mean_, run.model.std_) == pytest.approx((expected.mean_, expected.std_))
    assert run.model.temperature_ == pytest.approx(expected.temperature_)
    assert run.model.reference_key == expected.reference_key
    rows = Preferences.from_rows(pairs(4, seed=9))
    if adapter is None:
        with pytest.raises(ConfigurationError, match="not the reference"):
            run.model.rewards(rows)
    else:  # it lies below the adapter
        np.testing.assert_allclose(run.model.rewards(rows), expected.rewards(rows), atol=1e-4)


def test_figures_of_a_run_are_those_of_the_loaded_model(configure, policy, tmp_path):
    run = train(configure({"kind": "policy", "model": policy}))
    held_out = read_preferences(tmp_path / "run" / "held-out.jsonl")
    margins = np.subtract(*load_scorer(tmp_path / "run").rewards(held_out).T)
    right = (margins > 0) == (held_out.labels == 1)
    assert run.report.held_out_accuracy.estimate == pytest.approx(right.mean())


class TestRefused:
    """Models that are not what they are said to be."""

    def test_an_encoder_as_policy(self, configure):
        with pytest.raises(ConfigurationError, match="'default' is the offline encoder"):
            configure({"kind": "policy", "model": "default"})

    @pytest.mark.parametrize("kind", ["policy", "reward-model"])
    def test_a_classifier(self, configure, tmp_path, kind):
        labels = 2 if kind == "reward-model" else 1
        place = save(tmp_path / "base", llama_reward(num_labels=labels), byte_tokenizer())
        with pytest.raises(ConfigurationError, match=r"with 2\.|lm_head\.weight, which would"):
            train(configure({"kind": kind, "model": place}))
        assert not (tmp_path / "run" / "surefoot.json").exists()

    def test_a_classifier_with_two_labels_of_another_origin(self, tmp_path):
        place = save(tmp_path / "base", bert_reward(num_labels=2), bert_tokenizer())
        with pytest.raises(ConfigurationError, match="is a classifier with 2"):
            load_scorer(place)

    def test_a_run_whose_saved_model_scores_differently_is_no_run(
        self, configure, tmp_path, monkeypatch
    ):
        place = save(tmp_path / "base", bert_reward(), bert_tokenizer())
        load = AutoModelForSequenceClassification.from_pretrained

        def spoilt(where, **options):
            model = load(where, **options)
            if Path(where).name == "run":
                torch.nn.init.ones_(model.classifier.weight)
            return model

        monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", spoilt)
        with pytest.raises(SurefootError, match="gives other scores"):
            train(configure({"kind": "reward-model", "model": place}))
        assert not (tmp_path / "run" / "surefoot.json").exists()


def test_a_rank_knows_its_gpu_before_the_model_is_loaded(configure, policy, monkeypatch):
    """Quantised weights go to the GPU that is current when they are read."""
    from surefoot.training.language import language_run
    from surefoot.training.language.preference_config import PreferenceConfig

    order = []
    check, load = PreferenceConfig.__post_init__, language_run.load_model

    def checked(self):
        order.append("arguments")
        check(self)

    def loaded(*given, **named):
        order.append("model")
        return load(*given, **named)

    monkeypatch.setattr(PreferenceConfig, "__post_init__", checked)
    monkeypatch.setattr(language_run, "load_model", loaded)
    train(configure({"kind": "policy", "model": policy}))
    assert order[:2] == ["arguments", "model"]
