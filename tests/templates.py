"""Small chat templates of the kinds that public models have, and a tokenizer for their marks."""

from __future__ import annotations

from functools import cache

from language_models import byte_tokenizer
from transformers import PreTrainedTokenizerFast as FastTokenizer

_ASKED = "{% if add_generation_prompt %}"

#: Headers around the speaker, trimmed turns.
HEADERS = (
    "{{ bos_token }}{% for m in messages %}<|head|>{{ m.role }}<|/head|>\n\n"
    "{{ m.content | trim }}<|over|>{% endfor %}"
    f"{_ASKED}<|head|>assistant<|/head|>\n\n{{% endif %}}"
)

#: ChatML that drops what an assistant thought.
THOUGHTLESS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and '</think>' in m.content %}"
    "{{ m.content.split('</think>')[-1].lstrip() }}"
    "{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    f"{_ASKED}<|im_start|>assistant\n{{% endif %}}"
)

#: Without a role for the system.
NO_SYSTEM = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('there is no system role') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    f"{_ASKED}<start_of_turn>model\n{{% endif %}}"
)

#: User and assistant take turns, the user first.
ALTERNATING = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate, the user first') }}{% endif %}"
    "{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)

#: Speakers on lines of their own.
LINES = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n{% endfor %}"
    f"{_ASKED}<|assistant|>\n{{% endif %}}"
)

#: Nothing says where a turn ends.
ENDLESS = (
    "{% for m in messages %}{{ m.role }}:\n{{ m.content }}\n{% endfor %}"
    f"{_ASKED}assistant:\n{{% endif %}}"
)

#: Tools, calls, and what an assistant thought.
TOOLS = (
    "{% if tools %}<|im_start|>system\nYou may call:{% for tool in tools %}\n{{ tool | tojson }}"
    "{% endfor %}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}"
    "{{ m.content }}{% for call in m.tool_calls or [] %}"
    "<call>{{ {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}</call>"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    f"{_ASKED}<|im_start|>assistant\n{{% endif %}}"
)

#: A system turn that nobody gave.
OWN_SYSTEM = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant made of straw.<|im_end|>\n{% endif %}" + THOUGHTLESS
)

#: The generation prompt opens a thought, which written answers lack.
OPENS_THOUGHT = THOUGHTLESS.replace(
    "<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}"
)

TEMPLATES = {
    "headers": HEADERS,
    "thoughtless": THOUGHTLESS,
    "no system": NO_SYSTEM,
    "alternating": ALTERNATING,
    "lines": LINES,
    "endless": ENDLESS,
    "tools": TOOLS,
    "own system": OWN_SYSTEM,
    "none": None,
}

_MARKS = (
    *("<|head|>", "<|/head|>", "<|over|>", "<|im_start|>", "<|im_end|>"),
    *("<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|system|>"),
)


@cache
def template_tokenizer(template: str | None) -> FastTokenizer:
    """A byte-level tokenizer with a template and all marks as special tokens."""
    tokenizer = byte_tokenizer(template)
    tokenizer.add_tokens(list(_MARKS), special_tokens=True)
    return tokenizer
