"""What chat templates make of comparisons: what they leave out, add and refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
import templates
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from language_models import bert_tokenizer, byte_tokenizer
from templates import TEMPLATES, template_tokenizer

from surefoot.data import Preferences
from surefoot.data.rendering.messages import common_start, opening, render, whole_text
from surefoot.data.rendering.notes import remarks
from surefoot.data.rendering.token_pairs import tokenise
from surefoot.data.rendering.tokens import TokenReader
from surefoot.data.text import Prompt

ASK = [{"role": "user", "content": "On tea?"}]
SYSTEM = {"role": "system", "content": "Be short."}
TOOL = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]


def answer(content="", **extra):
    return [{"role": "assistant", "content": content, **extra}]


def call(word, as_text=True):
    arguments = {"word": word}
    arguments = json.dumps(arguments) if as_text else arguments
    return [{"type": "function", "function": {"name": "look_up", "arguments": arguments}}]


def table(*pairs, prompt=ASK, **columns):
    rows = [
        {"prompt": prompt, "response_a": a, "response_b": b, "label": 1.0, **columns}
        for a, b in pairs
    ]
    return Preferences.from_rows(rows)


def read(template, *pairs, max_length=400, **columns):
    return tokenise(table(*pairs, **columns), template_tokenizer(template), max_length)


def left_out(found):
    """Rows by the name of what the template leaves out or changes."""
    kinds = {one.kind for one in remarks(0)}
    return {mark: count for mark, count in found.cuts.marks.items() if mark not in kinds}


def texts(template, found, row=0):
    return [template_tokenizer(template).decode(ids) for ids in found.read(np.array([row]))[0]]


class TestWhereAnAnswerBegins:
    @pytest.mark.parametrize("name", TEMPLATES)
    @pytest.mark.parametrize(
        "prompt",
        [
            ASK,
            [SYSTEM, *ASK],
            [*ASK, *answer("Fine."), {"role": "user", "content": "And?"}],
            [],
            "On tea?",
            "Q: tea\nA:\n",
            "",
        ],
        ids=["ask", "system", "turns", "none", "plain", "plain-open", "plain-none"],
    )
    def test_what_is_written_after_is_the_prompt_of_the_trainer(self, name, prompt):
        tokenizer = template_tokenizer(TEMPLATES[name])
        plain = isinstance(prompt, str)
        pair = ("Yes", "No") if plain else (answer("Yes"), answer("No"))
        preferences = table(pair, prompt=prompt)
        found = tokenise(preferences, tokenizer, 400)
        if found.refused.any():
            assert name in ("no system", "alternating")
            return
        trained, *_ = found.read(np.array([0]))[0]
        assert TokenReader(tokenizer).opening(next(preferences.prompts())) == trained
        assert trained
        assert "joining-token" not in found.cuts.marks

    @pytest.mark.parametrize("name", [n for n in TEMPLATES if TEMPLATES[n] and n != "alternating"])
    def test_without_prompt_it_is_the_template_s_own_beginning(self, name):
        """Not the common start of both answers, which begin with the same words."""
        tokenizer = template_tokenizer(TEMPLATES[name])
        pair = answer("tea is fine"), answer("tea is bad")
        found = render(tokenizer, Prompt([], True), *pair)
        assert found.before == opening(tokenizer, Prompt([], True))[0]
        common = common_start(*found.wholes)
        assert common == found.before + "tea is "

    def test_dialogues_that_part_at_their_first_turn(self):
        pair = [[{"role": "user", "content": text}, *answer("Yes")] for text in ("tea", "bread")]
        found = read(templates.THOUGHTLESS, tuple(pair), prompt=[])
        prompt, a, b = texts(templates.THOUGHTLESS, found)
        assert prompt == "<|im_start|>user\n"
        assert (a[:3], b[:3]) == ("tea", "bre")

    @given(st.data())
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_prompt_and_response_are_the_template_s_text(self, data):
        """Of any dialogue: nothing is lost, moved or added between rendering and tokens."""
        name = data.draw(st.sampled_from([n for n in TEMPLATES if TEMPLATES[n]]))
        words = st.text("ab \n.é", max_size=12)
        prompt, last = [], "assistant"
        for content in data.draw(st.lists(words, max_size=4)):
            last = "user" if last == "assistant" else "assistant"
            prompt.append({"role": last, "content": content})
        pair = answer(data.draw(words)), answer(data.draw(words))
        found = read(TEMPLATES[name], pair, prompt=prompt)
        if found.refused.any():
            return
        start, *both = texts(TEMPLATES[name], found)
        given = next(table(pair, prompt=prompt).prompts())
        for response, own in zip(pair, both, strict=True):
            assert start + own == whole_text(template_tokenizer(TEMPLATES[name]), given, response)


class TestWhatTemplatesLeaveOut:
    def test_thoughts_that_a_template_strips(self):
        pairs = [
            (answer("<think>good</think>\n\nfine"), answer("<think>bad</think>\n\nfine")),
            (answer("fine"), answer("bad")),
        ]
        found = read(templates.THOUGHTLESS, *pairs)
        assert left_out(found) == {"response content": 1}
        assert found.identical.tolist() == [True, False]
        told = " ".join(found.cuts.notes(400))
        assert "1 of 2 pairs have a response content that the chat template leaves out" in told
        assert left_out(read(templates.HEADERS, *pairs)) == {}

    @pytest.mark.parametrize("name", [n for n in TEMPLATES if TEMPLATES[n]])
    @pytest.mark.parametrize("key", ["reasoning_content", "tool_calls", "function_call"])
    def test_what_an_answer_says_beside_its_content(self, name, key):
        """It is written, or the row is refused by name; never two equal answers."""
        values = {
            "reasoning_content": ("The user asks with care.", "Whatever."),
            "tool_calls": (call("tea"), call("nothing")),
            "function_call": (call("tea")[0]["function"], call("nothing")[0]["function"]),
        }[key]
        found = read(TEMPLATES[name], tuple(answer("Fine.", **{key: one}) for one in values))
        assert not found.identical.any()
        writes = name == "tools" and key != "function_call"
        assert found.refused.tolist() == [not writes]
        if writes:
            shown = ("care", "Whatever") if key == "reasoning_content" else ("tea", "nothing")
            assert all(word in text for word, text in zip(shown, texts_of(found), strict=True))
        else:
            (note,) = found.cuts.notes(400)
            assert f"the chat template does not write: response {key}" in note
            assert "row 0" in note

    @pytest.mark.parametrize("content", ["", None])
    def test_answers_that_only_call(self, content):
        """Arguments as JSON text and as a mapping are the same call."""
        as_text = answer(content, tool_calls=call("tea")), answer("I know nothing.")
        as_mapping = answer(content, tool_calls=call("tea", as_text=False)), as_text[1]
        first, second = (read(templates.TOOLS, one, tools=TOOL) for one in (as_text, as_mapping))
        assert texts(templates.TOOLS, first) == texts(templates.TOOLS, second)
        assert '"arguments": {"word": "tea"}' in texts(templates.TOOLS, first)[1]
        assert "look_up" in texts(templates.TOOLS, first)[0]
        assert not first.refused.any()
        assert left_out(first) == {}

    def test_a_template_that_takes_arguments_as_text(self):
        template = templates.TOOLS.replace(
            "{{ {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}",
            "{{ call.function.name + ' ' + call.function.arguments }}",
        )
        found = read(template, (answer("", tool_calls=call("tea")), answer("no")), tools=TOOL)
        assert 'look_up {"word": "tea"}' in texts(template, found)[1]

    def test_calls_in_the_history(self):
        prompt = [
            *ASK,
            *answer("", tool_calls=call("tea")),
            {"role": "tool", "content": "tea: common", "name": "look_up"},
        ]
        pair = answer("tea is common"), answer("I could not find tea")
        kept = read(templates.TOOLS, pair, prompt=prompt, tools=TOOL)
        assert not kept.refused.any()
        assert left_out(kept) == {}  # its name stands in the call
        refused = read(templates.HEADERS, pair, prompt=prompt, tools=TOOL)
        (note,) = refused.cuts.notes(400)
        assert "does not write: tools, prompt tool_calls" in note

    def test_tools_that_no_template_shows(self):
        pair = answer("yes"), answer("no")
        assert "does not write: tools" in read(templates.LINES, pair, tools=TOOL).cuts.notes(400)[0]
        assert "Tools: [" in texts(None, read(None, pair, tools=TOOL))[0]  # HH's form has a place
        plain = read(templates.TOOLS, ("yes", "no"), prompt="On tea?", tools=TOOL)
        assert "beside plain text" in plain.cuts.notes(400)[0]

    def test_without_a_template_all_is_written(self):
        pair = (
            answer("Fine.", reasoning_content="With care."),
            answer("Fine.", tool_calls=call("x")),
        )
        found = read(None, pair)
        assert not found.identical.any()
        assert "With care." in texts(None, found)[1]
        assert "look_up" in texts(None, found)[2]

    def test_earlier_reasoning_may_be_dropped_and_is_told(self):
        prompt = [*ASK, *answer("Fine.", reasoning_content="With care."), *ASK]
        found = read(templates.HEADERS, (answer("yes"), answer("no")), prompt=prompt)
        assert not found.refused.any()
        assert left_out(found) == {"prompt reasoning_content": 1}

    def test_a_system_turn_that_is_ignored_is_told(self):
        template = templates.HEADERS.replace(
            "{% for m in messages %}", "{% for m in messages if m.role != 'system' %}"
        )
        found = read(template, (answer("yes"), answer("no")), prompt=[SYSTEM, *ASK])
        assert left_out(found) == {"prompt content": 1}

    def test_arguments_reach_the_template_and_those_that_do_not_are_told(self):
        template = "{% if shout %}LOUD {% endif %}" + templates.HEADERS
        pair = answer("yes"), answer("no")
        loud = read(template, pair, template_arguments={"shout": True})
        assert texts(template, loud)[0].startswith("LOUD ")
        assert left_out(loud) == {}
        vain = read(template, pair, template_arguments={"whisper": True})
        assert left_out(vain) == {"template_arguments.whisper": 1}
        taken = read(template, pair, template_arguments={"tokenize": True})
        assert "'tokenize' is no variable of a chat template" in taken.cuts.notes(400)[0]


def texts_of(found):
    return texts(templates.TOOLS, found)[1:]


class TestWhatElseTemplatesDo:
    def test_one_row_is_refused_and_the_others_are_read(self):
        rows = [
            {"prompt": p, "response_a": answer("yes"), "response_b": answer("no"), "label": 1}
            for p in (ASK, [SYSTEM, *ASK], ASK)
        ]
        preferences = Preferences.from_rows(rows, "talks")
        found = tokenise(preferences, template_tokenizer(templates.NO_SYSTEM), 400)
        assert found.refused.tolist() == [False, True, False]
        assert found.lengths[1].tolist() == [0, 0]
        assert "talks, row 1: the chat template refuses" in found.cuts.notes(400)[0]
        assert "there is no system role" in found.cuts.notes(400)[0]

    def test_no_end_token(self):
        pair = answer("yes"), answer("no")
        assert read(templates.ENDLESS, pair).cuts.marks["no-end-token"] == 1
        assert "no-end-token" not in read(templates.LINES, pair).cuts.marks
        own = read(templates.HEADERS, pair)
        assert "no-end-token" not in own.cuts.marks  # its own mark ends a turn
        plain = read(templates.ENDLESS, ("yes", "no"), prompt="On tea?")
        assert "no-end-token" not in plain.cuts.marks  # the tokenizer's is added

    def test_sentences_of_its_own(self):
        pair = answer("yes"), answer("no")
        assert read(templates.OWN_SYSTEM, pair).cuts.marks["template-adds-text"] == 1
        given = read(templates.OWN_SYSTEM, pair, prompt=[SYSTEM, *ASK])
        assert "template-adds-text" not in given.cuts.marks
        assert "template-adds-text" not in read(templates.THOUGHTLESS, pair).cuts.marks

    def test_a_generation_prompt_that_no_answer_follows(self):
        found = read(templates.OPENS_THOUGHT, (answer("yes"), answer("no")))
        assert found.cuts.marks == {"generation-prompt-differs": 1}
        assert "otherwise than its generation prompt" in " ".join(found.cuts.notes(400))

    def test_a_thought_that_the_generation_prompt_opens_and_the_answer_goes_on_with(self):
        template = templates.HEADERS.replace(
            "assistant<|/head|>\n\n{% endif %}", "assistant<|/head|>\n\n<think>\n{% endif %}"
        )
        pair = answer("<think>\nwell\n</think>\nfine"), answer("<think>\nno\n</think>\nbad")
        found = read(template, pair)
        assert "generation-prompt-differs" not in found.cuts.marks
        assert not left_out(found)
        assert texts(template, found)[0].endswith("<think>\n")

    def test_what_a_tool_said_may_be_written_as_json(self):
        template = templates.TOOLS.replace(
            "{{ m.content }}",
            "{% if m.role == 'tool' %}{{ {'output': m.content} | tojson }}"
            "{% else %}{{ m.content }}{% endif %}",
        )
        prompt = [*ASK, {"role": "tool", "content": 'a "b"\nc'}]
        assert left_out(read(template, (answer("yes"), answer("no")), prompt=prompt)) == {}

    @pytest.mark.parametrize("answers", [(" yes", "no"), ("yes", " no"), (" yes", " no")])
    def test_plain_answers_that_begin_with_space(self, answers):
        found = read(None, answers, prompt="On tea?")
        prompt, *both = texts(None, found)
        assert prompt == "<s>On tea?"
        assert both == [("" if t[0] == " " else "\n\n") + t + "</s>" for t in answers]
        assert "joining-token" not in found.cuts.marks


class TestTextThatWasRenderedBefore:
    PLAIN = "<s><|im_start|>user\nOn tea?<|im_end|>\n<|im_start|>assistant\n"

    @pytest.mark.parametrize("template", [None, templates.THOUGHTLESS])
    def test_nothing_is_added(self, template):
        found = read(template, ("fine.<|im_end|>\n", "bad.<|im_end|>\n"), prompt=self.PLAIN)
        prompt, *both = texts(template, found)
        assert prompt == self.PLAIN
        assert both == ["fine.<|im_end|>\n", "bad.<|im_end|>\n"]
        assert found.cuts.marks == {"rendered-already": 1}
        assert "no second begin or end token is added" in " ".join(found.cuts.notes(400))

    def test_an_end_that_the_template_has_and_the_tokenizer_does_not_know(self):
        """`<|im_end|>` is letters to this tokenizer, and what its template ends a turn with."""
        tokenizer = byte_tokenizer(templates.THOUGHTLESS)
        found = tokenise(table(("fine.<|im_end|>\n", "bad"), prompt=self.PLAIN), tokenizer, 400)
        _, a, b = found.read(np.array([0]))[0]
        assert a[-1] != tokenizer.eos_token_id
        assert b[-1] == tokenizer.eos_token_id

    def test_text_that_ends_as_a_template_s_sentence_does_is_not_ended_by_that(self):
        template = "{% for m in messages %}{{ m.role }} says {{ m.content }}.\n{% endfor %}"
        found = read(template, ("fine.", "bad"), prompt="On tea?")
        assert texts(template, found)[1:] == ["fine.</s>", "bad</s>"]

    def test_a_begin_token_in_the_text_of_a_message(self):
        prompt = [{"role": "user", "content": "On <|im_start|> tea?"}]
        found = read(templates.HEADERS, (answer("yes"), answer("no")), prompt=prompt)
        assert found.cuts.marks["rendered-already"] == 1
        twice = "{{ bos_token }}" + templates.HEADERS
        found = read(twice, (answer("yes"), answer("no")))
        assert found.cuts.marks["begin-token-twice"] == 1

    def test_a_tokenizer_that_closes_its_texts(self):
        pair = ("yes [SEP]", "no")
        found = tokenise(table(pair, prompt="[CLS]Help"), bert_tokenizer(), 400, keep_end=True)
        prompt, a, b = found.read(np.array([0]))[0]
        ends = bert_tokenizer().sep_token_id
        assert prompt.count(bert_tokenizer().cls_token_id) == 1
        assert a.count(ends) == b.count(ends) == 1

    def test_a_prompt_that_ends_with_a_mark_keeps_it(self):
        prompt = "<|user|>\nOn tea?</s>\n<|assistant|>"
        found = read(None, ("\nyes", "\nno"), prompt=prompt)
        assert texts(None, found)[0] == "<s>" + prompt
