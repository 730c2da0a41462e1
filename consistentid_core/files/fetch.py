"""Fetch one file over HTTP, on command only: resumed where it stopped, checked, and visible when it is whole.

Built on the package ``requests``, which ComfyUI installs: it follows redirects and honours the variables for
proxies and certificates. It is imported when a file is fetched, so that the pack loads without it.
"""

import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from hashlib import sha256 as new_sha256
from os import environ
from pathlib import Path
from typing import Any

from ..errors import DownloadError, MissingDependencyError
from .atomic import move_into_place, write_whole

HUB = "https://huggingface.co"

#: Answers after which another try helps.
_BUSY = (408, 429, 500, 502, 503, 504)
#: Tries in a row that bring nothing.
MOST_TRIES = 6
#: A server that asks for more patience than this, in seconds, gets no further try.
LONGEST_WAIT = 600
_FIRST_WAIT, _LONGEST_OWN_WAIT = 1.0, 60.0
#: Seconds for a connection, and for the next bytes.
_TIMEOUTS = (15, 60)
#: What a dropped connection may cost, in bytes.
_CHUNK = 1 << 16

#: Called with the bytes that are there and those of the whole file, None if the server does not say.
OnProgress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Source:
    """Where a file comes from, and what is known of it beforehand.  size: bytes."""

    address: str
    size: int | None = None
    sha256: str | None = None


class _Again(Exception):
    """This try brought not all of it; another may.  wait: seconds the server asks for."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


def fetch(
    source: Source,
    target: Path,
    *,
    on_progress: OnProgress = lambda done, total: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch a file to ``target``, whose folder is made.

    Until it is whole it is called ``<name>.part``, and a later call goes on with that, if the server still has
    the same file. Of the hub's files the checksum is known from the hub where the source has none.
    Raises DownloadError: refused, given up, another size or checksum than expected, no room, fetched by another
    process at this moment; MissingDependencyError without requests.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target), _session() as session:
        part = _Part(target, source)
        tries, wait = 0, _FIRST_WAIT
        while True:
            before = part.size
            try:
                _one_try(session, part, on_progress)
                break
            except _Again as again:
                tries = 0 if part.size > before else tries + 1
                wait = _FIRST_WAIT if tries == 0 else min(2 * wait, _LONGEST_OWN_WAIT)
                if tries >= MOST_TRIES:
                    raise DownloadError(
                        f"'{target.name}' could not be fetched from {part.address}: {again}. {MOST_TRIES} tries "
                        "brought nothing more. Look at the connection, and run the command again: it goes on there."
                    ) from again
                sleep(again.wait if again.wait is not None else wait)
        part.check()
        part.publish()


def address_of(address: str) -> str:
    """The address to ask: of a file on the hub, the mirror named in ``HF_ENDPOINT`` in the hub's place."""
    mirror = environ.get("HF_ENDPOINT", "").rstrip("/")
    return mirror + address.removeprefix(HUB) if mirror and address.startswith(f"{HUB}/") else address


def checksum(path: Path) -> str:
    """The sha256 of a file."""
    digest = new_sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


class _Part:
    """The file on its way: what is there of it, and of which of the server's versions."""

    def __init__(self, target: Path, source: Source):
        self.target, self.source = target, source
        self.address = address_of(source.address)
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")
        #: What the server calls this version of the file.
        self.version = self._noted_version()
        self.sha256 = source.sha256
        if not self.version and not self.sha256:
            self.drop()  # nobody could say whether the rest is of the same file

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self.version = ""

    def is_of(self, version: str) -> None:
        """Note which version arrives, before its first byte does."""
        self.version = version
        note = {"address": self.source.address, "version": version}
        write_whole(self._note, json.dumps(note).encode(), lasting=False)

    def check(self) -> None:
        """Raise DownloadError, and begin anew next time, for another file than expected."""
        found = checksum(self.path) if self.sha256 else None
        if found != self.sha256:
            self._refuse(f"has the sha256 {found}, expected {self.sha256}")
        if self.source.size not in (None, self.size):
            self._refuse(f"has {self.size:,} bytes, expected {self.source.size:,}")

    def publish(self) -> None:
        move_into_place(self.path, self.target)
        self._note.unlink(missing_ok=True)

    def _refuse(self, why: str) -> None:
        self.drop()
        raise DownloadError(
            f"What came from {self.address} {why}. It was deleted. Try again; if it stays so, the file there is "
            "another now, or something on the way changes it."
        )

    def _noted_version(self) -> str:
        try:
            note = json.loads(self._note.read_text("utf-8"))
            return str(note["version"]) if note["address"] == self.source.address else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def _one_try(session: Any, part: _Part, on_progress: OnProgress) -> None:
    """Ask for what is missing and write it; returns when the file is complete."""
    from requests import RequestException

    start = part.size
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if part.version:
            headers["If-Range"] = part.version
    try:
        with session.get(part.address, headers=headers, stream=True, timeout=_TIMEOUTS) as answer:
            _require_safe(part, answer)
            if answer.status_code == 416 and start:
                if _total(answer) == start:
                    return
                part.drop()
                raise _Again("the file there has changed")
            _require_success(part, answer)
            start, total = _place_of(answer, start)
            _require_expected(part, total, start)
            part.sha256 = part.sha256 or _hub_checksum(answer)
            part.is_of(_version(answer))
            _write(part, answer, start, total, on_progress)
    except RequestException as error:
        raise _Again(_in_words(error)) from error
    if total is not None and part.size < total:
        raise _Again(f"the connection ended at {part.size:,} of {total:,} bytes")


