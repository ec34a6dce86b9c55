"""A URL leads to the public web or nowhere, and a body that never ends does end."""

import gzip
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.contract import IngestLimits
from ray_jobs.failures import Cancelled, Failure
from ray_jobs.media.download import check_url, download, may_reach, resolve

BODY = bytes(range(256)) * 40
INTRANET = IngestLimits(allow_private_hosts=True, url_timeout_s=30)
# Names that a resolver on the open web would answer like this.
NAMES = {
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "localtest.me": ["127.0.0.1"],
    "example.com": ["93.184.215.14"],
    "two-faced.example.com": ["93.184.215.14", "10.0.0.1"],
}


def answer(host: str, _port: int) -> list[str]:
    if host not in NAMES:
        raise OSError("unknown host")
    return NAMES[host]


class Handler(BaseHTTPRequestHandler):
    """A server that behaves as its path says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Host")))
        word, _, rest = self.path[1:].partition("/")
        getattr(self, word)(rest)

    def _send(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def file(self, _):
        self._send(200, BODY)

    def gone(self, _):
        self._send(404)

    def moody(self, _):
        tries = sum(path == self.path for path, _ in self.server.seen)
        self._send(200 if tries > 2 else 503, BODY if tries > 2 else b"")

    def broken(self, _):
        self._send(503)

    def hop(self, rest):
        self._send(302, Location=f"/hop/{int(rest) - 1}" if int(rest) else "/file")

    def to(self, rest):
        self._send(302, Location=rest)

    def zipped(self, _):
        self._send(200, gzip.compress(BODY), Content_Encoding="gzip")

    def torn(self, _):
        self._send(200, BODY, Content_Length=len(BODY) * 2)
        self.close_connection = True

    def huge(self, _):
        self._send(200, BODY, Content_Length=10**12)
        self.close_connection = True

    def endless(self, _):
        self._endless(0)

    def trickle(self, _):
        self._endless(0.05)

    def _endless(self, pause_s):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * (1 if pause_s else 65536))
                sleep(pause_s)
        except OSError:
            self.close_connection = True


@pytest.fixture(autouse=True)
def _no_waiting():
    with stamina.set_testing(True, attempts=4):
        yield


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def at(server):
    return lambda path: f"http://127.0.0.1:{server.server_port}{path}"


def test_a_file_arrives_whole_with_its_hash(at, tmp_path):
    heard = []
    got = download(
        at("/file"), tmp_path / "f", INTRANET, progress=lambda *sizes: heard.append(sizes)
    )
    assert (tmp_path / "f").read_bytes() == BODY
    assert got == (hashlib.sha256(BODY).hexdigest(), len(BODY))
    assert heard[-1] == (len(BODY), len(BODY))


def test_redirects_are_followed_five_times(at, tmp_path):
    assert download(at("/hop/4"), tmp_path / "f", INTRANET).size_bytes == len(BODY)
    with pytest.raises(Failure, match="download_failed: The URL redirects"):
        download(at("/hop/30"), tmp_path / "f", INTRANET)


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "file:///etc/passwd",
        "http://user:word@127.0.0.1/",
        "gopher://127.0.0.1/",
    ],
)
def test_every_hop_is_checked(at, tmp_path, target):
    with pytest.raises(Failure, match="url_forbidden"):
        download(at(f"/to/{target}"), tmp_path / "f", INTRANET)


def test_the_address_that_was_checked_is_the_one_connected_to(server, tmp_path):
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    url = f"http://rebinding.test:{server.server_port}/file"
    got = download(url, tmp_path / "f", INTRANET, resolver=lambda *_: answers.pop(0))
    assert got.size_bytes == len(BODY)
    assert len(answers) == 1
    assert server.seen == [("/file", f"rebinding.test:{server.server_port}")]


def test_a_second_address_is_tried(server, tmp_path):
    url = f"http://twice.test:{server.server_port}/file"
    got = download(url, tmp_path / "f", INTRANET, resolver=lambda *_: ["127.9.9.9", "127.0.0.1"])
    assert got.size_bytes == len(BODY)


def test_private_hosts_need_permission(at, server, tmp_path):
    with pytest.raises(Failure, match="url_forbidden"):
        download(at("/file"), tmp_path / "f", IngestLimits())
    assert server.seen == []


def test_a_moody_server_is_asked_again_and_a_broken_one_given_up(at, server, tmp_path):
    assert download(at("/moody"), tmp_path / "f", INTRANET).size_bytes == len(BODY)
    assert len(server.seen) == 3
    for path in ("/broken", "/torn"):
        with pytest.raises(Failure, match="download_failed") as caught:
            download(at(path), tmp_path / "f", INTRANET)
        assert caught.value.retryable
    with pytest.raises(Failure, match="answers 404") as caught:
        download(at("/gone"), tmp_path / "f", INTRANET)
    assert not caught.value.retryable


@pytest.mark.parametrize("path", ["/endless", "/huge", "/file"])
def test_size_is_limited_whatever_is_announced(at, tmp_path, path):
    limits = INTRANET.model_copy(update={"max_size_bytes": len(BODY) - 1})
    with pytest.raises(Failure, match="too_large"):
        download(at(path), tmp_path / "f", limits)
    assert not (tmp_path / "f").exists() or (tmp_path / "f").stat().st_size < 3 * 2**20


def test_a_trickle_ends_at_the_deadline(at, tmp_path):
    limits = INTRANET.model_copy(update={"url_timeout_s": 0.6})
    with pytest.raises(Failure, match="download_failed") as caught:
        download(at("/trickle"), tmp_path / "f", limits)
    assert caught.value.retryable


def test_compressed_bodies_are_refused(at, tmp_path):
    with pytest.raises(Failure, match="compressing"):
        download(at("/zipped"), tmp_path / "f", INTRANET)


def test_cancelling_ends_the_download(at, tmp_path):
    def cancel(*_):
        raise Cancelled

    with pytest.raises(Cancelled):
        download(at("/endless"), tmp_path / "f", INTRANET, progress=cancel)


# ---- where a URL may lead ----------------------------------------------------------------------


@pytest.mark.media
def test_known_tricks_are_refused_and_plain_urls_are_not(media):
    cases = json.loads((media / "security" / "ssrf_urls.json").read_text())["cases"]
    refused = {}
    for case in cases:
        try:
            check_url(case["url"], allow_private=False, resolver=answer)
        except Failure as failure:
            refused[case["url"]] = failure.code
    wanted = {case["url"] for case in cases if case["expect"] == "refuse"}
    assert set(refused) == wanted
    # A name that nobody answers for is refused by its resolver, everything else by its form.
    unknown = {url for url, code in refused.items() if code == "download_failed"}
    assert unknown == {"http://a.b.c.d.e/..;/v.mp4"}


def test_one_inner_address_among_public_ones_is_enough_to_refuse():
    with pytest.raises(Failure, match="url_forbidden"):
        check_url("http://two-faced.example.com/", allow_private=False, resolver=answer)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "240.0.0.1",
    ],
)
def test_some_addresses_are_never_reached(address):
    assert not may_reach(address, allow_private=True)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "fd12::1"]
)
def test_private_addresses_are_reached_only_with_permission(address):
    assert may_reach(address, allow_private=True)
    assert not may_reach(address, allow_private=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_reached(address):
    assert may_reach(address, allow_private=False)


@given(st.ip_addresses(v=4))
def test_carrying_an_address_in_ipv6_gains_nothing(inner):
    carried = [f"::ffff:{inner}", f"64:ff9b::{inner}"]
    for address in carried:
        assert may_reach(address, allow_private=False) == may_reach(str(inner), allow_private=False)


@given(st.text(max_size=40))
def test_no_text_is_more_than_refused(text):
    for url in (text, f"http://{text}", f"http://example.com{text}"):
        try:
            found = check_url(url, allow_private=False, resolver=answer)
        except Failure as failure:
            assert failure.code in ("url_forbidden", "download_failed")  # noqa: PT017
        else:
            assert all(may_reach(each, allow_private=False) for each in found.addresses)


def test_names_are_resolved_by_the_system():
    assert set(resolve("localhost", 80)) <= {"127.0.0.1", "::1"}
