"""The jobs of an evaluation: one for each picture, in one file, from which everything later starts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..data import storage
from ..errors import EvaluationError
from ..files.quoting import quoted
from .people import Person
from .prompts import Prompt
from .protocols import Protocol
from .workflow import Workflow, fill, fill_plain, mark_prompt, output_node, without_identity

FILE = "plan.json"
FORMAT, VERSION = "consistentid-plan", 1
PICTURES = "pictures"

#: Kinds of jobs: with the person, and the plain model with the same prompt and seed.
OF_A_PERSON, PLAIN = "person", "plain"

_SEEDS = 2**32


@dataclass(frozen=True)
class Job:
    """One picture to draw.

    name: its path below the pictures, without extension.  kind: :data:`OF_A_PERSON` or :data:`PLAIN`.
    text: the prompt as it is sent.  seed: the same for everybody, so that people differ and noise does not.
    """

    name: str
    kind: str
    person: str
    prompt: str
    category: str
    text: str
    number: int
    seed: int


@dataclass(frozen=True)
class Plan:
    """settings: of sampling, by input.  plain_workflow: None if the plain model draws nothing."""

    protocol: str
    title: str
    people: tuple[Person, ...]
    jobs: tuple[Job, ...]
    workflow: Workflow
    plain_workflow: Workflow | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    notes: tuple[str, ...] = ()

    def person(self, name: str) -> Person:
        return next(person for person in self.people if person.name == name)

    def filled(self, job: Job, photo: str) -> Workflow:
        """The workflow of a job.  photo: as Load Image takes it."""
        if job.kind == PLAIN:
            assert self.plain_workflow is not None
            return fill_plain(self.plain_workflow, prompt=job.text, seed=job.seed, settings=self.settings)
        return fill(self.workflow, photo=photo, prompt=job.text, seed=job.seed, settings=self.settings)

    def output(self, job: Job) -> str:
        """The id of the node that has a job's picture; other nodes may show pictures too."""
        template = self.plain_workflow if job.kind == PLAIN else self.workflow
        assert template is not None
        return output_node(template)

    def digest(self, job: Job) -> str:
        """Names all that makes a job's picture, the photo included: another digest is another picture."""
        content = self.person(job.person).content if job.kind == OF_A_PERSON else ""
        text = json.dumps(self.filled(job, content), sort_keys=True)
        return blake2b(text.encode(), digest_size=16).hexdigest()


def make_plan(
    protocol: Protocol,
    people: Sequence[Person],
    prompts: Sequence[Prompt],
    workflow: Workflow,
    *,
    pictures: int | None = None,
    seed: int = 2024,
    settings: Mapping[str, Any] | None = None,
    plain: bool = True,
    plain_workflow: Workflow | None = None,
) -> Plan:
    """All jobs of a protocol.

    pictures: of each person and prompt; the protocol's number by default.
    settings: over the protocol's own.
    plain: draw each prompt once more without anybody, as a null level, with ``plain_workflow`` or the workflow
    without its ConsistentID nodes.
    Raises EvaluationError if the workflow has no place for something.
    """
    each = pictures or protocol.pictures
    merged = {**(protocol.settings or {}), **(settings or {})}
    notes = []
    if protocol.people and len(people) != protocol.people:
        notes.append(f"The protocol asks for {protocol.people} people; these are {len(people)}.")
    jobs = [
        _job(OF_A_PERSON, person, prompt, number, seed)
        for person in people
        for prompt in prompts
        for number in range(each)
    ]
    chosen = None
    if plain:
        chosen = plain_workflow or without_identity(mark_prompt(workflow))
        words = {person.word for person in people}
        # One null picture of a prompt serves everybody who is called the same.
        jobs += [
            _job(PLAIN, Person(word, Path(), word=word), prompt, number, seed)
            for word in sorted(words)
            for prompt in prompts
            for number in range(each)
        ]
    plan = Plan(
        protocol.name,
        protocol.title,
        tuple(people),
        tuple(jobs),
        workflow,
        chosen,
        merged,
        seed,
        tuple(notes),
    )
    for kind in {job.kind for job in jobs}:  # what does not fit is said now and not by a server
        plan.filled(next(job for job in jobs if job.kind == kind), "photo.png")
    return plan


