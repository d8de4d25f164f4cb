"""No test passes without having compared anything.

A loop over nothing asserts nothing, and `all` of nothing is true. So each test needs an assertion
that is reached whatever a collection holds; where it goes through a collection that is computed,
that is `assert collection`, or its length.
"""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(
    file for file in TESTS.rglob("*.py") if file.parent.name != "broken" and file.name[0] != "."
)
# What fails by itself, as a block or as a call.
CHECKS = {
    "raises",
    "warns",
    "fail",
    "expect",
    "unchanged",
    "assert_allclose",
    "assert_close",
    "assert_equal",
    "assert_array_equal",
}


def name_of(call: ast.AST) -> str:
    function = call.func if isinstance(call, ast.Call) else call
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def is_filled(iterated: ast.expr) -> bool:
    """Whether a loop surely goes through something: what is written out, or counted."""
    match iterated:
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            return any(not isinstance(e, ast.Starred) or is_filled(e.value) for e in elements)
        case ast.Dict(keys=keys):
            return bool(keys)
        case ast.Call(func=ast.Name(id="enumerate" | "zip" | "product" | "sorted"), args=given):
            return any(map(is_filled, given))
        case ast.Call(func=ast.Name(id="range"), args=[*_, ast.Constant()]):
            return True
        case ast.Call(func=ast.Attribute(value=own, attr="items" | "values" | "keys")):
            return is_filled(own)
        case ast.Constant(value=str(text)):
            return bool(text)
    return False


def is_idle(condition: ast.expr) -> bool:
    """Whether a condition holds for an empty collection: `all(…)`, `not any(…)`, `[…] == []`."""
    match condition:
        case ast.Call(func=ast.Name(id="all"), args=[ast.GeneratorExp() as loop]):
            return not is_filled(loop.generators[0].iter)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Call(func=ast.Name(id="any"))):
            return True
        case ast.Compare(left=ast.ListComp() | ast.SetComp() as loop, comparators=[other]):
            is_empty = isinstance(other, ast.List) and not other.elts
            is_empty |= isinstance(other, ast.Call) and name_of(other) == "set" and not other.args
            return is_empty and not is_filled(loop.generators[0].iter)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(map(is_idle, values))
    return False


def asserts(body: Sequence[ast.stmt], helpers: dict[str, bool]) -> bool:
    """Whether some statement is surely an assertion, or calls a helper that makes one."""
    return any(_asserts(statement, helpers) for statement in body)


def _asserts(statement: ast.stmt, helpers: dict[str, bool]) -> bool:
    match statement:
        case ast.Assert(test=condition):
            return not is_idle(condition)
        case ast.For(iter=iterated, body=body):
            return (is_filled(iterated) and asserts(body, helpers)) or _calls([iterated], helpers)
        case ast.With(items=items, body=body):
            return _calls([i.context_expr for i in items], helpers) or asserts(body, helpers)
        case ast.If(body=body, orelse=other) | ast.While(body=body, orelse=other):
            return asserts([*body, *other], helpers)
        case ast.Try(body=body, finalbody=last):
            return asserts([*body, *last], helpers)
        case ast.FunctionDef() | ast.ClassDef():
            return False
    return _calls([statement], helpers)


def _calls(nodes: Sequence[ast.AST], helpers: dict[str, bool]) -> bool:
    called = (name_of(n) for node in nodes for n in ast.walk(node) if isinstance(n, ast.Call))
    return any(name in CHECKS or helpers.get(name, False) for name in called)


def functions(file: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node


@cache
def helpers() -> dict[str, bool]:
    """By name, whether a function of the tests asserts; one may call another."""
    found: dict[str, bool] = {}
    for _ in range(3):
        for file in FILES:
            for function in functions(file):
                found[function.name] = found.get(function.name, False) or asserts(
                    function.body, found
                )
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TESTS)))
def test_every_test_asserts_something_whatever_its_collections_hold(file):
    idle = [
        f"{file}:{function.lineno} {function.name}"
        for function in functions(file)
        if function.name.startswith("test_") and not asserts(function.body, helpers())
    ]
    assert len(FILES) > 60
    assert idle == [], "Assert that the collection is not empty."


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "for x in found(): assert x",
        "assert all(x for x in found())",
        "assert not any(x for x in found())",
        "assert [x for x in found() if x] == []",
        "assert {x for x in found()} == set()",
        "for x in (): assert x",
        "def inner(): assert x",
    ],
)
def test_a_body_that_may_assert_nothing_is_found(body):
    assert not asserts(ast.parse(body).body, {})


@pytest.mark.parametrize(
    "body",
    [
        "assert x",
        "for x in (1, 2): assert x",
        "for x in enumerate([1]): assert x",
        "with pytest.raises(ValueError): x()",
        "expect(page).to_be_visible()",
        "assert all(x for x in (1, 2))",
        "helper(x)",
    ],
)
def test_a_body_that_asserts_is_let_through(body):
    assert asserts(ast.parse(body).body, {"helper": True})
