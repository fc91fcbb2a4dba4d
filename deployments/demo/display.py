"""What the demonstration shows: a live table in a terminal, one line an event elsewhere. Imports rich."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from deployments.demo.stages import PATH, Stage, moved

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from rich.console import Console, ConsoleOptions, RenderResult

    from deployments.demo.stages import Progress


NEWS_EVERY_S = 5.0
"""Where there is no terminal, a line says at least so often how far long work is."""


class Display:
    """Shows parts that become ready, the download, and how far each session is. Safe to call from several threads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._headline = "Starting"
        self._spinner = Spinner("dots")
        self._doing = self._now = ""
        self._said_at = 0.0
        self._ready: list[str] = []
        self._download: tuple[int, int] | None = None
        self._rows: dict[str, Progress] = {}
        self._since: dict[str, float] = {}
        self._spent: dict[str, float] = {}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the display on the screen; where there is no terminal, only lines are printed."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self, console=self._console, refresh_per_second=8, transient=False):
            yield

    def headline(self, text: str) -> None:
        """Say what is going on."""
        with self._lock:
            if text != self._headline:
                self._headline = text
                self._line(text)

    def doing(self, what: str, how_far: str = "") -> None:
        """Say what is worked on beside the start, and how far; where there is no terminal a line now and then."""
        text = f"{what}: {how_far}" if how_far else what
        with self._lock:
            is_new = what != self._doing
            self._doing, self._now = what, text
            if what and (is_new or time.monotonic() - self._said_at >= NEWS_EVERY_S):
                self._said_at = time.monotonic()
                self._line(text)

    def part_ready(self, name: str) -> None:
        """Note a part of Cohortflow that is ready."""
        with self._lock:
            self._ready.append(name)
            self._line(f"ready: {name}")

    def downloaded(self, done_bytes: int, total_bytes: int) -> None:
        """Note how much of the scans has come."""
        with self._lock:
            was = self._download
            self._download = (done_bytes, total_bytes)
            if done_bytes == total_bytes and (was is None or was[0] != total_bytes):
                self._line(f"scans are here ({total_bytes / 1e6:.0f} MB)")

    def show(self, progress: Progress) -> None:
        """Note how far a session is."""
        with self._lock:
            key = progress.study_instance_uid
            before = self._rows.get(key)
            self._rows[key] = progress
            self._since.setdefault(key, time.monotonic())
            if before is None or not before.is_at_an_end:
                self._spent[key] = time.monotonic() - self._since[key]
            if before is None or before.stage is not progress.stage:
                self._line(moved(progress))

    def _line(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(f"{time.monotonic() - self._began:6.1f} s  {text}", highlight=False, markup=False)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._lock:
            yield self._picture()

    def _picture(self) -> Group:
        elapsed_s = time.monotonic() - self._began
        self._spinner.update(text=Text.assemble((self._headline, "bold"), f"   {elapsed_s:.0f} s"))
        parts: list[Any] = [self._spinner]
        if not self._rows and self._ready:
            parts.append(Text("ready: " + ", ".join(self._ready), style="green"))
        if self._now:
            parts.append(Text(self._now))
        if self._download is not None and self._download[0] < self._download[1]:
            done, total = self._download
            bar = Table.grid(padding=(0, 1))
            bar.add_row(
                "Scans", ProgressBar(total=total, completed=done, width=40), f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
            )
            parts.append(bar)
        if self._rows:
            parts.append(self._table())
            parts += [
                Text(f"{row.label or row.subject}: {row.why}", style="yellow")
                for _, row in self._in_order()
                if row.stage in {Stage.aside, Stage.quarantined} and row.why
            ]
        return Group(*parts)

    def _in_order(self) -> list[tuple[str, Progress]]:
        return sorted(self._rows.items(), key=lambda item: (item[1].subject, item[0]))

    def _table(self) -> Table:
        """Draw a line for each session; it fits into 80 columns."""
        table = Table(box=None, pad_edge=False)
        table.add_column("session", no_wrap=True)
        table.add_column("images", justify="right", no_wrap=True)
        table.add_column("way", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        for key, row in self._in_order():
            way = Text(" ").join(_mark(row, stage) for stage in PATH)
            style = {Stage.released: "green", Stage.aside: "yellow", Stage.quarantined: "yellow"}.get(row.stage, "cyan")
            way.append(f"  {row.stage.value}", style=style)
            spent_s = self._spent[key] if row.is_at_an_end else time.monotonic() - self._since[key]
            images = f"{row.sent} of {row.total}" if row.total else "none"
            table.add_row(row.label or row.subject, images, way, f"{spent_s:.0f} s")
        return table


def _mark(row: Progress, stage: Stage) -> Text:
    if row.has_reached(stage):
        is_now = row.stage is stage and not row.is_at_an_end
        return Text("●", style="cyan") if is_now else Text("✓", style="green")
    return Text("·", style="dim")


def biomarker_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Show measurements."""
    table = Table(title="Biomarkers", title_justify="left")
    for name in ("session", "subject", "biomarker", "value", "unit", "model"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for row in rows:
        model = f"{row['model']} {row['version']}"
        table.add_row(row["session"], row["subject"], row["name"], f"{row['value']:.1f}", row["unit"], model)
    return table