def _require_safe(part: _Part, answer: Any) -> None:
    """Raise DownloadError if any address on the way from a secure one is open: what comes next is its word."""
    addresses = [one.url for one in (*answer.history, answer)]
    open_one = next((address for address in addresses if not address.startswith("https:")), None)
    if part.address.startswith("https:") and open_one is not None:
        raise DownloadError(
            f"{part.address} leads to {open_one}, which anybody on the way can change. Nothing was fetched."
        )


def _require_success(part: _Part, answer: Any) -> None:
    status = answer.status_code
    if status in _BUSY:
        wait = _asked_wait(answer.headers.get("Retry-After", ""))
        if wait is not None and wait > LONGEST_WAIT:
            raise DownloadError(
                f"{part.address} answers {status} and asks to be left alone for {wait / 60:.0f} minutes. Run the "
                "command again then: it goes on from where it is."
            )
        raise _Again(f"the server answers {status} {answer.reason}", wait)
    if status not in (200, 206):
        raise DownloadError(
            f"{part.address} answers {status} {answer.reason}. Open it in a browser to see why; the file belongs at "
            f"{part.target}."
        )


def _place_of(answer: Any, start: int) -> tuple[int, int | None]:
    """Where the bytes of an answer belong, and how many there are in all."""
    total = _total(answer)
    if answer.status_code == 200:  # all of it: another version, or a server that knows no parts
        return 0, total
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != start:
        raise _Again("the server sends another part than was asked for")
    return start, total


def _total(answer: Any) -> int | None:
    found = re.search(r"/(\d+)$", answer.headers.get("Content-Range", ""))
    if found:
        return int(found[1])
    length = answer.headers.get("Content-Length", "")
    return int(length) if answer.status_code == 200 and length.isdigit() else None


def _require_expected(part: _Part, total: int | None, start: int) -> None:
    expected = part.source.size
    if None not in (total, expected) and total != expected:
        raise DownloadError(
            f"{part.address} has {total:,} bytes, expected {expected:,}: it is another file, or a page about it. "
            "Nothing was kept."
        )
    needed = (total or expected or 0) - start
    free = shutil.disk_usage(part.path.parent).free
    if needed > free:
        raise DownloadError(
            f"'{part.target.name}' needs {needed:,} more bytes, and the drive of {part.path.parent} has {free:,}. Make "
            "room, or choose another models folder with --models."
        )


def _write(part: _Part, answer: Any, start: int, total: int | None, on_progress: OnProgress) -> None:
    limit = total or part.source.size
    with part.path.open("ab" if start else "wb") as file:
        done = start
        on_progress(done, limit)
        for chunk in answer.iter_content(_CHUNK):
            file.write(chunk)
            done += len(chunk)
            on_progress(done, limit)
            if limit is not None and done > limit:
                file.close()
                part.drop()
                raise DownloadError(
                    f"{part.address} sends more than the {limit:,} bytes of the file. What came was deleted."
                )


def _version(answer: Any) -> str:
    """What ``If-Range`` may name: a weak tag says only that two files mean the same."""
    tag = str(answer.headers.get("ETag", ""))
    return tag if tag and not tag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))


def _hub_checksum(answer: Any) -> str | None:
    """The sha256 that the hub tells with its redirect to a large file."""
    for one in (*answer.history, answer):
        tag = one.headers.get("X-Linked-Etag", "").strip('"')
        if re.fullmatch("[0-9a-f]{64}", tag):
            return str(tag)
    return None


def _asked_wait(text: str) -> float | None:
    """Seconds of a ``Retry-After``: a number or a date."""
    if text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    now = datetime.now(timezone.utc)
    return max(0.0, (date.replace(tzinfo=date.tzinfo or timezone.utc) - now).total_seconds())


def _in_words(error: Exception) -> str:
    """The innermost reason: the library wraps what happened several times."""
    while error.__context__ is not None and isinstance(error.__context__, Exception):
        error = error.__context__
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


@contextmanager
def _session() -> Iterator[Any]:
    try:
        from requests import Session
    except ImportError as error:
        raise MissingDependencyError(
            f"Fetching files needs the package requests: {error}. Install it into the Python that runs this: "
            f'"{sys.executable}" -m pip install requests'
        ) from error
    with Session() as session:
        yield session


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Nobody else writes the same part at the same time."""
    from filelock import FileLock, Timeout

    lock = FileLock(target.with_name(f"{target.name}.part.lock"))
    try:
        with lock.acquire(timeout=0):
            try:
                yield
            finally:
                with suppress(OSError):  # some systems remove no file that is open
                    Path(lock.lock_file).unlink()
    except Timeout:
        raise DownloadError(
            f"'{target.name}' is being fetched by another process at this moment. Wait for it, or end it."
        ) from None
