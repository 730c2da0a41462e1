"""Draw the pictures of a plan on ComfyUI servers: nothing twice, nothing half, and on with those that are left."""

import io
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from ..data import storage
from ..data.progress import Progress
from ..data.sources import content_id
from ..errors import EvaluationError
from ..files.quoting import quoted
from .plan import OF_A_PERSON, PICTURES, Job, Plan
from .servers import JobRejected, Server, ServerLost
from .workflow import Workflow, photo_node

VERSION = 1
#: A picture took its time under one of these conditions.
START, COLD, WARM = "start", "cold", "warm"

#: Folder in the server's input folder that the photos go to.
_UPLOADS = "consistentid_evaluation"
#: A job that so many tries did not bring to an end is the server's bane and not the network's.
_TRIES = 3
#: So often in a row an answer may be missing or damaged before the server counts as lost.
_ANSWERS = 5
_LOCK = ".run.lock"


@dataclass
class Outcome:
    """failed: why, by job.  lost: why, by server.  left: jobs that nobody was left to do."""

    drawn: int = 0
    before: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    left: int = 0


class JobFailed(Exception):
    """A server tried and said why it could not."""


def record_of(folder: Path, plan: Plan, job: Job) -> dict[str, Any] | None:
    """What was noted beside a finished picture; None unless picture and note are whole and of this very job."""
    picture = picture_of(folder, job)
    try:
        note = json.loads(picture.with_suffix(".json").read_text("utf-8"))
        whole = note["digest"] == plan.digest(job) and note["bytes"] == picture.stat().st_size
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note if whole else None


def picture_of(folder: Path, job: Job) -> Path:
    return folder / PICTURES / f"{job.name}.png"


def run_plan(
    plan: Plan,
    folder: Path,
    servers: Sequence[Server],
    *,
    patience: float = 60.0,
    stop_at_failure: bool = False,
    poll: float = 0.25,
    progress: Progress | None = None,
) -> Outcome:
    """Draw what is not there yet.

    patience: seconds a server may be gone before it is given up.
    stop_at_failure: end with the first job that fails; otherwise it is counted, and tried again by the next run.
    Raises EvaluationError if another run is at work in the folder or a photo is not the planned one,
    StorageError if the disk is full. What was drawn by then stays.
    """
    with _alone(folder):
        storage.clear_unfinished(folder / PICTURES)
        photos = _photos(plan)
        pending = [job for job in plan.jobs if record_of(folder, plan, job) is None]
        progress = progress or Progress("Drawing", len(pending))
        outcome = Outcome(before=len(plan.jobs) - len(pending))
        desk = _Desk(pending, outcome, progress, stop_at_failure)
        workers = [_Worker(server, plan, folder, photos, desk, patience, poll) for server in servers]
        threads = [threading.Thread(target=worker.work, daemon=True) for worker in workers]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)  # so that Ctrl-C is heard
        finally:
            desk.close()
            for thread in threads:
                thread.join(10)
        if pending:
            progress.end()
        if desk.error is not None:
            raise desk.error
        outcome.left = len(pending) - outcome.drawn - len(outcome.failed)
        return outcome


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two runs in a folder would draw everything twice. The lock goes with its process, however that ends."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise EvaluationError(
            f"Another run is at work in '{folder}'. Wait for it, or give it more servers instead."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _photos(plan: Plan) -> dict[str, bytes]:
    photos = {}
    for person in plan.people:
        try:
            data = person.reference.read_bytes()
        except OSError as error:
            raise EvaluationError(
                f"The photo of {person.name} cannot be read: '{person.reference}' ({error.strerror}). Put it back."
            ) from error
        if content_id(data) != person.content:
            raise EvaluationError(
                f"The photo of {person.name}, '{person.reference}', is not the one that was planned. Put that one "
                "back, or make a plan in another folder."
            )
        photos[person.name] = data
    return photos


