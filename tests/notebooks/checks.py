"""What a reader would trip over in a stored chapter, found without executing it.

    python -m tests.notebooks.checks [FOLDER]

prints one line per finding and nothing when all is well. Each rule for notebooks is one function below.
"""

import ast
import hashlib
import importlib
import inspect
import json
import re
import statistics
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from stylelab import course, exercises

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
MAX_BYTES = 2_000_000
MAX_COLUMNS = 79
MAX_LINES = 40
MAX_MEDIAN_LINES = 8
LEAST_EXERCISES = 3
BADGE_LINE = re.compile(r"^(?:\[!\[[^\]]*\]\([^)]*colab-badge\.svg\)\]\([^)]*\)|\*Badge: .*\*)[ \t]*$", re.M)
# Paths that only the machine that made the notebook has. Colab's /content is every reader's.
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:home|Users|root|work|tmp|mnt|opt|var|usr)/[\w.-]+|[A-Z]:\\+Users")
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
SETUP_MARK = course.SETUP_CELL.splitlines()[0]
WIDGET = "application/vnd.jupyter.widget-view+json"


class Chapter:
    """A notebook's parts, as the rules want them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.book = json.loads(path.read_text(encoding="utf-8"))
        self.cells = self.book["cells"]
        self.code = [cell for cell in self.cells if cell["cell_type"] == "code" and text(cell).strip()]
        self.prose = "\n".join(text(cell) for cell in self.cells if cell["cell_type"] == "markdown")

    def trees(self) -> Iterator[tuple[int, ast.Module]]:
        """Number and syntax tree of each code cell; ``%`` and ``!`` lines as the calls they become."""
        for number, cell in enumerate(self.code, 1):
            yield number, ast.parse(TransformerManager().transform_cell(text(cell)))

    def outputs(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, cell in enumerate(self.code, 1):
            for output in cell.get("outputs", []):
                yield number, output


def text(part: Any) -> str:
    """A cell's or output's text, which the format stores as a string or as a list of lines."""
    source = part.get("source", "") if isinstance(part, dict) else part
    return "".join(source) if isinstance(source, list) else str(source)


def printed(output: dict[str, Any]) -> str:
    """All of an output that is text, pictures left out."""
    data = output.get("data", {})
    return "\n".join([text(output.get("text", ""))] + [text(data[kind]) for kind in data if kind.startswith("text/")])


def pictures(cell: dict[str, Any]) -> int:
    """How many pictures a code cell shows."""
    shown = 0
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        html = text(data.get("text/html", ""))
        shown += any(kind.startswith("image/") for kind in data) or bool(re.search(r"<(img|svg|video)\b", html))
    return shown


def code_digest(book: Any) -> str:
    """SHA-256 of the code cells, less the set-up cell: a new repository address changes no result."""
    code = [text(cell) for cell in book["cells"] if cell["cell_type"] == "code" and text(cell).strip()]
    return hashlib.sha256("\0".join(c for c in code if not c.startswith(SETUP_MARK)).encode()).hexdigest()


def badge_line(name: str) -> str:
    """The line under the title of the notebook ``name``: its Colab badge, or why there is none yet."""
    repository = course.repository()
    if not repository:
        return (
            "*Badge: none until the repository has an address. "
            "In Colab, upload or mount the project's folder; the set-up cell finds it.*"
        )
    link = f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/{name}"
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({link})"


# The rules. Each yields sentences that go on from the notebook's name.


def size(chapter: Chapter) -> Iterator[str]:
    megabytes = chapter.path.stat().st_size / 1e6
    if megabytes > MAX_BYTES / 1e6:
        yield f"is {megabytes:.1f} MB; at most {MAX_BYTES / 1e6:.0f}: store smaller figures"


def executed(chapter: Chapter) -> Iterator[str]:
    counts = [cell.get("execution_count") for cell in chapter.code]
    if counts != list(range(1, len(counts) + 1)):
        yield "is not stored executed once, from top to bottom"
    if not any(cell.get("outputs") for cell in chapter.code):
        yield "is stored without outputs"
    stored = chapter.book.get("metadata", {}).get("stylelab", {})
    if stored.get("code") != code_digest(chapter.book):
        since = "has code that changed since its outputs were made" if stored else "was stored by hand"
        yield f"{since}: run python -m tests.notebooks.execute {chapter.path.name[:2]}"


def cell_lengths(chapter: Chapter) -> Iterator[str]:
    lengths = [len(text(cell).splitlines()) for cell in chapter.code]
    if lengths and statistics.median(lengths) > MAX_MEDIAN_LINES:
        yield f"has code cells of {statistics.median(lengths):.0f} lines (median); at most {MAX_MEDIAN_LINES}"
    for number, cell in enumerate(chapter.code, 1):
        lines = text(cell).splitlines()
        if len(lines) > MAX_LINES:
            yield f"code cell {number} has {len(lines)} lines; at most {MAX_LINES}"
        wide = max(map(len, lines))
        if wide > MAX_COLUMNS:
            yield f"code cell {number} has a line of {wide} columns; at most {MAX_COLUMNS}"


def clean_outputs(chapter: Chapter) -> Iterator[str]:
    for number, output in chapter.outputs():
        if output.get("output_type") == "error":
            yield f"code cell {number} is stored with an error: {output.get('ename')}"
        if output.get("name") == "stderr":
            line = text(output.get("text", "")).strip().split("\n")[0]
            yield f"code cell {number} is stored with stderr output: {line[:60]}"
        if WIDGET in output.get("data", {}):
            yield f"code cell {number} is stored with a widget, which shows nothing without its kernel"
        if ADDRESS.search(printed(output)):
            yield f"code cell {number} shows an object's address; end its last line with a semicolon"


def structure(chapter: Chapter) -> Iterator[str]:
    for wanted in ("objectives", "summary"):
        if not re.search(rf"^#+ .*{wanted}", chapter.prose, re.I | re.M):
            yield f"has no heading with the word {wanted}"
    if BADGE_LINE.findall(chapter.prose) != [badge_line(chapter.path.name)]:
        yield "has not the one right badge line: run python -m tests.notebooks.execute --set-up"
    if not any(pictures(cell) for cell in chapter.code):
        yield "shows no picture"


def setup(chapter: Chapter) -> Iterator[str]:
    if not chapter.code or text(chapter.code[0]).strip() != course.setup_cell().strip():
        yield "does not begin with the set-up cell: run python -m tests.notebooks.execute --set-up"


def enough_exercises(chapter: Chapter) -> Iterator[str]:
    sources = "\n".join(text(cell) for cell in chapter.code)
    asked = set(re.findall(r"""course\.exercise\(\s*["']([^"']*)""", sources))
    for name in sorted(asked - set(exercises.registered())):
        yield f'asks for the exercise "{name}", which does not exist'
    headings = len(re.findall(r"^#+ .*exercise", chapter.prose, re.I | re.M))
    if not chapter.path.name.startswith("00") and min(headings, len(asked)) < LEAST_EXERCISES:
        yield f"has {headings} headings and {len(asked)} checks of exercises; at least {LEAST_EXERCISES} each"


def portable(chapter: Chapter) -> Iterator[str]:
    """Nothing in it depends on the machine: no environment, no absolute path."""
    for number, tree in chapter.trees():
        if text(chapter.code[number - 1]).startswith(SETUP_MARK):
            continue  # which alone may look where it is
        names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        names |= {n.name for n in ast.walk(tree) if isinstance(n, ast.alias)}
        if names & {"environ", "getenv"} or re.search(r"^\s*%(set_)?env\b", text(chapter.code[number - 1]), re.M):
            yield f"code cell {number} reads the environment; sizes come from course.budget"
    places = [(f"code cell {n}", text(cell)) for n, cell in enumerate(chapter.code, 1)]
    places += [(f"the output of code cell {n}", printed(output)) for n, output in chapter.outputs()]
    for place, words in [*places, ("the text", chapter.prose)]:
        if path := MACHINE_PATH.search(words):
            yield f"{place} has a path of one machine: {path[0]}"


def alternative_text(chapter: Chapter) -> Iterator[str]:
    empty = re.compile(r"!\[\s*\]\(|<img\b(?![^>]*\balt=[\"'][^\"']+[\"'])[^>]*>")
    if found := empty.search(chapter.prose):
        yield f"has a picture in its text without alternative text: {found[0][:60]}"
    for number, output in chapter.outputs():
        if empty.search(text(output.get("data", {}).get("text/html", ""))):
            yield f"code cell {number} shows a picture without alternative text"


def no_second_version(chapter: Chapter) -> Iterator[str]:
    """A function or class that the package has too must be the same code; a stub to fill in is none."""
    package = package_definitions()
    for number, tree in chapter.trees():
        for node in definitions(tree):
            places = package.get(node.name, {})
            if places and not is_stub(node) and skeleton(node) not in places:
                where = ", ".join(sorted(set(places.values())))
                yield f"code cell {number} defines {node.name} otherwise than {where}: import it or rename it"


def public_names(chapter: Chapter) -> Iterator[str]:
    """What a chapter uses of the package is there, has no underscore and has a docstring."""
    bound: dict[str, Any] = {}
    asked: dict[str, int] = {}
    for number, tree in chapter.trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "stylelab":
                for alias in node.names:
                    asked.setdefault(f"{node.module}.{alias.name}", number)
                    bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.split(".")[0] == "stylelab":
                        asked.setdefault(alias.name, number)
                        bound[alias.asname or "stylelab"] = alias.name if alias.asname else "stylelab"
            elif isinstance(node, ast.Attribute) and (name := dotted(node)).split(".")[0] in bound:
                first, _, rest = name.partition(".")
                asked.setdefault(f"{bound[first]}.{rest}", number)
    for name, number in asked.items():
        if fault := name_fault(name):
            yield f"code cell {number} uses {name}, {fault}"


RULES = (
    size,
    executed,
    cell_lengths,
    clean_outputs,
    structure,
    setup,
    enough_exercises,
    portable,
    alternative_text,
    no_second_version,
    public_names,
)


def findings(path: Path) -> Iterator[str]:
    """Everything that one chapter breaks."""
    try:
        chapter = Chapter(path)
        nbformat.validate(chapter.book)
        list(chapter.trees())
    except (ValueError, KeyError, SyntaxError, nbformat.ValidationError) as error:
        yield f"cannot be read as a notebook: {str(error).splitlines()[0]}"
        return
    for rule in RULES:
        yield from rule(chapter)


def all_findings(folder: Path) -> list[str]:
    """Everything that the chapters of a folder break, one line each."""
    paths = sorted(folder.glob("*.ipynb"))
    found = [f"{path.name} {finding}" for path in paths for finding in findings(path)]
    numbers = [path.name[:2] for path in paths]
    found += [
        f"{path.name} is no chapter's name: two digits, _, the title"
        for path in paths
        if not re.fullmatch(r"\d\d_\w+\.ipynb", path.name)
    ]
    return found + [f"chapter {n} is there twice" for n in sorted(set(numbers)) if numbers.count(n) > 1]


# Comparing functions.


def definitions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    yield from (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef))


@cache
def package_definitions() -> dict[str, dict[str, str]]:
    """Public name -> skeleton -> module; the exercises are left out, whose answers students write by name."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((ROOT / "stylelab").rglob("*.py")):
        if "exercises" in path.parts:
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in definitions(ast.parse(path.read_text(encoding="utf-8"))):
            if not node.name.startswith("_"):
                found.setdefault(node.name, {})[skeleton(node)] = module
    return found


def is_stub(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Only a docstring, ``...``, ``pass`` or ``raise NotImplementedError`` inside."""
    return all(
        isinstance(line, ast.Pass | ast.Raise) or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        for line in node.body
    )


def skeleton(node: ast.FunctionDef | ast.ClassDef) -> str:
    """What a function does: its syntax tree without docstrings, annotations and the names it chose."""
    tree = ast.parse(ast.unparse(node)).body[0]
    assert isinstance(tree, ast.FunctionDef | ast.ClassDef)
    tree.name = ""
    local = [n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)]
    local += [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    names = {name: f"v{number}" for number, name in enumerate(dict.fromkeys(local))}

    class Plain(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            node.returns = None
            return self.generic_visit(self._without_docstring(node))

        def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
            return self.generic_visit(self._without_docstring(node))

        def visit_arg(self, node: ast.arg) -> ast.AST:
            return ast.arg(names.get(node.arg, node.arg))

        def visit_Name(self, node: ast.Name) -> ast.AST:
            return ast.Name(names.get(node.id, node.id), node.ctx)

        def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
            plain = ast.Assign([node.target], node.value) if node.value else ast.Pass()
            return self.generic_visit(plain)

        def _without_docstring(self, node: Any) -> Any:
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
            return node

    return ast.dump(Plain().visit(tree))


# Names of the package.


def dotted(node: ast.Attribute) -> str:
    """``a.b.c`` as it is written; "" if its root is no name."""
    parts: list[str] = []
    part: ast.expr = node
    while isinstance(part, ast.Attribute):
        parts.append(part.attr)
        part = part.value
    return ".".join([part.id, *reversed(parts)]) if isinstance(part, ast.Name) else ""


@cache
def name_fault(name: str) -> str | None:
    """What is wrong with ``stylelab.module.name`` for a reader; attributes of instances are not asked for."""
    found: Any = importlib.import_module("stylelab")
    parts = name.split(".")[1:]
    for place, part in enumerate(parts, 1):
        if part.startswith("_") and not part.endswith("__"):
            return "which is private"
        if inspect.ismodule(found) and not hasattr(found, part):
            try:
                importlib.import_module(f"{found.__name__}.{part}")
            except ModuleNotFoundError:
                return "which is not there"
        if not (inspect.ismodule(found) or inspect.isclass(found)) or not hasattr(found, part):
            return None
        found = getattr(found, part)
        if not getattr(found, "__module__", getattr(found, "__name__", "")).startswith("stylelab"):
            return None  # a constant, or another package's
        if callable(found) and not inspect.getdoc(found):
            return f"and {'.'.join(['stylelab', *parts[:place]])} has no docstring"
    return None


def main(arguments: list[str]) -> int:
    found = all_findings(Path(arguments[0]) if arguments else NOTEBOOKS)
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
