"""What an endpoint says, without the secrets that it may repeat."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote, quote_plus

#: Names and passwords in addresses, their queries, and whatever follows `Bearer`.
_USER = re.compile(r"(?<=//)[^/\s@\"'<>]*@")
_QUERY = re.compile(r"(?<=://)([^\s?\"'<>]*)\?[^\s\"'<>]+")
_BEARER = re.compile(r"(?i)\b(bearer)[\s:=\"']+[^\s\"',}]+")


class Scrub:
    """Takes a key, in any form that a server might repeat it in, and the like out of texts."""

    def __init__(self, key: str | None) -> None:
        forms = set()
        if key:
            coded = base64.b64encode(key.encode()).decode().rstrip("=")
            forms = {key, quote(key, safe=""), quote_plus(key), json.dumps(key)[1:-1], coded}
        alternatives = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        self._key = re.compile(alternatives, re.IGNORECASE) if forms else None

    def __call__(self, text: str) -> str:
        """A text without the key, bearer tokens and what addresses carry."""
        if self._key is not None:
            text = self._key.sub("[key]", text)
        text = _BEARER.sub(r"\1 [key]", text)
        return _QUERY.sub(r"\1?[...]", _USER.sub("[...]@", text))


def bare_address(address: str) -> str:
    """Where an address leads, without what it carries: name, password, query and fragment.

    >>> bare_address("https://me:hush@host:8000/v1?key=hush")
    'https://host:8000/v1'
    """
    whole = re.sub(r"(?<=//).*@", "", address, flags=re.DOTALL)
    return re.split(r"[?#]", whole, maxsplit=1)[0]
