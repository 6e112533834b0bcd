"""From comparisons to tokens: templates, the boundary of prompt and response, and what is cut."""

from __future__ import annotations

import json

import numpy as np
import pytest
from language_models import CHAT, bert_tokenizer, byte_tokenizer, pairs

from surefoot.data import Preferences, read_preferences
from surefoot.data.rendering import token_pairs as module
from surefoot.data.rendering.token_pairs import tokenise
from surefoot.data.rendering.tokens import VERSION
from surefoot.errors import DataError

TALK = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "help me"},
]


def _row(prompt, a, b, **others):
    return {"prompt": prompt, "response_a": a, "response_b": b, "label": 1.0, **others}


def _tokens(tokenizer, prompt, a, b, max_length=200, keep_end=False):
    found = tokenise(Preferences.from_rows([_row(prompt, a, b)]), tokenizer, max_length, keep_end)
    return found, found.read(np.array([0]))[0]


def _texts(tokenizer, *arguments):
    return [tokenizer.decode(ids) for ids in _tokens(tokenizer, *arguments)[1]]


class TestForms:
    def test_plain_text_with_a_blank_line_where_it_would_touch(self):
        found = _texts(byte_tokenizer(), "Name a prime.", "Seven.", "Nine.")
        assert found == ["<s>Name a prime.\n\n", "Seven.</s>", "Nine.</s>"]

    def test_plain_text_that_ends_with_space_stays_as_it_is(self):
        found = _texts(byte_tokenizer(), "Q: 2 + 2\nA:\n", "4", "5")
        assert found == ["<s>Q: 2 + 2\nA:\n", "4</s>", "5</s>"]

    def test_a_conversation_without_template_is_written_as_hh(self):
        found = _texts(byte_tokenizer(), TALK, *_answers("yes", "no"))
        expected = "<s>\n\nSystem: be kind\n\nHuman: help me\n\nAssistant:"
        assert found == [expected, " yes</s>", " no</s>"]

    def test_a_conversation_goes_through_the_template(self):
        tokenizer = byte_tokenizer(CHAT)
        prompt, a, b = _texts(tokenizer, TALK, *_answers("Yes", "No"))
        written = tokenizer.apply_chat_template(TALK, tokenize=False, add_generation_prompt=True)
        assert prompt == written
        assert prompt.endswith("<s>assistant: ")
        assert (a, b) == ("Yes</s>\n", "No</s>\n")

    def test_plain_text_does_not(self):
        assert _texts(byte_tokenizer(CHAT), "me", "you", "it") == [
            "<s>me\n\n",
            "you</s>",
            "it</s>",
        ]

    @pytest.mark.parametrize("conversation", [False, True])
    def test_special_tokens_come_once(self, conversation):
        """Of a template: its own and no others."""
        tokenizer = byte_tokenizer(CHAT if conversation else None)
        prompt = TALK if conversation else "help me"
        responses = _answers("Yes", "No") if conversation else ("Yes", "No")
        _, (prompt, *both) = _tokens(tokenizer, prompt, *responses)
        begins = 3 if conversation else 1
        assert prompt.count(tokenizer.bos_token_id) == begins
        assert all(r.count(tokenizer.bos_token_id) == 0 for r in both)
        assert all(r.count(tokenizer.eos_token_id) == 1 for r in both)

    def test_an_end_that_is_there_is_not_added_again(self):
        tokenizer = bert_tokenizer()
        _, (prompt, a, b) = _tokens(tokenizer, "help", "yes", "no")
        assert prompt[0] == tokenizer.cls_token_id
        assert tokenizer.sep_token_id not in prompt
        assert a.count(tokenizer.sep_token_id) == b.count(tokenizer.sep_token_id) == 1
        assert a[-1] == b[-1] == tokenizer.sep_token_id

    def test_a_template_that_refuses_names_the_row(self, tmp_path):
        path = tmp_path / "talks.jsonl"
        talks = [[{"role": "user", "content": text}] for text in ("fine", "forbidden")]
        rows = [_row(t, *_answers("yes", "no")) for t in talks]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        found = tokenise(read_preferences(path), byte_tokenizer(CHAT), 100)
        assert found.refused.tolist() == [False, True]
        note, *_ = found.cuts.notes(100)
        assert "1 of 2 pairs cannot be written by the tokenizer's chat template" in note
        assert "talks.jsonl, row 2: the chat template refuses" in note
        with pytest.raises(DataError, match=r"talks\.jsonl, row 2: .*no such turn"):
            found.require(read_preferences(path))

    def test_a_tokenizer_written_in_python(self):
        from transformers import ByT5Tokenizer

        rows = [{"prompt": "p", "response_a": "x", "response_b": "yz", "label": 1}]
        found = tokenise(Preferences.from_rows(rows), ByT5Tokenizer(), 64)
        assert found.response_lengths.tolist() == [[2, 3]]  # with an end token

    def test_other_rules_are_another_version(self):
        """Figures are kept under a key of the rules: who changes these texts raises VERSION."""
        plain = _texts(byte_tokenizer(), "help", "yes", "no")
        talk = _texts(byte_tokenizer(), TALK, *_answers("yes", "no"))
        written = "<s>\n\nSystem: be kind\n\nHuman: help me\n\nAssistant:"
        assert (VERSION, plain, talk) == (
            3,
            ["<s>help\n\n", "yes</s>", "no</s>"],
            [written, " yes</s>", " no</s>"],
        )


