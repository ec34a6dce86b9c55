"""Fetching a recording from the web, without lending our network position to whoever asks.

A worker sits beside databases and metadata services, so a URL may lead only to public addresses
(or, where the order allows it, private ones). The name is resolved here, every address is checked,
and the connection goes to the checked address: a second look-up could answer differently.
"""

import hashlib
import ipaddress
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx
import idna
import stamina

from ray_jobs.contract import IngestLimits
from ray_jobs.failures import Failure

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

MAX_URL_CHARS = 4096
MAX_HOPS = 5
ATTEMPTS = 4
WAIT_S = 30.0
# Slower than this for a minute is not a download but a hold-up.
MIN_BYTES_PER_S = 1024
PATIENCE_S = 60.0
WEB_PORTS = frozenset({80, 443, 8080, 8443})
INNER_NAMES = ("localhost", "local", "internal", "intranet", "home.arpa", "onion")
# Never, whatever is allowed: metadata services that lie outside the link-local range.
METADATA = tuple(
    ipaddress.ip_network(each) for each in ("168.63.129.16/32", "192.0.0.0/24", "fd00:ec2::/32")
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Downloaded(NamedTuple):
    sha256: str
    size_bytes: int


class Destination(NamedTuple):
    """A URL whose host was resolved and found allowed."""

    parts: SplitResult
    host: str
    port: int
    addresses: Sequence[str]


class _Transient(Exception):
    """Worth another try; `detail` is what to say when there is none."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def _no_progress(_size_bytes: int, _total_bytes: int | None) -> None:
    return None


def resolve(host: str, port: int) -> list[str]:
    """Addresses of a host name as the operating system sees them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def download(
    url: str,
    path: Path,
    limits: IngestLimits,
    *,
    progress: Callable[[int, int | None], None] = _no_progress,
    resolver: Resolver = resolve,
) -> Downloaded:
    """Save the body of an http(s) URL to `path`, following at most five redirects.

    `progress` gets bytes so far and in total (None if unknown) as they come; what it raises
    ends the download. Transient errors are tried four times.

    Raises
    ------
    Failure
        `url_forbidden` (scheme, credentials, port or address), `too_large`, `download_failed`.
    """
    deadline_s = monotonic() + limits.url_timeout_s
    try:
        for attempt in stamina.retry_context(
            on=_Transient, attempts=ATTEMPTS, timeout=limits.url_timeout_s, wait_initial=0.2
        ):
            with attempt:
                return _try(url, path, limits, deadline_s, progress, resolver)
    except _Transient as error:
        raise Failure("download_failed", error.detail, retryable=True) from error
    raise AssertionError("stamina ends by return or raise")


def _try(
    url: str,
    path: Path,
    limits: IngestLimits,
    deadline_s: float,
    progress: Callable[[int, int | None], None],
    resolver: Resolver,
) -> Downloaded:
    # Proxies of the environment would resolve the name again, unchecked.
    with httpx.Client(trust_env=False, follow_redirects=False, headers=_HEADERS) as client:
        for _ in range(MAX_HOPS + 1):
            destination = check_url(
                url, allow_private=limits.allow_private_hosts, resolver=resolver
            )
            response = _get(client, destination, deadline_s)
            try:
                if not response.is_redirect:
                    return _save(response, path, limits, deadline_s, progress)
                url = urljoin(url, response.headers["location"])
            finally:
                response.close()
    raise Failure("download_failed", f"The URL redirects more than {MAX_HOPS} times.")


_HEADERS = {"User-Agent": "Cutroom", "Accept": "*/*", "Accept-Encoding": "identity"}


def _get(client: httpx.Client, destination: Destination, deadline_s: float) -> httpx.Response:
    parts, host = destination.parts, destination.host
    bracketed = f"[{host}]" if ":" in host else host
    last: Exception | None = None
    for address in destination.addresses:
        target = f"[{address}]" if ":" in address else address
        query = f"?{parts.query}" if parts.query else ""
        request = client.build_request(
            "GET",
            f"{parts.scheme}://{target}:{destination.port}{parts.path or '/'}{query}",
            headers={"Host": f"{bracketed}:{parts.port}" if parts.port else bracketed},
            extensions={"sni_hostname": host},
            timeout=_wait(deadline_s),
        )
        try:
            return client.send(request, stream=True)
        except httpx.ConnectError as error:
            last = error
        except httpx.TransportError as error:
            raise _Transient(f"The server does not answer: {type(error).__name__}.") from error
        except httpx.InvalidURL as error:
            raise _forbidden("its path is malformed") from error
    raise _Transient("The server cannot be reached.") from last


def _wait(deadline_s: float) -> httpx.Timeout:
    left_s = deadline_s - monotonic()
    if left_s <= 0:
        raise Failure("download_failed", "The download took too long.", retryable=True)
    return httpx.Timeout(min(WAIT_S, left_s))


def _save(
    response: httpx.Response,
    path: Path,
    limits: IngestLimits,
    deadline_s: float,
    progress: Callable[[int, int | None], None],
) -> Downloaded:
    if response.status_code in (408, 425, 429) or response.status_code >= 500:
        raise _Transient(f"The server answers {response.status_code}.")
    if response.status_code != 200:
        raise Failure("download_failed", f"The server answers {response.status_code}.")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Failure("download_failed", "The server insists on compressing the file.")
    length = response.headers.get("content-length", "")
    total = int(length) if length.isdigit() else None
    _check_size(total or 0, limits)
    digest, size, started_s = hashlib.sha256(), 0, monotonic()
    try:
        with path.open("wb") as file:
            for chunk in response.iter_raw():
                size += len(chunk)
                _check_size(size, limits)
                _check_pace(size, started_s, deadline_s)
                digest.update(chunk)
                file.write(chunk)
                progress(size, total)
    except httpx.TransportError as error:
        raise _Transient("The server stopped in the middle of the file.") from error
    return Downloaded(digest.hexdigest(), size)


def _check_size(size: int, limits: IngestLimits) -> None:
    if size > limits.max_size_bytes:
        raise Failure("too_large", f"The file is larger than {limits.max_size_bytes} bytes.")


def _check_pace(size: int, started_s: float, deadline_s: float) -> None:
    now_s = monotonic()
    slow = now_s - started_s > PATIENCE_S and size < MIN_BYTES_PER_S * (now_s - started_s)
    if now_s > deadline_s or slow:
        raise Failure("download_failed", "The download is too slow.", retryable=True)


# ---- where a URL may lead ----------------------------------------------------------------------


def check_url(url: str, *, allow_private: bool, resolver: Resolver = resolve) -> Destination:
    """Resolve a URL's host and check every address it has.

    Raises
    ------
    Failure
        `url_forbidden`; `download_failed` if the name does not resolve.
    """
    parts, host, port = _split(url)
    if port not in WEB_PORTS and not allow_private:
        raise _forbidden(f"port {port} is not a web port")
    inner = any(host == name or host.endswith(f".{name}") for name in INNER_NAMES)
    if inner and not allow_private:
        raise _forbidden("its host is an inner name")
    try:
        addresses = [host] if _is_address(host) else list(resolver(host, port))
    except (OSError, UnicodeError) as error:
        raise Failure("download_failed", "The URL's host name does not resolve.") from error
    for address in addresses:
        if not may_reach(address, allow_private=allow_private):
            raise _forbidden("its host is not on the public internet")
    if not addresses:
        raise Failure("download_failed", "The URL's host name has no address.")
    return Destination(parts, host, port, addresses)


def _split(url: str) -> tuple[SplitResult, str, int]:
    if len(url) > MAX_URL_CHARS or any(c <= " " or c in "\\\x7f" for c in url):
        raise _forbidden("it is too long or has characters that do not belong in a URL")
    try:
        parts = urlsplit(url)
        port = parts.port
        name = parts.hostname or ""
    except ValueError as error:
        raise _forbidden("it is malformed") from error
    if parts.scheme not in ("http", "https"):
        raise _forbidden("only http and https are fetched")
    if "@" in parts.netloc:
        raise _forbidden("it holds credentials")
    return parts, _host(name), port or (443 if parts.scheme == "https" else 80)


def _host(name: str) -> str:
    """The host as an address or an ASCII name; odd spellings of addresses are refused."""
    if _is_address(name):
        return name
    name = name.removesuffix(".").lower()
    try:
        ascii_name = idna.encode(name).decode()
    except idna.IDNAError as error:
        raise _forbidden("its host name is malformed") from error
    last = ascii_name.rsplit(".", 1)[-1]
    if last[:1].isdigit():
        raise _forbidden("its host is a number in disguise")
    return ascii_name


def _is_address(text: str) -> bool:
    try:
        return not getattr(ipaddress.ip_address(text), "scope_id", None)
    except ValueError:
        return False


def may_reach(address: str, *, allow_private: bool) -> bool:
    """Whether an address is public, or private where that is allowed; metadata services never are.

    Addresses that carry an IPv4 address (mapped, NAT64, 6to4, Teredo) are judged by both.
    """
    ip = ipaddress.ip_address(address)
    return all(_allowed(each, allow_private=allow_private) for each in (ip, *_carried(ip)))


def _carried(ip: Address) -> list[ipaddress.IPv4Address]:
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    low = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    found = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in NAT64 or (int(ip) >> 32 == 0 and int(ip) > 1):
        found.append(low)
    return [each for each in found if each is not None]


def _allowed(ip: Address, *, allow_private: bool) -> bool:
    if ip.is_multicast or ip.is_link_local or ip.is_unspecified:
        return False
    if any(ip in network for network in METADATA):
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped or ip in NAT64:
            return True  # judged by the address it carries
        if ip.is_site_local:
            return allow_private
    if ip.is_global and not ip.is_reserved:
        return True
    return allow_private and (ip.is_loopback or (ip.is_private and not ip.is_reserved))


def _forbidden(why: str) -> Failure:
    return Failure("url_forbidden", f"This URL is not fetched: {why}.")
