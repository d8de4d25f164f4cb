"""Text of others is text: nothing in Markdown comes of it, and no call forgets to see to that."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from explorer.charts.style import as_text
from explorer.text import visible
from explorer.ui.words import LONGEST_CODE, bold, code, paragraphs, plain

UI = Path(__file__).parents[2] / "explorer" / "ui"
JOINER = "\u2060"

# What Streamlit's Markdown makes something of, and what a browser would.
HOSTILE = [
    "[Log in again](https://evil.example)",
    "![](https://evil.example/x.png)",
    "<b>bold</b> <img src=x onerror=alert(1)> <script>x</script>",
    "<https://evil.example>",
    "https://evil.example www.evil.example WWW.evil.example a@evil.example",
    "[a][b] [^1] [b]: https://evil.example",
    "**bold** __bold__ *it* _it_ ~~gone~~ ***",
    "`code` ``more`` ```` ` ````",
    ":smile: :material/home: :streamlit: :red[x] :blue-background[x] :help[x] ::leaf :::box",
    ":color[x]{foreground=red}",
    "$x^2$ $$y$$ \\(z\\)",
    "&lt;b&gt; &#35; &copy;",
    "# title",
    "- item",
    "+ item",
    "* item",
    "1. item",
    "2) item",
    "> quote",
    "---",
    "===",
    "***",
    "    four spaces",
    "| a | b |\n| - | - |\n| 1 | 2 |",
    "title\n===",
    "title\n---",
    "```\nfenced\n```",
    "- [ ] task",
    "line\\\nbreak",
    "line  \nbreak",
    "\\[x\\](https://evil.example)",
]
# Streamlit looks for these in the text that is left after Markdown was read.
FOUND_LATER = re.compile(
    r":[\w+-][\w_+-]*:|:[a-z][\w-]*\[|:material_\w+:|https?://|www\.|[-.\w+]@[-\w]", re.IGNORECASE
)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def rendered(markdown: str) -> str:
    """The text that comes of Markdown, if it is one paragraph of text or code and nothing else."""
    tokens = MARKDOWN.parse(markdown)
    assert [token.type for token in tokens] in (
        [],
        ["paragraph_open", "inline", "paragraph_close"],
    ), markdown
    text = ""
    for token in tokens[1].children if tokens else []:
        assert token.type in ("text", "text_special", "code_inline", "softbreak"), markdown
        if token.type != "code_inline":
            assert not FOUND_LATER.search(token.content), markdown
        text += token.content
    return text


def on_one_line(text: str) -> str:
    return " ".join(visible(text).split())


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_comes_of_hostile_text_but_itself(text):
    assert rendered(plain(text)).replace(JOINER, "") == on_one_line(text)
    assert rendered(code(text)) == on_one_line(text)
    assert rendered(f"There is no {code(text)} here.") == f"There is no {on_one_line(text)} here."
    assert "\\$" in plain("$")
    assert "$" not in plain(text).replace("\\$", "")


PIECES = st.lists(st.sampled_from([*HOSTILE, *"\\`*_[]()<>&$:~|#-+=.!@/ \n\t1ax", "ab", "www"]))


@given(PIECES.map("".join) | st.text())
def test_any_text_is_shown_as_it_is(text):
    shown = on_one_line(text.replace(JOINER, ""))
    assert rendered(plain(text.replace(JOINER, ""))).replace(JOINER, "") == shown
    cut = shown if len(shown) <= LONGEST_CODE else f"{shown[: LONGEST_CODE - 1]}…"
    assert rendered(code(text.replace(JOINER, ""))) == cut


def test_what_needs_no_change_gets_none():
    for text in ("residual-bn", "incep1.branch5x5_2", "It raised ValueError: 3 − 4 (of 5).", ""):
        assert plain(text) == text
    assert code("abc") == "`abc`"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\u202eexe.py", "plain�exe.py"),
        ("a\u200bb\ufeffc\u2060d\u00ade\u200ff", "a�b�c�d�e�f"),
        ("\0\x1b[31m\x7f", "��[31m�"),
        ("\ud800", "�"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\u2028b", "a\nb"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        ("a\u200db\u200d", "a�b�"),
        ("e" + 50 * "\u0301" + "e", "e" + 4 * "\u0301" + "e"),
        ("Größe 数字", "Größe 数字"),
    ],
)
def test_what_cannot_be_seen_is_seen(text, shown):
    assert visible(text) == shown


def test_a_docstring_keeps_its_paragraphs_and_its_lists_and_nothing_else():
    text = (
        "A net\nof two lines.\n\n- *one*\n- two\n\n    Args:\n        x: <b>\n\n# no title\n\n---"
    )
    shown = paragraphs(text)
    assert shown == (
        "A net of two lines.\n\n\\- \\*one\\*  \n\\- two\n\nArgs:  \nx: \\<b>\n\n"
        "\\# no title\n\n\\-\\--"
    ).replace("\\-\\--", "\\---")
    kinds = {token.type for token in MARKDOWN.parse(shown)}
    assert kinds == {"paragraph_open", "inline", "paragraph_close"}


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        ("is ", "99.1 %", " of"),
        ("为", "99.1 %", "的"),
        ("为", "−0.5", "。"),
        ("为", "(a)", "，"),
        ("", "*x*", "是"),
    ],
)
def test_what_is_bold_is_so_without_a_space_beside_it_too(before, text, after):
    shown = MARKDOWN.renderInline(f"{before}{bold(text, before, after)}{after}")
    assert shown.replace(JOINER, "") == f"{before}<strong>{text}</strong>{after}"
    if " " in before + after:
        assert JOINER not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "<a href='https://evil.example'>x</a>",
            "&lt;a href='https://evil.example'&gt;x&lt;/a&gt;",
        ),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("%{y}", "%&#123;y}"),
        ("a\u202eb", "a�b"),
    ],
)
def test_a_chart_shows_text_as_text(text, shown):
    assert as_text(text) == shown


# --- no call forgets it

# The calls whose text Streamlit reads as Markdown.
RENDERING = {
    *("markdown", "caption", "warning", "error", "info", "success", "toast", "progress"),
    *("spinner", "status", "expander", "popover", "dialog", "tabs", "metric", "image", "badge"),
    *("header", "subheader", "title", "button", "download_button", "link_button", "page_link"),
    *("toggle", "checkbox", "selectbox", "multiselect", "segmented_control", "select_slider"),
    *("slider", "number_input", "text_input", "text_area", "file_uploader", "radio", "pills"),
    *("menu_button", "form_submit_button", "feedback", "chat_input"),
}
KEYWORDS = {"label", "body", "text", "help", "caption", "title"}
# Of these, the options are Markdown too, by way of `format_func` where there is one.
WITH_OPTIONS = {"segmented_control", "radio", "pills"}
SAFE_CALLS = {"plain", "bold", "code", "prose", "sentence", "paragraphs", "percent", "len", "int"}

# What else may stand there, by its source, and why nothing can come of it.
KNOWN = {
    "run.status": "an enumeration of ours",
    "offered": "names of the recipes, which are ours",
    "run.spec.recipe.epochs": "a number",
    "case.subject.moment": "`epoch 3` or `imported`",
    "scale": "one of three words of ours",
    "kept[0]": "a number",
    "lost": "a number",
    "map_charts.most_drawn(chosen)": "a number",
    "ends": "numbers",
    "_missed(verdict.error)": "a number in words",
    "chosen.groups": "a number",
    "keyed": "the key of a control, and that its value is kept",
    "compared": "Markdown of ours, of `ui/comparison.py`",
    "chosen.values.shape": "numbers",
    "secrets.token_hex(4)": "eight digits",
}


class Scope:
    """A function, or a module, and what its names are."""

    def __init__(self, node: ast.AST, outer: "Scope | None") -> None:
        self.node, self.outer = node, outer
        self.values: dict[str, list[ast.expr | None]] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            for argument in (*node.args.args, *node.args.kwonlyargs):
                is_number = ast.unparse(argument.annotation or ast.Name("")) in ("int", "float")
                self.values[argument.arg] = [ast.Constant(0) if is_number else None]
        for each in inside(node):
            match each:
                case ast.FunctionDef(name=name):
                    self.functions[name] = each
                case ast.Assign(targets=targets):
                    for name in names(targets):
                        self.add(name, paired(each, name))
                case ast.AnnAssign(target=ast.Name(id=name), value=value):
                    is_number = ast.unparse(each.annotation) in ("int", "float")
                    self.add(name, ast.Constant(0) if is_number else value)
                case ast.AugAssign(target=ast.Name(id=name), value=value):
                    self.add(name, value)
                case ast.NamedExpr(target=ast.Name(id=name), value=value):
                    self.add(name, value)
                case ast.For(target=target, iter=values):
                    for name in names([target]):
                        literal = isinstance(values, ast.Tuple | ast.List)
                        self.add(name, values if literal else None)
                case ast.withitem(optional_vars=ast.Name(id=name)):
                    self.add(name, None)

    def add(self, name: str, value: ast.expr | None) -> None:
        self.values.setdefault(name, []).append(value)

    def function(self, name: str) -> ast.FunctionDef | None:
        found = self.functions.get(name)
        return found or (self.outer.function(name) if self.outer else None)

    def find(self, name: str) -> list[ast.expr | None]:
        if name in self.values:
            return self.values[name]
        return self.outer.find(name) if self.outer else [None]


def inside(node: ast.AST) -> Iterator[ast.AST]:
    """What is in a function, without what is in the functions within it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield from inside(child)


