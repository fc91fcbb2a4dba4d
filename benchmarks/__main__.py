"""Runs the measurements: ``./run bench`` for all, ``./run bench NAME [options]`` for one."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import benchmarks


def names() -> list[str]:
    """Return the names of all measurements, in order."""
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))


def main(arguments: list[str]) -> int:
    """Run one or all measurements; each module has ``main(arguments) -> None``."""
    known = names()
    if arguments and arguments[0] not in known:
        print(f"There is no measurement {arguments[0]!r}. Known: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in [arguments[0]] if arguments else known:
        print(f"\n== {name} ({Path(benchmarks.__path__[0]).name}/{name}.py)", flush=True)
        importlib.import_module(f"benchmarks.{name}").main(arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
