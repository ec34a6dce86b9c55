"""Where a webhook may go: public hosts only, looked up once and held to what was found."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlsplit

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[list[str]]]

# Addresses that are global by the registry and yet somebody's inside: Azure's host channel,
# Oracle's metadata among the IETF's own (RFC 6890), NAT64 (RFC 6052), 6to4 (RFC 3056) and Teredo
# (RFC 4380), which carry any IPv4 address.
NOT_OURS = [
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",
        "192.0.0.0/24",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
    )
]
NUMBER = re.compile(r"\d+|0[xX][0-9a-fA-F]*")
MAX_URL_CHARS = 2048
MAX_LABEL_CHARS = 63  # RFC 1035
LOWEST_ODD_PORT = 1024
USUAL_PORTS = {"https": 443, "http": 80}
# RFC 6761, 6762 and 8375, and the name that ICANN keeps for private use.
INNER_NAMES = ("localhost", "local", "home.arpa", "internal")


class ForbiddenAddress(ValueError):
    """A URL that must not be called, with the reason."""


def check_url(
    url: str, *, allow_private: bool, schemes: tuple[str, ...] = ("https",)
) -> tuple[str, int]:
    """Host and port of a URL that may be called, as far as its text tells.

    Raises
    ------
    ForbiddenAddress
        for other schemes than these (http too where private hosts are allowed), credentials,
        control characters, odd ports, inner names, and literal addresses that are not public.
    """
    parts, host, port = _plain_parts(url)
    schemes = ("https", "http") if allow_private else schemes
    if parts.scheme not in schemes:
        raise ForbiddenAddress(f"its scheme is not {' or '.join(schemes)}")
    if not host.isascii():
        raise ForbiddenAddress("its host must be in ASCII (punycode)")
    port = port or USUAL_PORTS[parts.scheme]
    if not allow_private and port != USUAL_PORTS[parts.scheme] and port < LOWEST_ODD_PORT:
        raise ForbiddenAddress(f"port {port} belongs to another protocol")
    if literal := _literal(host):
        _check(literal, allow_private=allow_private)
    elif not allow_private and _is_inner(host):
        raise ForbiddenAddress(f"{host} is an inner name")
    elif _looks_numeric(host):
        raise ForbiddenAddress("its host is a number in disguise")
    return host, port


def _plain_parts(url: str) -> tuple[SplitResult, str, int | None]:
    """A URL that all readers take apart alike: its parts, its host and the port it names."""
    if len(url) > MAX_URL_CHARS or any(c.isspace() or not c.isprintable() for c in url):
        raise ForbiddenAddress("it is too long or holds white space")
    if "\\" in url:
        raise ForbiddenAddress("it holds a backslash")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        called = httpx.URL(url).host
    except (ValueError, httpx.InvalidURL) as error:
        raise ForbiddenAddress(str(error)) from None
    if not host or "%" in host or parts.username is not None or parts.password is not None:
        raise ForbiddenAddress("it needs a plain host, without credentials")
    if any(len(label) > MAX_LABEL_CHARS for label in host.split(".")):
        raise ForbiddenAddress("its host is no name that can be looked up")
    if called != host:
        raise ForbiddenAddress("its host can be read in two ways")
    return parts, host, port


async def addresses_of(
    host: str, port: int, *, allow_private: bool, resolver: Resolver | None = None
) -> list[str]:
    """The addresses of a host, all of which may be called.

    Raises
    ------
    ForbiddenAddress
        where one of them may not, or there is none.
    """
    found = (
        [str(literal)] if (literal := _literal(host)) else await (resolver or _resolve)(host, port)
    )
    if not found:
        raise ForbiddenAddress("its host has no address")
    for text in found:
        _check(ipaddress.ip_address(text.partition("%")[0]), allow_private=allow_private)
    return found


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _is_inner(host: str) -> bool:
    name = host.rstrip(".")
    return any(name == inner or name.endswith(f".{inner}") for inner in INNER_NAMES)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _looks_numeric(host: str) -> bool:
    """Whether somebody would read it as IPv4: 127.1, 0x7f.1, 2130706433 (WHATWG URL, 3.5)."""
    return NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) is not None


def _check(address: Address, *, allow_private: bool) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    plain = mapped or address
    if plain.is_multicast or plain.is_unspecified or plain.is_reserved:
        raise ForbiddenAddress(f"{plain} is no host's address")
    inside = not plain.is_global or any(
        plain in network for network in NOT_OURS if network.version == plain.version
    )
    if inside and not allow_private:
        raise ForbiddenAddress(f"{plain} is not a public address")
