"""Rows of the archive's database. May import SQLModel and `service_kit.tables`.

What has a column of its own is what identifies an object or links it to another; every other field of the data model
lies in `data` (path to value) and `lists` (path to rows), so that a type can grow without a migration.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from service_kit.tables import Json, UtcDateTime, service_base, utc_now

if TYPE_CHECKING:  # mypy takes no class made at run time for a base
    from sqlmodel import SQLModel as Base
else:
    Base = service_base()


__all__ = [
    "AliasTokenRow",
    "AnonymizeScriptRow",
    "Base",
    "CounterRow",
    "ExperimentRow",
    "FileRow",
    "InboxRequestRow",
    "KeptFolderRow",
    "LoginRow",
    "MembershipRow",
    "MoveRow",
    "ObjectColumns",
    "OpenSessionRow",
    "PrearchiveRow",
    "ProjectAliasRow",
    "ProjectRow",
    "ResourceRow",
    "SavedSearchRow",
    "ScanRow",
    "ShareRow",
    "SubjectRow",
]


class ObjectColumns(SQLModel):
    """What every object of the data model has.

    Attributes
    ----------
    number
        Order of creation; never used twice.
    data, lists
        Fields by path, and rows by path of the list.
    """

    number: int | None = Field(default=None, primary_key=True)
    xsi_type: str = Field(max_length=100)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    lists: dict[str, list[dict[str, Any]]] = Field(default_factory=dict, sa_type=Json)
    inserted_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    inserted_by: str = Field(max_length=64)
    modified_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class ProjectRow(ObjectColumns, Base, table=True):
    """A project; a deleted one leaves its row, so that its id is not used again.

    Attributes
    ----------
    protocols
        Groups of custom variables by data type (`embedded_xnat.domain.protocols`).
    """

    __tablename__ = "project"
    __table_args__ = {"sqlite_autoincrement": True}

    id: str = Field(max_length=200, unique=True)
    accessibility: str = Field(default="private", max_length=16)
    prearchive_code: int = 4
    quarantine_code: int = 0
    protocols: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    is_deleted: bool = False


class ProjectAliasRow(Base, table=True):
    """Another name of a project; kept beside its list of aliases, so that an address finds it at once."""

    __tablename__ = "project_alias"

    alias: str = Field(primary_key=True, max_length=200)
    project_id: str = Field(foreign_key="project.id", max_length=200, index=True)


class MembershipRow(Base, table=True):
    """A person's role in a project."""

    __tablename__ = "membership"

    project_id: str = Field(foreign_key="project.id", primary_key=True, max_length=200)
    username: str = Field(primary_key=True, max_length=64, index=True)
    role: str = Field(max_length=16)


class SubjectRow(ObjectColumns, Base, table=True):
    """A subject of a project."""

    __tablename__ = "subject"
    __table_args__ = (
        UniqueConstraint("project_id", "label"),
        Index("ix_subject_project_id_number", "project_id", "number"),
        {"sqlite_autoincrement": True},
    )

    id: str = Field(max_length=64, unique=True)
    project_id: str = Field(foreign_key="project.id", max_length=200)
    label: str = Field(max_length=200, index=True)


class ExperimentRow(ObjectColumns, Base, table=True):
    """An experiment: a session, another event of a subject, or (with `session_id`) an assessor of a session."""

    __tablename__ = "experiment"
    __table_args__ = (
        UniqueConstraint("project_id", "label"),
        Index("ix_experiment_project_id_session_id_number", "project_id", "session_id", "number"),
        Index("ix_experiment_session_id_number", "session_id", "number"),
        {"sqlite_autoincrement": True},
    )

    id: str = Field(max_length=64, unique=True)
    project_id: str = Field(foreign_key="project.id", max_length=200)
    subject_id: str | None = Field(default=None, foreign_key="subject.id", max_length=64, index=True)
    session_id: str | None = Field(default=None, foreign_key="experiment.id", max_length=64)
    label: str = Field(max_length=200, index=True)
    status: str = Field(default="active", max_length=16)


class ScanRow(ObjectColumns, Base, table=True):
    """A scan of a session, or (by `kind`) a reconstruction."""

    __tablename__ = "scan"
    __table_args__ = (UniqueConstraint("experiment_id", "kind", "scan_id"), {"sqlite_autoincrement": True})

    experiment_id: str = Field(foreign_key="experiment.id", max_length=64)
    kind: str = Field(default="scans", max_length=20)
    scan_id: str = Field(max_length=200)


