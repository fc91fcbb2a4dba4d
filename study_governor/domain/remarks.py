"""What a reader of a workflow file is told: mistakes and notices with file and line. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """One sentence about one line.

    Examples
    --------
    >>> str(Remark("workflow.yaml", 3, "the key 'label' stands twice"))
    "workflow.yaml:3: the key 'label' stands twice"
    """

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


class Remarks:
    """Collects mistakes and notices of one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._mistakes: set[Remark] = set()
        self._notices: set[Remark] = set()

    def mistake(self, line: int, text: str) -> None:
        """Remember something that forbids the import."""
        self._mistakes.add(Remark(self._file, line, text))

    def notice(self, line: int, text: str) -> None:
        """Remember something that a person should know, but that does not forbid the import."""
        self._notices.add(Remark(self._file, line, text))

    @property
    def mistakes(self) -> tuple[Remark, ...]:
        """In the order of their lines."""
        return tuple(sorted(self._mistakes))

    @property
    def notices(self) -> tuple[Remark, ...]:
        """In the order of their lines."""
        return tuple(sorted(self._notices))
