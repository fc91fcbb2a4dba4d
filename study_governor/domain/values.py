"""Results become variables: JSON pointers into result values, and the types variables are stored as.

Source: RFC 6901; the variables of studygovernor 8.1. Standard library and the contract only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from study_governor.contract.states import VariableType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def resolve_pointer(values: Any, source: str) -> Any:
    """Return what a key or JSON pointer points to; None when there is nothing.

    A leading ``/`` is added when it is missing.

    Examples
    --------
    >>> resolve_pointer({"values": {"t1": [4, 5]}}, "/values/t1/1")
    5
    >>> resolve_pointer({"return_code": 3}, "return_code")
    3
    >>> resolve_pointer({"a": 1}, "/b/c") is None
    True
    """
    found = values
    for part in (source if source.startswith("/") else f"/{source}").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isascii() and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found


def map_variables(variable_map: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables that an answer sets; what is missing becomes None.

    Examples
    --------
    >>> map_variables({"outcome": "/outcome", "why": "reason"}, {"outcome": "measured"})
    {'outcome': 'measured', 'why': None}
    """
    return {name: resolve_pointer(values, source) for name, source in variable_map.items()}


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a value of JSON with every text in it changed, the names of members too.

    Examples
    --------
    >>> with_texts({"a": ["x", 1, None]}, str.upper)
    {'A': ['X', 1, None]}
    """
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): with_texts(member, change) for name, member in value.items()}
    if isinstance(value, list):
        return [with_texts(member, change) for member in value]
    return value


def without_unstorable(text: str) -> str:
    r"""Return a text without what no database holds: NUL, and halves of surrogate pairs.

    Examples
    --------
    >>> without_unstorable("a\x00b"), without_unstorable("\ud800c"), without_unstorable(r"C:\u0000")
    ('ab', 'c', 'C:\\u0000')
    """
    return text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")


def pack(value: Any) -> tuple[VariableType, str]:
    """Return the type and text a variable is stored as.

    Examples
    --------
    >>> pack(True)
    (<VariableType.BOOL: 'bool'>, 'true')
    >>> unpack(*pack([1, "a"]))
    [1, 'a']
    """
    kind = VariableType.JSON
    for candidate, python_type in _SCALARS:
        if isinstance(value, python_type):
            kind = candidate
            break
    return kind, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def unpack(kind: VariableType, text: str) -> Any:
    """Return the variable of a stored type and text."""
    return text if kind is VariableType.STR else json.loads(text)


#: bool before int: in Python a bool is an int.
_SCALARS: tuple[tuple[VariableType, type], ...] = (
    (VariableType.NONE, type(None)),
    (VariableType.BOOL, bool),
    (VariableType.INT, int),
    (VariableType.FLOAT, float),
    (VariableType.STR, str),
)