class ResourceRow(Base, table=True):
    """A named set of files that belongs to an object.

    Attributes
    ----------
    owner_kind, owner_number
        Collection name and number of the object it belongs to.
    folder
        Name of its folder on disk, below the owner's.
    """

    __tablename__ = "resource"
    __table_args__ = (
        UniqueConstraint("owner_kind", "owner_number", "label"),
        UniqueConstraint("owner_kind", "owner_number", "folder"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True)
    owner_kind: str = Field(max_length=20)
    owner_number: int
    label: str = Field(max_length=200)
    folder: str = Field(max_length=210)
    format: str | None = Field(default=None, max_length=200)
    content: str | None = Field(default=None, max_length=200)
    description: str | None = Field(default=None)
    tags: str | None = Field(default=None)
    inserted_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    inserted_by: str = Field(max_length=64)


class FileRow(Base, table=True):
    """A file whose bytes are durable at ``path`` in the folder of its resource."""

    __tablename__ = "file"
    __table_args__ = (UniqueConstraint("resource_number", "path"),)

    number: int | None = Field(default=None, primary_key=True)
    resource_number: int = Field(foreign_key="resource.number")
    path: str = Field(max_length=1000)
    size: int = Field(sa_type=BigInteger)
    md5: str = Field(max_length=32)
    format: str | None = Field(default=None, max_length=200)
    content: str | None = Field(default=None, max_length=200)
    tags: str | None = Field(default=None)
    inserted_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    inserted_by: str = Field(max_length=64)


class ShareRow(Base, table=True):
    """A subject or experiment that shows in another project too."""

    __tablename__ = "share"
    __table_args__ = (UniqueConstraint("owner_kind", "owner_id", "project_id"),)

    number: int | None = Field(default=None, primary_key=True)
    owner_kind: str = Field(max_length=20)
    owner_id: str = Field(max_length=64)
    project_id: str = Field(foreign_key="project.id", max_length=200, index=True)
    label: str = Field(max_length=200)


class LoginRow(Base, table=True):
    """A login by the digest of its JSESSIONID; survives a restart."""

    __tablename__ = "login"

    digest: str = Field(primary_key=True, max_length=64)
    username: str = Field(max_length=64, index=True)
    last_used_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime, index=True)
    opened_at: datetime | None = Field(default_factory=utc_now, sa_type=UtcDateTime, nullable=True)


class AliasTokenRow(Base, table=True):
    """An alias token: a name and a secret to use instead of user and password, for some days."""

    __tablename__ = "alias_token"

    alias: str = Field(primary_key=True, max_length=36)
    secret_sha256: str = Field(max_length=64)
    username: str = Field(max_length=64, index=True)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    issued_at: datetime | None = Field(default_factory=utc_now, sa_type=UtcDateTime, nullable=True)


class CounterRow(Base, table=True):
    """The last accession number given out, by kind."""

    __tablename__ = "counter"

    name: str = Field(primary_key=True, max_length=20)
    value: int = 0


class MoveRow(Base, table=True):
    """A rename on disk that belongs to a committed change and may still be ahead: done again at the next start.

    An empty `target` means that the source is to be removed.
    """

    __tablename__ = "pending_move"

    number: int | None = Field(default=None, primary_key=True)
    source: str = Field(max_length=2000)
    target: str = Field(max_length=2000)


class KeptFolderRow(Base, table=True):
    """A folder that stays on disk since its object was deleted without its files."""

    __tablename__ = "kept_folder"

    path: str = Field(primary_key=True, max_length=1000)
    kept_by: str = Field(max_length=64)
    kept_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class PrearchiveRow(Base, table=True):
    """A session that was received and waits for being archived; its files lie in a folder of its own.

    Attributes
    ----------
    stamp
        When it came in, as ``yyyymmdd_hhmmssSSS``: a part of its address.
    scans
        What is known of each scan, by its folder: ``uid``, ``modality``, ``description``.
    code
        What happens when it is complete: 0 nothing, 4 it is archived, 5 it is archived and overwrites.
    reasons
        Why it is in CONFLICT or ERROR: code and sentence of each finding.
    errand
        What is to be done with it in the background, and for whom.
    """

    __tablename__ = "prearchive_session"
    __table_args__ = (UniqueConstraint("project_id", "stamp", "folder"),)

    number: int | None = Field(default=None, primary_key=True)
    project_id: str = Field(max_length=200)
    stamp: str = Field(max_length=32)
    folder: str = Field(max_length=200)
    subject_label: str = Field(max_length=200)
    session_label: str = Field(max_length=200)
    status: str = Field(default="READY", max_length=32)
    scan_date: str = Field(default="", max_length=10)
    scan_time: str = Field(default="", max_length=16)
    uploaded_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    uploaded_by: str = Field(max_length=64)
    modified_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime, index=True)
    study_instance_uid: str = Field(default="", max_length=64)
    code: int = 0
    source: str = Field(default="", max_length=32)
    scans: dict[str, dict[str, Any]] = Field(default_factory=dict, sa_type=Json)
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    errand: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


class OpenSessionRow(Base, table=True):
    """A session that comes in file by file, straight into the archive; while it is open, its own files join it."""

    __tablename__ = "open_session"

    experiment_id: str = Field(primary_key=True, max_length=64)
    modified_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class InboxRequestRow(Base, table=True):
    """A request to import a folder that lies in the inbox of the server.

    Attributes
    ----------
    result
        Addresses of what came out of it, or why it failed.
    """

    __tablename__ = "inbox_request"

    number: int | None = Field(default=None, primary_key=True)
    username: str = Field(max_length=64)
    has_every_right: bool = False
    path: str = Field(max_length=4000)
    parameters: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    is_cleaned_up: bool = False
    status: str = Field(default="Queued", max_length=16)
    result: str = Field(default="")
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    modified_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class AnonymizeScriptRow(Base, table=True):
    """An anonymisation script: of the site (empty scope) or of a project."""

    __tablename__ = "anonymize_script"

    scope: str = Field(primary_key=True, max_length=200)
    text: str
    is_enabled: bool = True
    modified_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    modified_by: str = Field(max_length=64)


class SavedSearchRow(Base, table=True):
    """A search that was stored under a name, as the document it came in.

    Attributes
    ----------
    logins
        Who may see it besides its owner; empty for everybody.
    """

    __tablename__ = "saved_search"

    id: str = Field(primary_key=True, max_length=200)
    owner: str = Field(max_length=64, index=True)
    brief_description: str = Field(default="", max_length=255)
    description: str = Field(default="")
    root_element: str = Field(max_length=100)
    document: str = Field()
    logins: list[str] = Field(default_factory=list, sa_type=Json)
    inserted_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    modified_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
