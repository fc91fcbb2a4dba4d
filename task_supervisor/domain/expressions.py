"""Expressions of ViewR templates: one line of Python, parsed into an allow-listed tree. Standard library only.

The tree is plain JSON, so that the page evaluates the very same tree. Nothing is ever handed to `eval`. Subset
(viewr-template, section 6): literals, names, ``and or not``, comparisons, ``in``, arithmetic, ``x if c else y`` and the
calls in `FUNCTIONS`. A name without value is None.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Tree = list[Any]

FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "len": len, "min": min, "max": max, "sum": sum, "abs": abs, "round": round,
    "int": int, "float": float, "str": str, "bool": bool, "any": any, "all": all,
}  # fmt: skip

_COMPARE: Final[Mapping[type[ast.cmpop], str]] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "==", ast.IsNot: "!=",
}  # fmt: skip
_BINARY: Final[Mapping[type[ast.operator], str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
}  # fmt: skip
_OPERATE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "in": lambda left, right: left in right, "not in": lambda left, right: left not in right,
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod,
}  # fmt: skip

MAX_CHARACTERS: Final = 1000
MAX_TEXT: Final = 10_000


class ExpressionError(ValueError):
    """The text is no expression of the subset."""


def parse(text: str) -> Tree:
    """Parse one line into a tree.

    Raises
    ------
    ExpressionError
        With the part that is not allowed.

    Examples
    --------
    >>> parse("not usable")
    ['not', ['name', 'usable']]
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"longer than {MAX_CHARACTERS} characters")
    try:
        node = ast.parse(text.strip(), mode="eval")
        return _tree(node.body)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"{text!r} is no expression") from error


def names(tree: Tree) -> Iterator[str]:
    """Yield the names that a tree refers to."""
    if tree and tree[0] == "name":
        yield tree[1]
    elif tree and tree[0] != "value":
        for part in tree:
            if isinstance(part, list):
                yield from names(part)


def evaluate(tree: Tree, values: Mapping[str, Any]) -> Any:
    """Evaluate a tree. May raise what the operators raise; see `holds` for the reading that never does.

    Examples
    --------
    >>> evaluate(parse("'low' if grade < 2 else 'high'"), {"grade": 1})
    'low'
    """
    kind, *rest = tree
    match kind:
        case "value":
            return rest[0]
        case "name":
            return values.get(rest[0])
        case "list":
            return [evaluate(part, values) for part in rest]
        case "and" | "or":
            return _evaluate_chain(kind, rest, values)
        case "not":
            return not evaluate(rest[0], values)
        case "minus":
            return -evaluate(rest[0], values)
        case "if":
            condition, then, otherwise = rest
            return evaluate(then if evaluate(condition, values) else otherwise, values)
        case "compare":
            return _evaluate_comparison(rest, values)
        case "binary":
            return _bounded(rest[0], evaluate(rest[1], values), evaluate(rest[2], values))
        case _:
            return FUNCTIONS[rest[0]](*(evaluate(part, values) for part in rest[1:]))


def holds(tree: Tree | None, values: Mapping[str, Any]) -> bool:
    """Tell whether a condition is true; one that raises is not, and none at all is.

    Examples
    --------
    >>> holds(parse("score > 2"), {}), holds(None, {})
    (False, True)
    """
    return tree is None or bool(value_of(tree, values))


def value_of(tree: Tree, values: Mapping[str, Any]) -> Any:
    """Return the value of a formula; None when it raises."""
    try:
        return evaluate(tree, values)
    except (TypeError, ValueError, ArithmeticError, KeyError, IndexError, RecursionError):
        return None


def _tree(node: ast.expr) -> Tree:  # noqa: C901 - one row for each part of the subset
    match node:
        case ast.Constant(value=value) if value is None or isinstance(value, (bool, int, float, str)):
            return ["value", value]
        case ast.Name(id=name):
            return ["name", name]
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return ["list", *map(_tree, parts)]
        case ast.BoolOp(op=op, values=parts):
            return ["and" if isinstance(op, ast.And) else "or", *map(_tree, parts)]
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return ["not", _tree(part)]
        case ast.UnaryOp(op=ast.USub(), operand=part):
            return ["minus", _tree(part)]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return ["if", _tree(test), _tree(body), _tree(orelse)]
        case ast.Compare(left=left, ops=ops, comparators=parts) if all(type(op) in _COMPARE for op in ops):
            pairs = [[_COMPARE[type(op)], _tree(part)] for op, part in zip(ops, parts, strict=True)]
            return ["compare", _tree(left), *pairs]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return ["binary", _BINARY[type(op)], _tree(left), _tree(right)]
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in FUNCTIONS:
            return ["call", name, *map(_tree, parts)]
        case _:
            raise ExpressionError(f"{ast.unparse(node)!r} is not allowed in an expression")


def _evaluate_chain(kind: str, parts: list[Tree], values: Mapping[str, Any]) -> Any:
    value: Any = None
    for part in parts:
        value = evaluate(part, values)
        if bool(value) is (kind == "or"):
            return value
    return value


def _evaluate_comparison(rest: list[Any], values: Mapping[str, Any]) -> bool:
    left = evaluate(rest[0], values)
    for symbol, part in rest[1:]:
        right = evaluate(part, values)
        if not _OPERATE[symbol](left, right):
            return False
        left = right
    return True


def _bounded(symbol: str, left: Any, right: Any) -> Any:
    """Compute, but build no text or list that fills the memory."""
    if symbol == "*" and (isinstance(left, (str, list)) or isinstance(right, (str, list))):
        raise TypeError("only numbers can be multiplied")
    if symbol == "%" and isinstance(left, str):
        raise TypeError("only numbers have a remainder")
    result = _OPERATE[symbol](left, right)
    if isinstance(result, (str, list)) and len(result) > MAX_TEXT:
        raise ValueError("too long")
    return result