def names(targets: list[ast.expr]) -> list[str]:
    found: list[str] = []
    for target in targets:
        match target:
            case ast.Name(id=name):
                found.append(name)
            case ast.Tuple(elts=elements):
                found += names(elements)
    return found


def paired(assign: ast.Assign, name: str) -> ast.expr | None:
    """What a name gets of `a, b = 1, 2`."""
    target, value = assign.targets[0], assign.value
    if isinstance(target, ast.Name) or ast.unparse(value) in KNOWN:
        return value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for each, own in zip(target.elts, value.elts, strict=True):
            if isinstance(each, ast.Name) and each.id == name:
                return own
    return None


def numbers(message: ast.expr) -> set[str]:
    """The places of a message in which only a number can be."""
    parsed = (
        string.Formatter().parse(str(ast.literal_eval(message)))
        if isinstance(message, ast.Constant)
        else ()
    )
    return {place for _, place, form, _ in parsed if place and form and form[-1] in "dfge%,"}


def is_safe(node: ast.expr | None, scope: Scope, seen: frozenset[str] = frozenset()) -> bool:
    """Whether nothing of others is in what an expression gives, or only as text."""
    if node is None:
        return False
    if ast.unparse(node) in KNOWN:
        return True

    def also(each: ast.expr | None) -> bool:
        return is_safe(each, scope, seen)

    match node:
        case ast.Constant():
            return True
        case ast.JoinedStr(values=values):
            return all(map(also, values))
        case ast.FormattedValue(value=value, format_spec=form):
            return (form is not None and ast.unparse(form)[-2] in "dfge%,") or also(value)
        case ast.BoolOp(values=values):
            return all(map(also, values))
        case ast.IfExp(body=body, orelse=other):
            return also(body) and also(other)
        case ast.BinOp(left=left, right=right):
            return also(left) and also(right)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return all(map(also, elements))
        case ast.Starred(value=value) | ast.UnaryOp(operand=value):
            return also(value)
        case ast.GeneratorExp(elt=element) | ast.ListComp(elt=element):
            return also(element)
        case ast.Lambda(body=body):
            return is_safe(body, Scope(node, scope), seen)
        case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id=function), *_]):
            return function in SAFE_CALLS
        case ast.Call(func=ast.Name(id="list" | "sorted"), args=[value]):
            return also(value)
        case ast.Call(func=ast.Name(id="say" | "plural"), args=[message, *others], keywords=words):
            # Also a constant, and each of what is in one, is a message of ours.
            values = [word.value for word in words if word.arg not in numbers(message)]
            return all(map(also, (message, *others[:1], *values)))
        case ast.Call(func=ast.Name(id="listed"), args=values):
            return all(map(also, values))
        case ast.Call(func=ast.Name(id="later"), args=[ast.Constant()]):
            return True
        case ast.Call(func=ast.Name(id=name)) if own := scope.function(name):
            within = Scope(own, scope)
            given = [each for each in inside(own) if isinstance(each, ast.Return)]
            return all(is_safe(each.value, within, seen) for each in given)
        case ast.Call(func=ast.Name(id=function)):
            return function in SAFE_CALLS
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get"), args=[_, other]):
            return name.isupper() and also(other)
        case ast.Dict(keys=keys, values=values):
            words = [key.value if isinstance(key, ast.Constant) else None for key in keys]
            return all(also(v) for k, v in zip(words, values, strict=True) if k in KEYWORDS)
        case ast.Call(func=ast.Attribute(attr="sentence")):
            return True
        case ast.Call(func=ast.Attribute(value=value, attr="join"), args=[parts]):
            return also(value) and also(parts)
        case ast.Call(func=ast.Attribute(value=value, attr="replace"), args=[_, new]):
            return also(value) and also(new)
        case ast.Subscript(value=ast.Name(id=name)) | ast.Name(id=name) if name.isupper():
            return True  # a constant of ours
        case ast.Attribute(attr=name) if name.isupper():
            return True
        case ast.Name(id=name):
            return name in seen or all(
                is_safe(value, scope, seen | {name}) for value in scope.find(name)
            )
    return False


