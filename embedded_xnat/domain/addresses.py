"""Reads the address of a request: which object it names, and what of it is asked for. Pure.

``/data/X``, ``/data/archive/X``, ``/REST/X`` and ``/REST/archive/X`` are one resource. Objects can be reached on
several ways (an experiment below its project, its subject, or the site); the steps say which.
"""

from dataclasses import dataclass
from enum import StrEnum


class ObjectKind(StrEnum):
    """What an object is; the value is the collection it stands in."""

    SITE = "site"
    PROJECT = "projects"
    SUBJECT = "subjects"
    EXPERIMENT = "experiments"
    SCAN = "scans"
    ASSESSOR = "assessors"
    RECONSTRUCTION = "reconstructions"
    RESOURCE = "resources"


#: Collections below each kind of object that hold objects with addresses of their own.
_CHILDREN: dict[ObjectKind, frozenset[ObjectKind]] = {
    ObjectKind.SITE: frozenset({ObjectKind.PROJECT, ObjectKind.SUBJECT, ObjectKind.EXPERIMENT}),
    ObjectKind.PROJECT: frozenset({ObjectKind.SUBJECT, ObjectKind.EXPERIMENT, ObjectKind.RESOURCE}),
    ObjectKind.SUBJECT: frozenset({ObjectKind.EXPERIMENT, ObjectKind.RESOURCE}),
    ObjectKind.EXPERIMENT: frozenset(
        {ObjectKind.SCAN, ObjectKind.ASSESSOR, ObjectKind.RECONSTRUCTION, ObjectKind.RESOURCE}
    ),
    ObjectKind.SCAN: frozenset({ObjectKind.RESOURCE}),
    ObjectKind.ASSESSOR: frozenset({ObjectKind.RESOURCE}),
    ObjectKind.RECONSTRUCTION: frozenset({ObjectKind.RESOURCE}),
    ObjectKind.RESOURCE: frozenset(),
}


@dataclass(frozen=True)
class Step:
    """One object on the way: the collection and the id, label or number in it."""

    kind: ObjectKind
    key: str


@dataclass(frozen=True)
class Address:
    """What a path names.

    Parameters
    ----------
    steps
        Objects from the outermost to the innermost; empty for the site.
    aspect
        What is asked of the innermost one: a collection (``scans``), a word (``status``), ``files``; None for itself.
    rest
        What follows the aspect: a file's path, a user's name.
    """

    steps: tuple[Step, ...] = ()
    aspect: str | None = None
    rest: tuple[str, ...] = ()

    @property
    def kind(self) -> ObjectKind:
        """What the innermost object is."""
        return self.steps[-1].kind if self.steps else ObjectKind.SITE

    def key(self, kind: ObjectKind) -> str | None:
        """Return the key at the step of this kind, if the way leads over one."""
        return next((step.key for step in self.steps if step.kind is kind), None)

    @property
    def file_path(self) -> str:
        """The path of the file, without a slash in front."""
        return "/".join(self.rest)


def parse_address(path: str) -> Address | None:
    """Read a path below ``/data``; None when it does not begin at projects, subjects or experiments.

    Parameters
    ----------
    path
        Percent-decoded, such as ``projects/P/experiments/E/scans/3/resources/DICOM/files/a/b.dcm``.

    Examples
    --------
    >>> parse_address("projects/P/subjects/S").kind.name
    'SUBJECT'
    >>> address = parse_address("experiments/E/scans/3/resources/DICOM/files/a/b.dcm")
    >>> address.key(ObjectKind.SCAN), address.aspect, address.file_path
    ('3', 'files', 'a/b.dcm')
    >>> parse_address("projects/P/accessibility/private").rest
    ('private',)
    """
    segments = path.strip("/").split("/")
    if segments and segments[0] == "archive":
        segments = segments[1:]
    if not segments or segments[0] not in {"projects", "subjects", "experiments"}:
        return None
    steps: list[Step] = []
    kind = ObjectKind.SITE
    while segments:
        word = segments[0]
        if word in {"out", "in"} and len(segments) > 1 and segments[1] in {"resources", "files"}:
            segments = segments[1:]
            continue
        if word not in set(_CHILDREN[kind]):
            return Address(tuple(steps), word, tuple(segments[1:]))
        if len(segments) == 1:
            return Address(tuple(steps), word)
        kind = ObjectKind(word)
        steps.append(Step(kind, segments[1]))
        segments = segments[2:]
    return Address(tuple(steps))
