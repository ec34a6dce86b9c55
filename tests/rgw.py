"""A one-node Ceph with an S3 gateway on loopback: monitor, in-memory OSD, RGW; no root, no keys."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from urllib.error import HTTPError, URLError
from urllib.request import urlopen
from uuid import uuid4

import pytest

DAEMONS = ("radosgw", "ceph-mon", "ceph-osd", "ceph", "monmaptool", "radosgw-admin")
READY_S = 120

CONFIGURATION = """
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{mon_v2},v1:127.0.0.1:{mon_v1}]
ms_bind_ipv4 = true
ms_mon_client_mode = crc
ms_mon_service_mode = crc
ms_mon_cluster_mode = crc
ms_client_mode = crc
ms_service_mode = crc
ms_cluster_mode = crc
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = {folder}
crash_dir = {folder}/crash
admin_socket = {folder}/$name.asok
log_file = {folder}/$name.log
pid_file = {folder}/$name.pid
setuser_match_path =
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 2
mon_data_avail_crit = 1
osd_crush_chooseleaf_type = 0
paxos_propose_interval = 0.05
mon_tick_interval = 1
[mon.a]
mon_data = {folder}/mon
[osd.0]
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 1073741824
osd_class_load_list = *
osd_class_default_list = *
[client.rgw.a]
rgw_frontends = beast endpoint=127.0.0.1:{rgw}
rgw_thread_pool_size = 16
rgw_dns_name = localhost
"""


@dataclass(frozen=True)
class Gateway:
    """Where the S3 answers, and who may ask."""

    url: str
    access_key: str
    secret_key: str

    def environment(self) -> dict[str, str]:
        """The variables from which botocore takes its credentials."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def make_bucket(self, name: str) -> None:
        from botocore.session import get_session

        get_session().create_client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
        ).create_bucket(Bucket=name)


def need_rgw() -> None:
    """Skip where Ceph is not installed; fail where `CUTROOM_REQUIRE_RGW` says it must be."""
    missing = [name for name in DAEMONS if shutil.which(name) is None]
    if not missing:
        return
    if os.environ.get("CUTROOM_REQUIRE_RGW"):
        pytest.fail(f"CUTROOM_REQUIRE_RGW is set and these are missing: {', '.join(missing)}")
    pytest.skip(
        f"no {', '.join(missing)}: install Debian's radosgw, ceph-mon, ceph-osd, ceph-common"
    )


@contextmanager
def running_rgw() -> Iterator[Gateway]:
    """Start the node in a folder of its own and end every process of it afterwards."""
    folder = Path(mkdtemp(prefix="cutroom-rgw-"))
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        yield _start(folder, daemons)
    finally:
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
        for daemon in reversed(daemons):
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, daemons: list[subprocess.Popen[bytes]]) -> Gateway:
    fsid, osd, ports = str(uuid4()), str(uuid4()), _free_ports(3)
    (folder / "mon").mkdir()
    (folder / "osd").mkdir()
    file = folder / "ceph.conf"
    file.write_text(
        CONFIGURATION.format(
            fsid=fsid, folder=folder, mon_v2=ports[0], mon_v1=ports[1], rgw=ports[2]
        )
    )
    env = {**os.environ, "CEPH_CONF": str(file)}
    log = (folder / "daemons.log").open("wb")

    def do(*command: str) -> None:
        ran = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=READY_S, check=False
        )
        assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout}\n{ran.stderr}"

    def daemon(*command: str) -> None:
        daemons.append(subprocess.Popen([*command, "-f"], env=env, stdout=log, stderr=log))

    address = f"[v2:127.0.0.1:{ports[0]},v1:127.0.0.1:{ports[1]}]"
    monmap = str(folder / "monmap")
    do("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monmap)
    do("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", os.devnull)
    daemon("ceph-mon", "-i", "a")
    do("ceph", "osd", "new", osd)
    do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
    daemon("ceph-osd", "-i", "0")
    gateway = Gateway(f"http://127.0.0.1:{ports[2]}", "cutroom-tests", uuid4().hex)
    do(
        "radosgw-admin", "-n", "client.rgw.a", "user", "create", "--uid=tests",
        "--display-name=tests", f"--access-key={gateway.access_key}",
        f"--secret-key={gateway.secret_key}",
    )  # fmt: skip
    daemon("radosgw", "-n", "client.rgw.a")
    _wait(gateway.url, daemons, folder)
    return gateway


def _wait(url: str, daemons: list[subprocess.Popen[bytes]], folder: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        dead = [daemon.args for daemon in daemons if daemon.poll() is not None]
        assert not dead, f"{dead} ended:\n{(folder / 'daemons.log').read_text()[-4000:]}"
        try:
            urlopen(url, timeout=5).close()
        except HTTPError:
            return
        except (URLError, OSError):
            time.sleep(0.1)
            continue
        return
    raise TimeoutError(f"the gateway did not answer within {READY_S} s")


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
