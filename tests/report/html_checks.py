"""What every page must be: well-formed, closed in itself, with nothing that runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = {"meta", "br", "hr", "img", "link", "input"}
_ELSEWHERE = re.compile(r"(?:https?:)?//|data:|javascript:", re.IGNORECASE)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.tags, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        # What only hovering shows is out of reach of fingers and keys.
        assert "title" not in dict(attrs) or dict(attrs).get("class") == "behind", (tag, attrs)
        assert tag != "details" or "p" not in self.open, "a paragraph ends where details begin"
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self.text.append(data)


def parsed(html):
    """Tags, ids and text of a page; fails where elements do not nest."""
    page = _Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def assert_self_contained(html):
    """No scripts, nothing that would be fetched, no id twice, each picture described."""
    page = parsed(html)
    names = [tag for tag, _ in page.tags]
    assert not {"script", "iframe", "object", "embed", "link", "img"} & set(names)
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} {name}"
            if name in ("href", "src", "xlink:href", "action", "srcset"):
                assert value.startswith("#"), f"{tag} {name}={value}"
            if name == "style":
                assert not _ELSEWHERE.search(value), value
        if tag == "svg":
            assert attributes["role"] == "img"
            assert len(attributes["aria-label"]) > 10
    assert len(page.ids) == len(set(page.ids)), "an id occurs twice"
    targets = {a["href"] for tag, a in page.tags if tag == "a"}
    targets |= {a["xlink:href"] for tag, a in page.tags if tag == "use"}
    assert {target[1:] for target in targets} <= set(page.ids)
    return page
