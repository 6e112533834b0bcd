r"""Text that leaves: what would act on a terminal, a page or a table is shown instead.

One function for each target. Characters that nobody sees, or that move or hide others, are written
as Python does (`\x1b`, `\u202e`): the reader sees that they are there, and they do nothing.
"""

from __future__ import annotations

import re
import warnings

#: Controls but for the end of a line, marks and overrides of direction, invisible characters (but
#: for the joiners that scripts and emoji need), other ends of lines, tags, and half surrogates.
_HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b"
    "\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""A text whose only control character is the end of a line; for terminals.

    Applied twice it changes nothing more.

    >>> print(visible("a\x1b]52;c;Zm9v\x07 \u202eb"))
    a\x1b]52;c;Zm9v\x07 \u202eb
    """
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def warn(message: str, stacklevel: int = 1) -> None:
    """A warning of Python's that hides nothing; `stacklevel` is as for `warnings.warn`."""
    warnings.warn(visible(message), stacklevel=stacklevel + 1)


def one_line(text: str) -> str:
    r"""Text in one line, harmless to a terminal: ends of lines are shown too.

    >>> one_line("a\nb")
    'a\\nb'
    """
    return visible(text).replace("\n", "\\n")


def excerpt(value: object, length: int = 120) -> str:
    """The beginning of a value as Python writes it, for a message, whatever it is.

    >>> excerpt("x" * 200, 12), excerpt(10**5000)
    ("'xxxxxxxx...", '<a number of more than 4,300 digits>')
    """
    if isinstance(value, str) and len(value) > length:
        value = value[:length]
        text = repr(value)[:-1] + "." * 3
    else:
        try:
            text = repr(value)
        except ValueError:
            return "<a number of more than 4,300 digits>"
        except RecursionError:
            return f"<{type(value).__name__}, deeply nested>"
    return visible(text if len(text) <= length else text[: length - 3] + "...")


#: Code that our sentences quote: it means itself, and only that, wherever it stands.
_CODE = re.compile(r"((?<!`)`[^`\n]+`(?!`))")
_ACTIVE = re.compile(r"[\\`*<|~$@]|\](?=[(\[:])|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_ADDRESS = re.compile(r"(?:(?:https?|ftp|mailto|xmpp)(?=:)|www(?=\.))", re.IGNORECASE)
#: What begins a heading, a list or a quotation.
_BEGINNING = re.compile(r"^(?:(?=[#=>]|[+\-](?:[\s+\-]|$))|\d+(?=[.)](?:\s|$)))")


def markdown(text: str) -> str:
    r"""A text as one line of Markdown, for a table, a list or a paragraph: nothing in it acts.

    Neither HTML, links, images and addresses, nor emphasis and ends of cells; code in single
    backticks stays code.

    >>> print(markdown("a | <b> [x](http://y) `c`"))
    a \| \<b> [x\](http\://y) `c`
    """
    parts = _CODE.split(" ".join(visible(text).split()))
    parts[::2] = [_ADDRESS.sub(r"\g<0>\\", _ACTIVE.sub(r"\\\g<0>", one)) for one in parts[::2]]
    parts[1::2] = [code.replace("|", r"\|") for code in parts[1::2]]
    return _BEGINNING.sub(r"\g<0>\\", "".join(parts))


def fenced(text: str, language: str = "") -> str:
    """A block of code in Markdown that nothing inside it closes."""
    fence = max(["```", *(run + "`" for run in re.findall("`+", text))], key=len)
    shown = visible(text).rstrip("\n")
    return f"{fence}{language}\n{shown}\n{fence}"


def json_document(text: str) -> str:
    r"""A JSON document whose strings hide nothing; it means the same.

    >>> print(json_document('{"a": "\u202e"}'))
    {"a": "\u202e"}
    """

    def escaped(match: re.Match[str]) -> str:
        if match[0] < " ":  # between values: in strings JSON has none
            return match[0]
        units = match[0].encode("utf-16-be", "surrogatepass").hex()
        return re.sub("....", r"\\u\g<0>", units)

    return _HIDDEN.sub(escaped, text)
