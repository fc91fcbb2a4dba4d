"""What can be wrong between database and disk. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """A kind of problem; the value is the sentence that says it."""

    NO_FILE = "has a row but no file"
    NO_ROW = "has a file but no row"
    WRONG_SIZE = "has another size than its row says"
    WRONG_DIGEST = "has another digest than its row says"
    LEFTOVER = "is a temporary file that was never finished"
    NO_OBJECT = "is a folder of no object (any more)"
    KEPT = "was kept on request when its object was deleted; remove it by hand when nobody needs it"
    NO_OWNER = "is a resource whose object is gone"
    UNFINISHED = "belongs to a change that was not finished on disk"
    NO_PREARCHIVE_FOLDER = "is a prearchive session without its folder"


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    path
        File or folder, relative to the data folder.
    number
        The row concerned: of the file, of the resource, or of the prearchive session.
    """

    path: str
    trouble: Trouble
    number: int | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether somebody has to do something about it."""
        return self.trouble is not Trouble.KEPT

    def __str__(self) -> str:
        """Return the problem as a line."""
        return f"{self.path}: {self.trouble.value}"
