"""What asking a judge will cost, and where the texts go: known before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

#: UTF-8 bytes that count as one token: a rule of thumb, as the endpoint's tokenizer is not known.
BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class Cost:
    """An estimate to be confirmed."""

    base_url: str  #: where the texts are sent
    model: str  #: which model reads them
    template: str  #: which template asks
    pairs: int  #: pairs to judge
    identical: int  #: pairs of equal responses, which are 1/2 without being asked
    requests: int  #: requests still to make
    cached: int  #: answers that are known
    tokens_in: int  #: estimated tokens to send
    tokens_out: int  #: tokens to receive, at most
    money: float | None  #: in the currency of the prices, at most; None without prices
    cut: int  #: texts shown only in part

    def __str__(self) -> str:
        lines = [
            f"{self.pairs:,} pair(s), each asked in both orders: {self.requests:,} request(s) to "
            f"make, {self.cached:,} answer(s) known.",
            f"The texts of these pairs are sent to {self.destination}, template {self.template}.",
            f"About {self.tokens_in:,} tokens to send ({BYTES_PER_TOKEN} bytes each), at most "
            f"{self.tokens_out:,} to receive, what has to be asked again on top; {self._price()}.",
        ]
        if self.identical:
            lines.append(f"{self.identical:,} pair(s) of equal responses are 1/2 without asking.")
        if self.cut:
            lines.append(f"{self.cut:,} text(s) are cut to `max_characters`.")
        return "\n".join(lines)

    @property
    def destination(self) -> str:
        """Where the texts go, and to which model."""
        return f"{destination(self.base_url)}, model {self.model}"

    def _price(self) -> str:
        if self.money is None:
            return "no prices are given (`price_in`, `price_out`)"
        return f"about {amount(self.money)} at most"


def destination(base_url: str) -> str:
    """An endpoint in words: whether it is this machine, and whether it is encrypted."""
    url = urlsplit(base_url)
    if is_local(url.hostname or ""):
        return f"{base_url} (this machine)"
    return base_url if url.scheme == "https" else f"{base_url} (NOT ENCRYPTED)"


def is_local(host: str) -> bool:
    """Whether a host name is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def amount(money: float) -> str:
    """Money in words: to the hundredth, or to two digits below one.

    >>> amount(1234.5), amount(0.00123)
    ('1,234.50 in the currency of the prices', '0.0012 in the currency of the prices')
    """
    figure = f"{money:,.2f}" if money >= 1 else f"{money:.2g}"
    return f"{figure} in the currency of the prices"


def price(
    tokens_in: int, tokens_out: int, price_in: float | None, price_out: float | None
) -> float | None:
    """Cost of tokens at prices per million, or None without prices."""
    if price_in is None or price_out is None:
        return None
    return (tokens_in * price_in + tokens_out * price_out) / 1e6
