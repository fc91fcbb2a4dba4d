"""The language of workflow conditions: Python expressions over an allow-listed syntax tree, with bounded work.

`find_mistakes` looks at a condition before it runs, `evaluate` runs one. Nothing is handed to ``eval``; what is not
listed here does not exist. Work and memory are bounded by a budget that every node and every value made is charged to,
so that no condition hangs. Source: the conditions of studygovernor 8.1. May import simpleeval.
"""

from __future__ import annotations

import ast
import operator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from simpleeval import EvalWithCompoundTypes, InvalidExpression

from study_governor.domain.expression_limits import Budget, BudgetSpent
from study_governor.domain.expression_names import ATTRIBUTES, FUNCTIONS, KEYWORDS, MAX_TEXT, METHODS, Datetime
from study_governor.domain.facts import ExperimentFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from study_governor.domain.facts import Facts

MAX_LENGTH = 4_000
MAX_DEPTH = 40
MAX_BITS = 2_048
_NAMES = frozenset({"experiment", "callbacks", "datetime"})

#: Every kind of node a condition may hold. Operators and contexts are listed with them.
_NODES: tuple[type[ast.AST], ...] = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.Invert,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr, ast.BitXor,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot,
    ast.IfExp, ast.Call, ast.keyword, ast.Attribute, ast.Subscript, ast.Slice, ast.Constant, ast.Name, ast.Load,
    ast.Store, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.comprehension,
)  # fmt: skip

#: What is left out on purpose, with the word a person knows it by.
_KNOWN_AS: Mapping[type[ast.AST], str] = {
    ast.Lambda: "lambda",
    ast.NamedExpr: "':='",
    ast.JoinedStr: "an f-string",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
    ast.Starred: "'*' before a value",
    ast.SetComp: "a set comprehension",
    ast.LShift: "'<<'",
    ast.RShift: "'>>'",
    ast.MatMult: "'@'",
}


