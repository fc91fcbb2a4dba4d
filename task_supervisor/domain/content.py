"""What a task shows: volumes, pictures, measurements. Imports pydantic, the contract and the archive's addresses only.

Any content is stored as it came; the keys read here are the ones pages know. Nothing else reaches a page, so that a
reader stays as blind as whoever wrote the content meant.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from service_kit.archive_uris import is_file_uri
from task_supervisor.contract.errors import ContentRefused


def _archive_path(uri: str) -> str:
    if not is_file_uri(uri):
        raise ValueError("must be the path of a file in the archive, beginning with /data/experiments/")
    return uri


ArchivePath = Annotated[str, AfterValidator(_archive_path)]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Volume(_Shown):
    """A NIfTI volume in the archive."""

    name: str = "image"
    role: Literal["image", "mask"] = "image"
    uri: ArchivePath


class Picture(_Shown):
    """A still picture in the archive, for browsers that cannot draw volumes."""

    title: str = ""
    uri: ArchivePath


class Measurement(_Shown):
    """A number that the reader may see."""

    name: str
    value: float | int | str
    unit: str = ""


class Session(_Shown):
    """The session, when the reader may know it."""

    label: str
    url: str | None = None


class TaskContent(_Shown):
    """What pages show of a task's content."""

    session: Session | None = None
    volumes: tuple[Volume, ...] = ()
    pictures: tuple[Picture, ...] = ()
    measurements: tuple[Measurement, ...] = ()

    @property
    def files(self) -> tuple[Volume | Picture, ...]:
        """Every file that pages may fetch, in the order of their numbers."""
        return (*self.volumes, *self.pictures)


def content_object(content: Any) -> Any:
    """Read content given as JSON text; leave everything else as it is."""
    if isinstance(content, str):
        try:
            return json.loads(content)
        except json.JSONDecodeError:
            return content
    return content


def shown_content(content: Any) -> TaskContent:
    """Pick out of a task's content what pages show.

    Raises
    ------
    ContentRefused
        If a key that pages know holds something else than it should.

    Examples
    --------
    >>> shown_content({"volumes": [{"role": "mask", "uri": "/data/experiments/E/resources/R/files/m.nii.gz"}]}).volumes[0].role
    'mask'
    """
    content = content_object(content)
    if not isinstance(content, dict):
        return TaskContent()
    try:
        return TaskContent.model_validate({name: content.get(name) or _EMPTY[name] for name in _EMPTY})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise ContentRefused(f"{place}: {first['msg']}") from error


_EMPTY: dict[str, Any] = {"session": None, "volumes": (), "pictures": (), "measurements": ()}