def rendering(node: ast.AST, scope: Scope) -> Iterator[tuple[ast.expr, Scope]]:
    """Yield each text that is read as Markdown, and where it is."""
    for child in ast.iter_child_nodes(node):
        within = scope
        if isinstance(child, ast.FunctionDef | ast.Lambda):
            within = Scope(child, scope)
        if isinstance(child, ast.Call):
            match child.func:
                case ast.Attribute(attr=name) if name in RENDERING:
                    yield from ((each, within) for each in texts(child, name))
                case ast.Name(id=name) if any(map(is_rendering, scope.find(name))):
                    yield from ((each, within) for each in texts(child, name))
        yield from rendering(child, within)


def is_rendering(value: ast.expr | None) -> bool:
    """Whether a name is another one for a function that renders: `show = st.error if …`."""
    found = isinstance(value, ast.IfExp | ast.Attribute) and any(
        isinstance(each, ast.Attribute)
        and each.attr in RENDERING
        and ast.unparse(each.value) == "st"
        for each in ast.walk(value)
    )
    return found


def texts(call: ast.Call, name: str) -> Iterator[ast.expr]:
    given = {word.arg: word.value for word in call.keywords}
    shows = given.get("format_func") if name in WITH_OPTIONS else None
    if isinstance(shows, ast.Name) and shows.id == "say":
        shows = None  # what is said of a text of others is that text
    if shows:
        yield shows
    else:
        places = {
            "progress": 2,
            **dict.fromkeys(WITH_OPTIONS, 2),
            "image": 0,
            "page_link": 0,
            "metric": 2,
        }
        yield from call.args[: places.get(name, 1)] if name != "progress" else call.args[1:2]
    if shows:
        yield from call.args[:1]
    yield from (value for word, value in given.items() if word in KEYWORDS)
    yield from (value for word, value in given.items() if word is None)


