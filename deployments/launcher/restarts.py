"""When a dead process is started again, and when that is given up: decisions only. Imports the standard library."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class RestartPolicy:
    """Waits twice as long after each death in quick succession; a process that lived long enough starts afresh.

    Parameters
    ----------
    first_delay_s, longest_delay_s
        Pause before the first restart, and the longest one.
    healthy_after_s
        A process that lived this long did start; its death is a new one.
    most_fast_deaths
        After so many deaths in quick succession it is given up.
    most_same_words
        After so many with the same last words too: a wrong setting says the same each time.

    Examples
    --------
    >>> policy = RestartPolicy(most_fast_deaths=3)
    >>> [policy.delay_after(lived_s=0.1) for _ in range(3)]
    [0.1, 0.5, None]
    """

    first_delay_s: float = 0.1
    longest_delay_s: float = 5.0
    healthy_after_s: float = 10.0
    most_fast_deaths: int = 5
    most_same_words: int = 3
    fast_deaths: int = field(default=0, init=False)
    _same_words: int = field(default=0, init=False)
    _last_words: str = field(default="", init=False)

    def delay_after(self, *, lived_s: float, last_words: str = "") -> float | None:
        """Give the pause before the next start; None when it is time to give up."""
        if lived_s >= self.healthy_after_s:
            self.fast_deaths = self._same_words = 0
        self.fast_deaths += 1
        self._same_words = self._same_words + 1 if last_words and last_words == self._last_words else 1
        self._last_words = last_words
        if self.fast_deaths >= self.most_fast_deaths or self._same_words >= self.most_same_words:
            return None
        return min(self.first_delay_s * 5.0 ** (self.fast_deaths - 1), self.longest_delay_s)