def _answers(*texts):
    return [[{"role": "assistant", "content": text}] for text in texts]


class TestBoundary:
    def test_a_token_across_the_boundary_is_the_response_s(self):
        """`: ` and `good` are one token where they meet."""
        tokenizer = byte_tokenizer(CHAT)
        found, (prompt, a, _) = _tokens(tokenizer, TALK, *_answers("good", "bad"))
        assert found.cuts.marks["joining-token"] == 1
        assert tokenizer.decode(prompt).endswith("<s>assistant:")
        assert tokenizer.decode(a) == " good</s>\n"
        whole = tokenizer.apply_chat_template([*TALK, *_answers("good")[0]], tokenize=False)
        assert prompt + a == tokenizer(whole, add_special_tokens=False)["input_ids"]

    @pytest.mark.parametrize("answers", [("good", "Xylophone"), ("Xylophone", "good")])
    def test_both_responses_share_the_shorter_prompt(self, answers):
        tokenizer = byte_tokenizer(CHAT)
        _, (prompt, *both) = _tokens(tokenizer, TALK, *_answers(*answers))
        assert [tokenizer.decode(one) for one in both] == [f" {text}</s>\n" for text in answers]
        assert tokenizer.decode(prompt).endswith("assistant:")

    def test_otherwise_none_moves(self):
        found, _ = _tokens(byte_tokenizer(), "Name a prime.", "Seven.", "Nine.")
        assert "joining-token" not in found.cuts.marks

    def test_without_prompt(self):
        found, (prompt, a, _) = _tokens(byte_tokenizer(bos=False), "", "Seven.", "Nine.")
        assert byte_tokenizer(bos=False).decode(prompt) == "</s>"  # nothing predicts the first
        assert byte_tokenizer(bos=False).decode(a) == "Seven.</s>"
        assert found.response_lengths.tolist() == [[7, 5]]
        assert found.lengths.tolist() == [[8, 6]]