def unsafe(source: str) -> list[str]:
    tree = ast.parse(source)
    return [
        ast.unparse(text)
        for text, scope in rendering(tree, Scope(tree, None))
        if not is_safe(text, scope)
    ]


MODULES = sorted(UI.rglob("*.py"))


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(UI)))
def test_no_text_of_others_is_read_as_markdown(file):
    assert unsafe(file.read_text(encoding="utf-8")) == []


def test_what_forgets_it_is_found():
    """The test above can fail: each of these is text of others."""
    for text in (
        "def f(name): st.markdown(f'**{name}**')",
        "def f(error): st.error(str(error))",
        "def f(run): show = st.error if run else st.warning; show(run.reason)",
        "def f(run): st.button('x', help=run.text)",
        "def f(names): st.caption(', '.join(names))",
        "def f(names): st.caption(', '.join(f'`{name}`' for name in names))",
        "def f(name):\n words = 'a'\n words += name\n st.caption(words)",
        "def f(x): st.toggle(x.label)",
        "def f(x): st.segmented_control('a', x)",
        "def f(x): st.segmented_control('a', X, format_func=lambda y: x[y])",
        "def f(x): st.segmented_control('a', x, format_func=say)",
        "def f(x): place.progress(1, x)",
        "def f(x): common = {'help': x.help}; st.toggle('a', **common)",
        "def g(x): return x\ndef f(x): st.caption(g(x))",
        "def f(x): st.caption(say('{name} is here', name=x))",
        "def f(x): st.caption(say(x))",
        "def f(x): st.caption(plural('{n} of {x}', '{n} of {x}', 3, x=x))",
        "def f(names): st.caption(listed(names))",
    ):
        assert len(unsafe(text)) == 1, text
    for text in (
        "def f(name): st.markdown(f'**{plain(name)}** {len(name):,} {name.size:.2f}')",
        "def f(names): st.caption(', '.join(map(code, names)))",
        "def f(x): st.text(x)",
        "def f(x): st.selectbox('a', x)",
        "def f(x): st.segmented_control('a', list(X), format_func=say)",
        "def f(x: int): st.caption(f'{x}')",
        "def g(x): return plain(x)\ndef f(x): st.caption(g(x))",
        "def f(x): st.caption(say('{name} is here', name=plain(x)))",
        "def f(x): st.caption(say('{share:.1%} of {n:,}', share=x.share, n=x.n))",
        "def f(x): st.caption(say(NAMES[x]))",
        "def f(names): st.caption(plural('{n} net', '{n} nets', len(names)))",
        "def f(names): st.caption(listed(list(map(code, names)), say(' or ')))",
    ):
        assert unsafe(text) == [], text