class ConditionError(Exception):
    """A condition could not be evaluated; it counts as not met.

    Parameters
    ----------
    reason
        One sentence without values of the session.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def find_mistakes(text: str) -> list[tuple[int, str]]:
    """Return what is wrong with a condition, each with its line within the text, counted from 1.

    Examples
    --------
    >>> find_mistakes("experiment.variables.get('a') == 1")
    []
    >>> find_mistakes("open('x')")
    [(1, "'open' is not a name that conditions know")]
    """
    try:
        tree = _parse(text)
    except ConditionError as error:
        return [(1, error.reason)]
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found = [(getattr(node, "lineno", 1), said) for node in ast.walk(tree) if (said := _mistake(node, bound))]
    return sorted(set(found))


def callbacks_named(text: str) -> list[str]:
    """Return the labels that a condition reads with ``callbacks['label']`` or ``callbacks.get('label')``.

    Examples
    --------
    >>> callbacks_named("callbacks['a'].result == 'success' or callbacks.get('b')")
    ['a', 'b']
    """
    try:
        tree = _parse(text)
    except ConditionError:
        return []
    keys = [
        node.slice
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "callbacks"
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            target = node.func.value
            if node.func.attr == "get" and isinstance(target, ast.Name) and target.id == "callbacks":
                keys.append(node.args[0])
    return sorted({key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)})


def evaluate(text: str | None, facts: Facts) -> bool:
    """Tell whether a condition holds; one that is absent or blank does.

    Raises
    ------
    ConditionError
        If it cannot be evaluated. It then counts as not met.

    Examples
    --------
    >>> from datetime import datetime
    >>> from study_governor.domain.facts import Facts
    >>> seen = ExperimentFacts("s1", datetime(2024, 5, 1), "check", {"n": 2})
    >>> evaluate("experiment.variables.get('n') > 1 and experiment.scandate > datetime.datetime(2024, 1, 1)",
    ...          Facts(seen, {}, datetime(2024, 6, 1)))
    True
    """
    if text is None or not text.strip():
        return True
    mistakes = find_mistakes(text)
    if mistakes:
        raise ConditionError(mistakes[0][1])
    names = {"experiment": facts.experiment, "callbacks": dict(facts.callbacks), "datetime": Datetime(facts.now)}
    evaluator = _Evaluator(names, Budget())
    try:
        return bool(evaluator.eval(text, previously_parsed=_parse(text).body))
    except ConditionError:
        raise
    except BudgetSpent as error:
        raise ConditionError("it asks for more work than a condition may do") from error
    except KeyError as error:
        missing = error.args[0] if error.args else None
        named = isinstance(missing, str | int | float)
        raise ConditionError(f"there is no {missing!r}" if named else "a key is missing") from error
    except InvalidExpression as error:
        raise ConditionError(_first_sentence(error)) from error
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError, MemoryError) as error:
        raise ConditionError(f"{type(error).__name__}: {_first_sentence(error)}") from error


def _first_sentence(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200] or "it cannot be evaluated"


@lru_cache(maxsize=1024)
def _parse(text: str) -> ast.Expression:
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"a condition has at most {MAX_LENGTH} characters")
    try:
        # Brackets, so that a condition folded over several lines of YAML is one expression.
        tree = ast.parse(f"({text.strip()}\n)", mode="eval")
    except SyntaxError as error:
        raise ConditionError(f"this is not a Python expression: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConditionError("this is not a Python expression, or it is nested too deeply") from error
    if _depth(tree) > MAX_DEPTH:
        raise ConditionError(f"it is nested more than {MAX_DEPTH} deep")
    return tree


def _depth(tree: ast.AST) -> int:
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return deepest


def _mistake(node: ast.AST, bound: set[str]) -> str | None:
    if not isinstance(node, _NODES):
        what = _KNOWN_AS.get(type(node), type(node).__name__)
        return f"{what} is not part of the language of conditions"
    if isinstance(node, ast.Name) and node.id not in _NAMES | FUNCTIONS.keys() | bound:
        return f"{node.id!r} is not a name that conditions know"
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in _NAMES | FUNCTIONS.keys():
        return f"{node.id!r} cannot be used as the name of a loop"
    if isinstance(node, ast.Attribute):
        return _attribute_mistake(node)
    if isinstance(node, ast.Constant) and isinstance(node.value, (bytes, complex, type(...))):
        return f"a constant of type {type(node.value).__name__} is not part of the language of conditions"
    if isinstance(node, ast.comprehension) and node.is_async:
        return "an async comprehension is not part of the language of conditions"
    if isinstance(node, ast.Call):
        return _call_mistake(node)
    return None


def _attribute_mistake(node: ast.Attribute) -> str | None:
    known = ATTRIBUTES[ExperimentFacts]
    if isinstance(node.value, ast.Name) and node.value.id == "experiment" and node.attr not in known:
        return f"'experiment' has no {node.attr!r}; it has {', '.join(sorted(known))}"
    if node.attr in METHODS or any(node.attr in names for names in ATTRIBUTES.values()):
        return None
    return f"'.{node.attr}' is not an attribute that conditions know"


def _call_mistake(node: ast.Call) -> str | None:
    if isinstance(node.func, ast.Name):
        if node.func.id not in FUNCTIONS:
            return None if node.func.id not in _NAMES else f"{node.func.id!r} cannot be called"
    elif not isinstance(node.func, ast.Attribute):
        return "only functions and methods by name can be called"
    if any(keyword.arg not in KEYWORDS for keyword in node.keywords):
        return "such a named argument is not part of the language of conditions"
    return None


class _Evaluator(EvalWithCompoundTypes):  # type: ignore[misc]  # simpleeval has no types
    """simpleeval's walk over the tree, with our own attributes, calls and operators, and a budget."""

    ATTR_INDEX_FALLBACK = False

    def __init__(self, names: Mapping[str, Any], budget: Budget) -> None:
        super().__init__(operators=_operators(budget), functions={}, names=dict(names))
        self.functions = dict(FUNCTIONS)
        self._budget = budget
        self.nodes[ast.Subscript] = self._read_subscript

    def _eval(self, node: ast.AST) -> Any:
        self._budget.charge(1)
        try:
            handler = self.nodes[type(node)]
        except KeyError:
            raise ConditionError(f"{type(node).__name__} is not part of the language of conditions") from None
        value = handler(node)
        if isinstance(node, (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.DictComp)):
            self._budget.charge_value(value)
        return value

    def _eval_attribute(self, node: ast.Attribute) -> Any:
        owner = self._eval(node.value)
        if node.attr in _attributes_of(owner):
            return getattr(owner, node.attr)
        raise ConditionError(f"{_kind_of(owner)} has no {node.attr!r}")

    def _eval_call(self, node: ast.Call) -> Any:
        owner = None
        if isinstance(node.func, ast.Attribute):
            owner = self._eval(node.func.value)
            function = self._method(owner, node.func.attr)
        elif isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            function = FUNCTIONS[node.func.id]
        else:
            raise ConditionError("only functions and methods by name can be called")
        arguments = [self._eval(argument) for argument in node.args]
        named = {str(keyword.arg): self._eval(keyword.value) for keyword in node.keywords}
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            return function(*arguments, **named)  # looks up and makes nothing
        for value in [owner, *arguments]:
            self._budget.charge_value(value)
        result = _bounded(function(*arguments, **named))
        self._budget.charge_value(result)
        return result

    @staticmethod
    def _method(owner: Any, name: str) -> Callable[..., Any]:
        for kind, method in METHODS.get(name, {}).items():
            if isinstance(owner, kind):
                return partial(method, owner)
        raise ConditionError(f"{_kind_of(owner)} has no method {name!r}")

    def _read_subscript(self, node: ast.Subscript) -> Any:
        container = self._eval(node.value)
        if not isinstance(container, (dict, list, tuple, str)):
            raise ConditionError(f"{_kind_of(container)} has no items")
        key = self._eval(node.slice)
        value = container[key]
        if isinstance(key, slice):
            self._budget.charge_value(value)
        return value

    def _check_disallowed_items(self, item: Any) -> None:
        """Do nothing: attributes and calls are allow-listed, so no such item can be reached."""