class TestTruncation:
    """Letters are tokens here: `<s>`, 20 and a blank line; 10 or 5 and `</s>` behind."""

    PROMPT, A, B = "".join(map(chr, range(65, 85))), "X" * 10, "Y" * 5

    def _fit(self, max_length, tokenizer=None, keep_end=False):
        tokenizer = tokenizer or byte_tokenizer()
        found, ids = _tokens(tokenizer, self.PROMPT, self.A, self.B, max_length, keep_end)
        return found.cuts, [tokenizer.decode(one) for one in ids], [len(one) for one in ids]

    def test_nothing_where_it_fits(self):
        cuts, _, sizes = self._fit(33)
        assert sizes == [22, 11, 6]
        assert not cuts.marks

    def test_the_start_of_the_prompt_goes_first_the_same_for_both(self):
        cuts, (prompt, a, b), sizes = self._fit(24)
        assert prompt == "<s>" + self.PROMPT[-11:] + "\n\n"  # the first special token stays
        assert (a, b) == (self.A + "</s>", self.B + "</s>")
        assert sizes == [13, 11, 6]
        assert cuts.marks == {"prompt-cut": 1}

    def test_then_the_ends_of_responses_below_half(self):
        cuts, (prompt, a, b), sizes = self._fit(16)
        assert prompt == "<s>" + self.PROMPT[-6:] + "\n\n"  # half
        assert a == self.A[:8]
        assert b == self.B + "</s>"
        assert sizes == [8, 8, 6]
        assert cuts.marks == {"prompt-cut": 1, "response-cut": 1}

    def test_without_a_first_special_token(self):
        _, (prompt, *_), sizes = self._fit(24, byte_tokenizer(bos=False))
        assert prompt == self.PROMPT[-12:] + "\n\n"
        assert sizes[0] == 13

    def test_an_encoder_keeps_its_last_token(self):
        tokenizer = bert_tokenizer()
        _, (prompt, a, b), sizes = self._fit(16, tokenizer, keep_end=True)
        assert prompt.startswith("[CLS]")
        assert a == self.A[:7] + "[SEP]"
        assert b.endswith("Y[SEP]")
        assert sizes == [8, 8, 6]

    @pytest.mark.parametrize("max_length", [2, 3, 5, 9, 17, 33])
    def test_never_longer_and_never_without_a_response(self, max_length):
        found = tokenise(Preferences.from_rows(pairs(12)), byte_tokenizer(), max_length)
        assert found.lengths.max() <= max_length
        assert found.response_lengths.min() >= 1

    def test_counts_are_told(self):
        rows = [_row(self.PROMPT, "X" * 10 + tail, "X" * 10 + "Y") for tail in ("Z", "Y")]
        rows.append(_row("A", "yes", "no"))
        cuts = tokenise(Preferences.from_rows(rows), byte_tokenizer(), 16).cuts
        assert (cuts.rows, cuts.identical) == (3, 2)
        assert cuts.marks == {"prompt-cut": 2, "response-cut": 2}
        told = " ".join(cuts.notes(16))
        assert "2 of 3 pairs lost the start of the prompt (max_length is 16 tokens)" in told
        assert "2 of 3 pairs lost the end of a response" in told
        assert "2 of 3 pairs have two responses of the same tokens and were left out" in told


class TestTable:
    @pytest.fixture
    def preferences(self, tmp_path):
        path = tmp_path / "pairs.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in pairs(9)))
        return read_preferences(path)

    def test_lengths_are_those_of_the_tokens(self, preferences):
        found = tokenise(preferences, byte_tokenizer(), 30)
        rows = found.read(np.arange(9))
        assert found.response_lengths.tolist() == [[len(a), len(b)] for _, a, b in rows]
        assert found.lengths.tolist() == [[len(p) + len(a), len(p) + len(b)] for p, a, b in rows]

    def test_it_is_made_once(self, preferences, monkeypatch):
        first = tokenise(preferences, byte_tokenizer(), 30)

        def never(*_):
            raise AssertionError("tokenised again")

        monkeypatch.setattr(module, "_columns", never)
        again = tokenise(preferences, byte_tokenizer(), 30)
        assert again.key == first.key
        assert again.read(np.arange(9)) == first.read(np.arange(9))
        with pytest.raises(AssertionError, match="tokenised again"):
            tokenise(preferences, byte_tokenizer(), 31)

    def test_the_key_is_of_all_that_matters(self, preferences):
        tokenizers = [byte_tokenizer(), byte_tokenizer(CHAT), byte_tokenizer(bos=False)]
        keys = [tokenise(preferences, one, 30).key for one in tokenizers]
        keys += [
            tokenise(preferences, byte_tokenizer(), n, end).key
            for n, end in [(31, False), (30, True)]
        ]
        fewer = preferences.select(np.arange(5))
        keys += [tokenise(fewer, byte_tokenizer(), 30).key]
        assert len(set(keys)) == len(keys)
        assert tokenise(preferences, byte_tokenizer(), 30).key == keys[0]

    def test_a_selection_has_its_own_key(self, preferences):
        found = tokenise(preferences, byte_tokenizer(), 30)
        some = found.select(np.array([7, 2]))
        assert some.read(np.arange(2)) == found.read(np.array([7, 2]))
        assert some.lengths.tolist() == found.lengths[[7, 2]].tolist()
        keys = {one.key for one in (found, some, found.select(np.array([2, 7])))}
        assert len(keys) == 3