def _job(kind: str, person: Person, prompt: Prompt, number: int, seed: int) -> Job:
    folder = person.name if kind == OF_A_PERSON else f"{PLAIN}/{person.name}"
    drawn = blake2b(f"{seed}/{prompt.name}/{number}".encode(), digest_size=8).digest()
    return Job(
        name=f"{folder}/{prompt.name}_{number + 1}",
        kind=kind,
        person=person.name if kind == OF_A_PERSON else "",
        prompt=prompt.name,
        category=prompt.category,
        text=prompt.about(person.word),
        number=number,
        seed=int.from_bytes(drawn, "big") % _SEEDS,
    )


def write_plan(folder: Path, plan: Plan) -> Path:
    """Write a plan into a run's folder. An equal one may be there already, another one may not.

    Raises EvaluationError for a folder with another plan, StorageError if it cannot be written.
    """
    path = folder / FILE
    text = json.dumps(_to_json(plan), ensure_ascii=False, indent=1)
    if path.is_file() and path.read_text("utf-8") != text:
        raise EvaluationError(
            f"'{folder}' holds another plan. Its pictures would be mixed with those of this one: give another folder, "
            "or delete that one."
        )
    storage.write(path, text.encode())
    return path


def read_plan(folder: Path) -> Plan:
    """The plan of a run. Raises EvaluationError if there is none or it is damaged."""
    path = folder / FILE
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise EvaluationError(
            f"'{path}' cannot be read: {error.strerror}. Make a plan first: python -m consistentid_core.evaluation plan"
        ) from error
    except ValueError as error:
        raise EvaluationError(f"'{path}' is no JSON: {quoted(error)}. Make the plan again.") from error
    try:
        return _from_json(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"'{path}' is no plan of version {VERSION}: {type(error).__name__} {quoted(error)}. Make the plan again."
        ) from error


def _to_json(plan: Plan) -> dict[str, Any]:
    content = {"format": FORMAT, "version": VERSION, **asdict(plan)}
    for person in content["people"]:
        person["reference"] = str(person["reference"])
        person["others"] = [str(path) for path in person["others"]]
    return content


def _from_json(content: Mapping[str, Any]) -> Plan:
    if (content["format"], content["version"]) != (FORMAT, VERSION):
        raise KeyError(f"{content['format']} {content['version']}")
    people = tuple(
        Person(
            one["name"],
            Path(one["reference"]),
            tuple(map(Path, one["others"])),
            one["word"],
            one["content"],
        )
        for one in content["people"]
    )
    values = {key: value for key, value in content.items() if key not in ("format", "version")}
    values |= {"people": people, "jobs": tuple(Job(**job) for job in content["jobs"])}
    plan = Plan(**values | {"notes": tuple(content["notes"])})
    names = {person.name for person in people}
    for job in plan.jobs:
        _check_place(job.name)
        if not (job.kind == PLAIN and plan.plain_workflow or job.kind == OF_A_PERSON and job.person in names):
            raise KeyError(f"{job.kind} {job.person}")
    return plan


def _check_place(name: object) -> None:
    """Pictures are written where jobs are called, and a plan may come from somebody else."""
    path = Path(name) if isinstance(name, str) else Path()
    if path.anchor or not path.parts or ".." in path.parts:
        raise KeyError(f"{name} names no place below {PICTURES}")


def described(plan: Plan, prompts: Iterable[Prompt]) -> str:
    """What a plan is, in one line."""
    plain = sum(job.kind == PLAIN for job in plan.jobs)
    return (
        f"{len(plan.people)} people × {len(list(prompts))} prompts: {len(plan.jobs) - plain:,} pictures"
        + (f" and {plain:,} of the plain model" if plain else "")
    )
