/**
 * Evaluates the expressions of a template: the same trees as `task_supervisor/domain/expressions.py`, with Python's
 * meaning of truth, comparison and division. Pure; imports nothing.
 */

export type Tree = readonly unknown[];
export type Values = Readonly<Record<string, unknown>>;

class NotComputable extends Error {}

/** Python's truth: null, false, 0, "" and [] are false. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return Boolean(value);
}

/** Tell whether a condition is true; one that cannot be computed is not, and none at all is. */
export function holds(tree: Tree | null, values: Values): boolean {
  return tree === null || isTrue(valueOf(tree, values));
}

/** Value of a formula; null when it cannot be computed. */
export function valueOf(tree: Tree, values: Values): unknown {
  try {
    return evaluate(tree, values);
  } catch (error) {
    if (error instanceof NotComputable || error instanceof RangeError) return null;
    throw error;
  }
}

function evaluate(tree: Tree, values: Values): unknown {
  const [kind, ...rest] = tree as [string, ...unknown[]];
  const part = (index: number): unknown => evaluate(rest[index] as Tree, values);
  switch (kind) {
    case "value":
      return rest[0];
    case "name":
      return values[rest[0] as string] ?? null;
    case "list":
      return rest.map((_, index) => part(index));
    case "and":
    case "or":
      return chain(kind, rest as Tree[], values);
    case "not":
      return !isTrue(part(0));
    case "minus":
      return -number(part(0));
    case "if":
      return isTrue(part(0)) ? part(1) : part(2);
    case "compare":
      return comparison(rest, values);
    case "binary":
      return binary(rest[0] as string, part(1), part(2));
    case "call":
      return call(
        rest[0] as string,
        rest.slice(1).map((tree) => evaluate(tree as Tree, values)),
      );
    default:
      throw new NotComputable(kind);
  }
}

function chain(kind: string, parts: readonly Tree[], values: Values): unknown {
  let value: unknown = null;
  for (const part of parts) {
    value = evaluate(part, values);
    if (isTrue(value) === (kind === "or")) return value;
  }
  return value;
}

function comparison(rest: readonly unknown[], values: Values): boolean {
  let left = evaluate(rest[0] as Tree, values);
  for (const [symbol, tree] of rest.slice(1) as [string, Tree][]) {
    const right = evaluate(tree, values);
    if (!compare(symbol, left, right)) return false;
    left = right;
  }
  return true;
}

function isNumeric(value: unknown): value is number | boolean {
  return typeof value === "number" || typeof value === "boolean";
}

function number(value: unknown): number {
  if (!isNumeric(value)) throw new NotComputable("a number is needed");
  return Number(value);
}

function isEqual(left: unknown, right: unknown): boolean {
  if (isNumeric(left) && isNumeric(right)) return Number(left) === Number(right);
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => isEqual(item, right[index]));
  }
  return left === right;
}

function compare(symbol: string, left: unknown, right: unknown): boolean {
  switch (symbol) {
    case "==":
      return isEqual(left, right);
    case "!=":
      return !isEqual(left, right);
    case "in":
    case "not in": {
      let isInside: boolean;
      if (Array.isArray(right)) isInside = right.some((item) => isEqual(left, item));
      else if (typeof right === "string" && typeof left === "string") isInside = right.includes(left);
      else throw new NotComputable("in");
      return isInside === (symbol === "in");
    }
    default: {
      const isText = typeof left === "string" && typeof right === "string";
      const [a, b] = isText ? [left, right] : [number(left), number(right)];
      if (symbol === "<") return a < b;
      if (symbol === "<=") return a <= b;
      if (symbol === ">") return a > b;
      return a >= b;
    }
  }
}

function binary(symbol: string, left: unknown, right: unknown): unknown {
  if (symbol === "+" && typeof left === "string" && typeof right === "string") return left + right;
  if (symbol === "+" && Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
  const [a, b] = [number(left), number(right)];
  if (["/", "//", "%"].includes(symbol) && b === 0) throw new NotComputable("division by zero");
  if (symbol === "+") return a + b;
  if (symbol === "-") return a - b;
  if (symbol === "*") return a * b;
  if (symbol === "/") return a / b;
  if (symbol === "//") return Math.floor(a / b);
  return a - b * Math.floor(a / b);
}

function call(name: string, args: readonly unknown[]): unknown {
  const first = args[0];
  const list = args.length === 1 && Array.isArray(first) ? first : args;
  switch (name) {
    case "len":
      if (typeof first === "string") return [...first].length;
      if (Array.isArray(first)) return first.length;
      throw new NotComputable("len");
    case "min":
    case "max":
      if (list.length === 0) throw new NotComputable(name);
      return name === "min" ? Math.min(...list.map(number)) : Math.max(...list.map(number));
    case "sum":
      if (!Array.isArray(first)) throw new NotComputable("sum");
      return first.map(number).reduce((total, item) => total + item, 0);
    case "abs":
      return Math.abs(number(first));
    case "round":
      return roundHalfEven(number(first), args.length > 1 ? number(args[1]) : 0);
    case "int":
    case "float": {
      const value = typeof first === "string" && first.trim() !== "" ? Number(first) : number(first);
      if (!Number.isFinite(value)) throw new NotComputable(name);
      return name === "int" ? Math.trunc(value) : value;
    }
    case "str":
      return first === null ? "None" : first === true ? "True" : first === false ? "False" : String(first);
    case "bool":
      return isTrue(first);
    case "any":
    case "all":
      if (!Array.isArray(first)) throw new NotComputable(name);
      return name === "any" ? first.some(isTrue) : first.every(isTrue);
    default:
      throw new NotComputable(name);
  }
}

function roundHalfEven(value: number, digits: number): number {
  const scale = 10 ** digits;
  const scaled = value * scale;
  const floor = Math.floor(scaled);
  const isTie = Math.abs(scaled - floor - 0.5) < 1e-9;
  const rounded = isTie ? (floor % 2 === 0 ? floor : floor + 1) : Math.round(scaled);
  return rounded / scale;
}
