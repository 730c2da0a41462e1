"""Fetching a file from servers that drop, redirect, lie, refuse: it arrives whole, or nothing has its name."""

import hashlib
import os
import sys
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import file_server
import pytest
from file_server import drop_after, lie, redirect, refuse, unsized, whole, wrong_part
from filelock import FileLock

from consistentid_core.errors import DownloadError, MissingDependencyError
from consistentid_core.files import fetch as module
from consistentid_core.files.fetch import MOST_TRIES, Source, address_of, fetch

DATA = os.urandom(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def no_proxies_and_small_chunks(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(module, "_CHUNK", 10_000)


@pytest.fixture
def server():
    with file_server.serve() as served:
        served.data["/file.bin"] = DATA
        yield served


@pytest.fixture
def target(tmp_path):
    return tmp_path / "models" / "consistentid" / "file.bin"


class Fetching:
    """Fetches from the server, and remembers waits and progress."""

    def __init__(self, server, target):
        self.server, self.target = server, target
        self.waits: list[float] = []
        self.seen: list[tuple[int, int | None]] = []

    def __call__(self, path="/file.bin", **known):
        source = Source(self.server.address + path, **known)
        fetch(
            source,
            self.target,
            on_progress=lambda *now: self.seen.append(now),
            sleep=self.waits.append,
        )

    @property
    def part(self):
        return self.target.with_name("file.bin.part")

    def ranges(self):
        return [asked.headers.get("Range") for asked in self.server.asked]


@pytest.fixture
def fetching(server, target):
    return Fetching(server, target)


def left(target):
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_arrives_whole_and_nothing_else_is_left(fetching, target):
    fetching(size=len(DATA), sha256=SHA256)
    assert target.read_bytes() == DATA
    assert left(target) == ["file.bin"]
    assert fetching.seen[0] == (0, len(DATA)) and fetching.seen[-1] == (len(DATA), len(DATA))
    assert fetching.waits == []


def test_a_dropped_connection_is_taken_up_where_it_ended(fetching, server, target):
    server.faults = [drop_after(100_000), drop_after(50_000)]
    fetching(sha256=SHA256)
    assert target.read_bytes() == DATA
    assert fetching.ranges() == [None, "bytes=100000-", "bytes=150000-"]
    assert server.asked[1].headers["If-Range"] == '"one"'
    assert len(fetching.waits) == 2


def test_a_later_call_goes_on(fetching, server, target):
    server.faults = [drop_after(100_000), *[refuse(503)] * MOST_TRIES]
    with pytest.raises(DownloadError, match="503 .* it goes on there"):
        fetching()
    assert not target.exists() and fetching.part.read_bytes() == DATA[:100_000]
    server.asked.clear()
    fetching()
    assert fetching.ranges() == ["bytes=100000-"]
    assert target.read_bytes() == DATA and left(target) == ["file.bin"]


def test_another_version_on_the_server_begins_anew(fetching, server, target):
    server.faults = [drop_after(100_000), *[refuse(503)] * MOST_TRIES]
    with pytest.raises(DownloadError):
        fetching()
    server.data["/file.bin"], server.tag = DATA[::-1], '"two"'
    fetching()
    assert target.read_bytes() == DATA[::-1]


@pytest.mark.parametrize("answer", [whole, wrong_part])
def test_a_server_that_sends_another_part_spoils_nothing(fetching, server, target, answer):
    server.faults = [drop_after(100_000), answer]
    fetching(sha256=SHA256)
    assert target.read_bytes() == DATA


def test_a_part_that_is_complete_already_is_only_checked(fetching, server, target):
    fetching.part.parent.mkdir(parents=True)
    fetching.part.write_bytes(DATA)
    fetching(sha256=SHA256)
    assert target.read_bytes() == DATA and fetching.ranges() == [f"bytes={len(DATA)}-"]


def test_a_part_longer_than_the_file_begins_anew(fetching, target):
    fetching.part.parent.mkdir(parents=True)
    fetching.part.write_bytes(DATA + b"more")
    fetching(sha256=SHA256)
    assert target.read_bytes() == DATA


def test_a_part_of_which_nothing_is_known_is_not_built_upon(fetching, target):
    fetching.part.parent.mkdir(parents=True)
    fetching.part.write_bytes(b"something else")
    fetching()
    assert target.read_bytes() == DATA and fetching.ranges() == [None]


def test_a_part_from_another_address_is_not_built_upon(fetching, server, target):
    server.faults = [drop_after(10_000), *[refuse(503)] * MOST_TRIES]
    with pytest.raises(DownloadError):
        fetching()
    assert fetching.part.stat().st_size == 10_000
    server.data["/other.bin"] = DATA[::-1]
    server.asked.clear()
    fetching("/other.bin")
    assert target.read_bytes() == DATA[::-1] and fetching.ranges() == [None]


def test_redirects_are_followed_and_the_part_is_still_asked_for(fetching, server, target):
    there = redirect(f"{server.address}/file.bin")
    server.faults = [there, drop_after(100_000), there]
    fetching("/moved")
    assert target.read_bytes() == DATA
    assert server.asked[-1].path == "/file.bin" and fetching.ranges()[-1] == "bytes=100000-"


def test_a_circle_of_redirects_ends(fetching, server, target):
    server.faults = [redirect(f"{server.address}/file.bin")] * 500
    with pytest.raises(DownloadError, match="redirects"):
        fetching()
    assert not target.exists()


def test_the_hub_s_checksum_is_used_where_none_is_known(fetching, server, target):
    server.faults = [redirect(f"{server.address}/file.bin", X_Linked_Etag=f'"{"0" * 64}"')]
    with pytest.raises(DownloadError, match=f"has the sha256 {SHA256}, expected 000"):
        fetching("/hub")
    server.faults = [redirect(f"{server.address}/file.bin", X_Linked_Etag=f'"{SHA256}"')]
    fetching("/hub")
    assert target.read_bytes() == DATA


def test_wrong_bytes_are_deleted_and_the_next_call_begins_anew(fetching, server, target):
    server.data["/file.bin"] = DATA[::-1]
    with pytest.raises(DownloadError, match=r"expected .* It was deleted"):
        fetching(size=len(DATA), sha256=SHA256)
    assert left(target) == []
    server.data["/file.bin"] = DATA
    fetching(size=len(DATA), sha256=SHA256)
    assert target.read_bytes() == DATA


def test_another_length_than_published_is_not_fetched_at_all(fetching, server, target):
    server.data["/file.bin"] = b"<html>not found</html>"
    with pytest.raises(DownloadError, match="has 22 bytes, expected 300,000: it is another file, or a page"):
        fetching(size=len(DATA))
    assert left(target) == [] and fetching.seen == []


def test_a_length_that_is_too_large_is_no_reason_to_wait_for_ever(fetching, server, target):
    server.faults = [lie(len(DATA) + 10)] * 50
    with pytest.raises(DownloadError, match="could not be fetched"):
        fetching()
    assert not target.exists()


def test_a_length_that_is_too_small_is_noticed_where_the_size_is_known(fetching, server, target):
    server.faults = [lie(1000)]
    with pytest.raises(DownloadError, match="has 1,000 bytes, expected 300,000"):
        fetching(size=len(DATA))
    assert not target.exists()


def test_a_file_without_a_length_is_checked_at_the_end(fetching, server, target):
    server.faults = [unsized(DATA)]
    fetching(size=len(DATA))
    assert target.read_bytes() == DATA
    target.unlink()
    server.faults = [unsized(DATA[:1000])]
    with pytest.raises(DownloadError, match="has 1,000 bytes, expected 300,000"):
        fetching(size=len(DATA))
    server.faults = [unsized(DATA + b"more")]
    with pytest.raises(DownloadError, match="sends more than the 300,000 bytes"):
        fetching(size=len(DATA))
    assert left(target) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
def test_a_refusal_is_said_at_once(fetching, server, target, status):
    server.faults = [refuse(status)]
    with pytest.raises(DownloadError, match=f"answers {status} .*the file belongs at {target}"):
        fetching()
    assert len(server.asked) == 1 and fetching.waits == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_after_longer_and_longer(fetching, server, target, status):
    server.faults = [refuse(status)] * 4
    fetching()
    assert target.read_bytes() == DATA
    assert fetching.waits == sorted(set(fetching.waits)) and len(fetching.waits) == 4


def test_the_server_says_how_long_to_wait(fetching, server):
    soon = datetime.now(timezone.utc) + timedelta(seconds=30)
    server.faults = [
        refuse(429, Retry_After=7),
        refuse(503, Retry_After=format_datetime(soon, usegmt=True)),
        refuse(503, Retry_After="nonsense"),
    ]
    fetching()
    assert fetching.waits[0] == 7
    assert 20 < fetching.waits[1] <= 30
    assert 0 < fetching.waits[2] < 20


def test_more_patience_than_anybody_has_ends_it(fetching, server):
    server.faults = [refuse(429, Retry_After=7200)]
    with pytest.raises(DownloadError, match="left alone for 120 minutes"):
        fetching()
    assert fetching.waits == []


def test_it_gives_up_after_some_tries_without_any_byte(fetching, server):
    server.faults = [refuse(503)] * 50
    with pytest.raises(DownloadError, match="6 tries brought nothing more"):
        fetching()
    assert len(server.asked) == MOST_TRIES


def test_tries_that_bring_something_are_not_counted(fetching, server, target):
    server.faults = [drop_after(10_000)] * (3 * MOST_TRIES)
    fetching()
    assert target.read_bytes() == DATA


def test_nobody_at_the_address_is_named(fetching, target):
    with pytest.raises(DownloadError, match="could not be fetched from .*refused"):
        fetch(Source("http://127.0.0.1:9/file"), target, sleep=lambda seconds: None)


def test_a_full_drive_is_said_before_the_first_byte(fetching, target, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"needs 300,000 more bytes, and the drive of .* has 1,000"):
        fetching()
    assert fetching.seen == []


def test_two_processes_do_not_write_one_part(fetching, target):
    target.parent.mkdir(parents=True)
    with (
        FileLock(target.with_name("file.bin.part.lock")),
        pytest.raises(DownloadError, match="another process"),
    ):
        fetching()
    fetching()
    assert target.read_bytes() == DATA


def as_if_secure(server, monkeypatch):
    """As if ``server`` had been asked by https; certificates are not made here."""
    monkeypatch.setattr(module, "address_of", lambda address: f"https:{address}")

    class Session(module_session()):
        def get(self, address, **values):
            return super().get(address.removeprefix("https:"), **values)

    monkeypatch.setattr("requests.Session", Session)
    return Source(f"{server.address}/file.bin")


def test_a_secure_address_does_not_lead_to_an_open_one(server, target, monkeypatch):
    with pytest.raises(DownloadError, match="anybody on the way can change"):
        fetch(as_if_secure(server, monkeypatch), target)
    assert left(target) == []


def test_an_open_address_on_the_way_is_no_better_than_one_at_the_end(server, target, monkeypatch):
    import requests

    source = as_if_secure(server, monkeypatch)
    send = requests.Session.get

    def get(self, address, **values):
        answer = send(self, address, **values)
        between = requests.Response()
        between.url, answer.url = f"{server.address}/between", f"https:{answer.url}"
        answer.history = [between]
        return answer

    monkeypatch.setattr("requests.Session.get", get)
    with pytest.raises(DownloadError, match="/between, which anybody on the way can change"):
        fetch(source, target)
    assert left(target) == []


def module_session():
    from requests import Session

    return Session


def test_a_mirror_takes_the_hub_s_place_and_no_other_s(monkeypatch):
    hub, other = "https://huggingface.co/a/b/resolve/main/c.bin", "https://github.com/a/b.zip"
    assert address_of(hub) == hub
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/hf/")
    assert address_of(hub) == "https://mirror.example/hf/a/b/resolve/main/c.bin"
    assert address_of(other) == other
    assert address_of("https://huggingface.co.evil.example/x") == "https://huggingface.co.evil.example/x"


def test_the_mirror_is_asked(server, target, monkeypatch):
    server.data["/a/file.bin"] = DATA
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    fetch(Source("https://huggingface.co/a/file.bin"), target)
    assert target.read_bytes() == DATA


def test_a_proxy_is_used(server, target, monkeypatch):
    monkeypatch.setenv("http_proxy", server.address)
    server.data["http://files.example/file.bin"] = DATA  # what a proxy is asked for
    fetch(Source("http://files.example/file.bin"), target)
    assert target.read_bytes() == DATA


def test_without_requests_it_says_what_to_install(fetching, monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(MissingDependencyError, match="-m pip install requests"):
        fetching()