def _attributes_of(owner: Any) -> frozenset[str]:
    return next((ATTRIBUTES[kind] for kind in type(owner).__mro__ if kind in ATTRIBUTES), frozenset())


def _kind_of(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _operators(budget: Budget) -> dict[type[ast.AST], Callable[..., Any]]:
    """Return the operators, each of which charges its operands and what it makes before it makes it."""

    def charged(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def apply(left: Any, right: Any) -> Any:
            budget.charge_value(left)
            budget.charge_value(right)
            result = _bounded(function(left, right))
            budget.charge_value(result)
            return result

        return apply

    def contains(item: Any, container: Any) -> bool:
        if isinstance(container, (dict, set, frozenset)):
            return item in container
        budget.charge_value(container)
        budget.charge_value(item)
        return item in container

    return {
        ast.Add: charged(operator.add),
        ast.Sub: charged(operator.sub),
        ast.Mult: charged(lambda left, right: _multiply(left, right, budget)),
        ast.Div: charged(operator.truediv),
        ast.FloorDiv: charged(operator.floordiv),
        ast.Mod: charged(_modulo),
        ast.Pow: charged(_power),
        ast.BitAnd: charged(operator.and_),
        ast.BitOr: charged(operator.or_),
        ast.BitXor: charged(operator.xor),
        ast.Eq: charged(operator.eq),
        ast.NotEq: charged(operator.ne),
        ast.Lt: charged(operator.lt),
        ast.LtE: charged(operator.le),
        ast.Gt: charged(operator.gt),
        ast.GtE: charged(operator.ge),
        ast.Is: lambda left, right: left is right,
        ast.IsNot: lambda left, right: left is not right,
        ast.In: contains,
        ast.NotIn: lambda item, container: not contains(item, container),
        ast.Not: operator.not_,
        ast.USub: operator.neg,
        ast.UAdd: operator.pos,
        ast.Invert: operator.invert,
    }


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise BudgetSpent
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise BudgetSpent
    return value


def _multiply(left: Any, right: Any, budget: Budget) -> Any:
    for sequence, times in ((left, right), (right, left)):
        if isinstance(sequence, (str, list, tuple)) and isinstance(times, int):
            budget.charge(max(0, times) * max(1, budget.size(sequence)))
    return left * right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        raise ConditionError("'%' formats no text in conditions")
    return left % right


def _power(base: Any, exponent: Any) -> Any:
    if not isinstance(base, (int, float)) or not isinstance(exponent, (int, float)):
        raise ConditionError("'**' takes numbers")
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > MAX_BITS:
        raise BudgetSpent
    result = base**exponent
    if isinstance(result, complex):
        raise ConditionError("'**' gave a complex number")
    return result