class _Desk:
    """Hands out jobs and takes results, for the threads of several servers."""

    def __init__(self, jobs: Sequence[Job], outcome: Outcome, progress: Progress, stop_at_failure: bool):
        self._jobs = list(jobs)
        self._outcome, self._progress, self._stop_at_failure = outcome, progress, stop_at_failure
        self._out = 0
        self._tries: dict[str, int] = {}
        self._changed = threading.Condition()
        self._ended = False
        self.error: BaseException | None = None

    def take(self, person: str | None) -> Job | None:
        """The next job, of the same person if there is one: a server keeps what it knows of a photo.

        Waits while other servers are at work, whose jobs may come back. None: there is nothing more to do.
        """
        with self._changed:
            while not self._ended:
                if self._jobs:
                    same = (number for number, job in enumerate(self._jobs) if job.person == person)
                    self._out += 1
                    return self._jobs.pop(next(same, 0))
                if self._out == 0:
                    break
                self._changed.wait(0.5)
            return None

    def finish(self) -> None:
        with self._changed:
            self._outcome.drawn += 1
            self._progress.step()
            self._back()

    def fail(self, job: Job, why: str) -> None:
        with self._changed:
            self._outcome.failed[job.name] = why
            self._progress.step(done=0, refused=1)
            self._ended |= self._stop_at_failure
            self._back()

    def give_back(self, job: Job, why: str) -> None:
        """A server was lost with a job; a job that loses one server after the other fails."""
        tries = self._tries.get(job.name, 0) + 1
        self._tries[job.name] = tries
        if tries >= _TRIES:
            self.fail(job, f"{tries} tries ended without a picture; the last: {why}")
            return
        with self._changed:
            self._jobs.insert(0, job)
            self._back()

    def lose(self, server: str, why: str) -> None:
        with self._changed:
            self._outcome.lost[server] = why
            self._changed.notify_all()

    def break_off(self, error: BaseException) -> None:
        with self._changed:
            self.error = self.error or error
            self._ended = True
            self._back()

    def close(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        return self._ended

    @property
    def nothing_worked(self) -> bool:
        return self._outcome.drawn == 0

    def _back(self) -> None:
        self._out -= 1
        self._changed.notify_all()


class _Worker:
    """Keeps one server at work."""

    def __init__(
        self,
        server: Server,
        plan: Plan,
        folder: Path,
        photos: Mapping[str, bytes],
        desk: _Desk,
        patience: float,
        poll: float,
    ):
        self._server, self._plan, self._folder, self._desk = server, plan, folder, desk
        self._photos, self._patience, self._poll = photos, patience, poll
        self._uploaded: dict[str, str] = {}
        self._system: dict[str, Any] = {}

    def work(self) -> None:
        if not self._is_there():
            return
        person = None
        while (job := self._desk.take(person)) is not None:
            person = job.person
            try:
                self._draw(job)
                self._desk.finish()
            except JobFailed as error:
                self._desk.fail(job, str(error))
            except JobRejected as error:
                # The first of all jobs is refused: so will be the others.
                if self._desk.nothing_worked:
                    self._desk.break_off(error)
                else:
                    self._desk.fail(job, str(error))
            except ServerLost as error:
                self._desk.give_back(job, str(error))
                self._uploaded.clear()
                if not self._is_there():
                    return
            except BaseException as error:
                self._desk.break_off(error)

    def _is_there(self) -> bool:
        """Waits for the server; False if it is given up."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                self._system = self._server.system()
                return True
            except (ServerLost, JobRejected) as error:
                if self._desk.is_closed or time.monotonic() >= deadline:
                    self._desk.lose(self._server.url, str(error))
                    return False
            time.sleep(min(1.0, max(self._poll, 0.01)))

    def _draw(self, job: Job) -> None:
        photo = self._upload(job.person) if job.kind == OF_A_PERSON else ""
        workflow = self._plan.filled(job, photo)
        started = time.monotonic()
        prompt_id = self._server.queue(workflow)
        entry = self._wait(prompt_id)
        seconds, phase = _timing(
            entry, time.monotonic() - started, photo_node(workflow, photo) if photo else ""
        )
        data = self._picture(entry, self._plan.output(job))
        self._keep(job, workflow, data, seconds, phase)

    def _upload(self, person: str) -> str:
        if person not in self._uploaded:
            known = self._plan.person(person)
            # By content: two people may have files of one name.
            name = f"{known.content}{known.reference.suffix.lower()}"
            self._uploaded[person] = self._server.upload(self._photos[person], name, _UPLOADS)
        return self._uploaded[person]

    def _wait(self, prompt_id: str) -> Mapping[str, Any]:
        missing = unanswered = 0
        while True:
            if self._desk.is_closed:
                self._server.cancel(prompt_id)
                raise JobFailed("stopped")
            try:
                entry = self._server.history(prompt_id)
                if entry is not None:
                    return entry
                # Between queue and history a finished workflow is in neither for a moment.
                missing = 0 if self._server.is_queued(prompt_id) else missing + 1
                unanswered = 0
            except ServerLost:
                # One answer may be lost without the work being lost: ask again before it is done twice.
                unanswered += 1
                if unanswered > _ANSWERS or not self._is_there():
                    raise
            if missing > _ANSWERS:
                raise ServerLost(f"{self._server.url} has forgotten the workflow; was it restarted?")
            time.sleep(self._poll)

    def _picture(self, entry: Mapping[str, Any], output: str) -> bytes:
        status = entry.get("status") or {}
        if status.get("status_str") == "error":
            raise JobFailed(_what_failed(status))
        shown = (entry.get("outputs") or {}).get(output, {}).get("images") or []
        if not shown:
            raise JobFailed("the workflow ended without a picture")
        for answer in range(_ANSWERS):
            data = self._server.view(shown[0])
            try:
                with Image.open(io.BytesIO(data)) as picture:
                    picture.load()
                return data
            except Exception as error:  # a decoder may raise almost anything on half a file
                fault = quoted(error)
                time.sleep(self._poll * answer)
        raise ServerLost(f"{self._server.url} sent {len(data):,} bytes that are no whole picture: {fault}.")

    def _keep(self, job: Job, workflow: Workflow, data: bytes, seconds: float, phase: str) -> None:
        picture = picture_of(self._folder, job)
        devices = self._system.get("devices") or [{}]
        note = {
            "version": VERSION,
            "digest": self._plan.digest(job),
            "bytes": len(data),
            "content": content_id(data),
            "job": asdict(job),
            "settings": dict(self._plan.settings),
            "seconds": round(seconds, 3),
            "phase": phase,
            "device": str(devices[0].get("name", "")),
            "comfyui": str((self._system.get("system") or {}).get("comfyui_version", "")),
            "workflow": workflow,
        }
        storage.write(picture, data)
        # The note comes last: what has none is drawn again.
        storage.write(picture.with_suffix(".json"), json.dumps(note, ensure_ascii=False).encode())


def _timing(entry: Mapping[str, Any], waited: float, photo: str) -> tuple[float, str]:
    """Seconds on the server's own clock, and under which condition.

    start: the server had nothing yet, models included. cold: it had not seen the photo. warm: it had.
    photo: the node that loads it.
    """
    messages = dict(
        message[:2] for message in (entry.get("status") or {}).get("messages") or () if len(message) > 1
    )
    cached = (messages.get("execution_cached") or {}).get("nodes") or []
    phase = START if not cached else COLD if photo and photo not in cached else WARM
    try:
        began, ended = (messages[f"execution_{name}"]["timestamp"] for name in ("start", "success"))
        return (ended - began) / 1000, phase
    except (KeyError, TypeError):
        return waited, phase


def _what_failed(status: Mapping[str, Any]) -> str:
    for name, data in (message[:2] for message in status.get("messages") or () if len(message) > 1):
        if name == "execution_error":
            return quoted(f"{data.get('node_type')}: {str(data.get('exception_message')).strip()}", 400)
        if name == "execution_interrupted":
            return "interrupted on the server"
    return "the server names no reason"


def summary(outcome: Outcome, folder: Path) -> str:
    """What happened, in a few lines."""
    lines = [f"{outcome.drawn:,} pictures drawn, {outcome.before:,} were there, in '{folder / PICTURES}'."]
    lines += [f"Server given up: {why}" for why in outcome.lost.values()]
    lines += [f"Failed: {name}: {why}" for name, why in list(outcome.failed.items())[:20]]
    if len(outcome.failed) > 20:
        lines.append(f"... and {len(outcome.failed) - 20:,} more")
    if outcome.left or outcome.failed:
        lines.append(
            f"{outcome.left + len(outcome.failed):,} pictures are missing; the same command goes on with them."
        )
    return "\n".join(lines)
