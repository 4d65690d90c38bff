"""The pages that one reads first: both READMEs say the same, and the others promise nothing that is not there.

Nothing here computes a picture.
"""

import ast
import builtins
import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
import yaml

from tests.test_docs import broken

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/paths.md", "docs/troubleshooting.md"]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


# ---- two READMEs ---------------------------------------------------------------------------------


@dataclass
class Section:
    """A heading of a Markdown page and what stands below it, as far as it must not depend on the language."""

    level: int
    title: str
    commands: list = field(default_factory=list)  # each block's language, then its lines without comments
    tables: list = field(default_factory=list)  # rows and columns
    codes: set = field(default_factory=set)
    links: Counter = field(default_factory=Counter)
    numbers: set = field(default_factory=set)


def sections(text):
    """The page's sections; what stands before the first heading counts to it."""
    found, prose, rows, block = [], [], [], None

    def close():
        if rows:
            found[-1].tables.append((len(rows), *sorted({row.count("|") - 1 for row in rows})))
            rows.clear()
        if found:
            words = "\n".join(prose)
            found[-1].codes = {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", words)}
            found[-1].links = Counter(re.findall(r"\]\(([^)\s]+)\)", words))
            plain = re.sub(r"`[^`]+`|\]\([^)\s]+\)", " ", words)
            found[-1].numbers = set(re.findall(r"\d+(?:[.,]\d+)*", plain))

    for line in text.splitlines():
        if line.startswith("```"):
            block = None if block is not None else [line.removeprefix("```")]
            if block:
                found[-1].commands.append(block)
        elif block is not None:
            if command := re.sub(r"(^|\s)#.*", "", line).rstrip():
                block.append(command)
        elif heading := re.match(r"(#+) (.*)", line):
            close()
            prose.clear()
            found.append(Section(len(heading[1]), heading[2]))
        else:
            prose.append(line)
            if line.startswith("|"):
                rows.append(line)
            elif rows:
                found[-1].tables.append((len(rows), *sorted({row.count("|") - 1 for row in rows})))
                rows.clear()
    close()
    return found


def differences(english, chinese):
    """In what the second page is not the first one in another language: a sentence each."""
    pair = {"README.md": english, "README.zh-CN.md": chinese}
    first, second = (sections(text) for text in pair.values())
    for number, (a, b) in enumerate(zip(first, second, strict=False)):
        if a.level != b.level:
            before = f'after "{first[number - 1].title}" ' if number else ""
            return [f'{before}the README goes on with "{"#" * a.level} {a.title}", the Chinese one with "{b.title}"']
    if len(first) != len(second):
        longer, name = (first, "the Chinese one") if len(first) > len(second) else (second, "the README")
        return [f'"{longer[min(len(first), len(second))].title}" is missing in {name}']
    return [fault for a, b in zip(first, second, strict=True) for fault in section_differences(a, b)]


def section_differences(a, b):
    where = f'"{a.title}"'
    blocks = [Counter(line for block in section.commands for line in block[1:]) for section in (a, b)]
    found = [f"the command {line!r} is missing in the Chinese {where}" for line in blocks[0] - blocks[1]]
    found += [f"the command {line!r} of the Chinese {where} is not in the README's" for line in blocks[1] - blocks[0]]
    if not found and a.commands != b.commands:
        found.append(f"the commands of {where} are in another order or another language's block in Chinese")
    if a.tables != b.tables:
        found.append(f"the tables of {where} have (rows, columns) {a.tables}, in Chinese {b.tables}")
    for what in ("codes", "links", "numbers"):
        own, other = getattr(a, what), getattr(b, what)
        if own != other:
            less, more = sorted(own - other), sorted(other - own)
            found.append(f"{what} of {where}: {less} are missing in Chinese, {more} are there too much")
    return found


def one_language(text):
    """The page with its link to the other language as both have it."""
    return re.sub(r"\]\(README(\.zh-CN)?\.md\)", "](README)", text)


def test_the_chinese_readme_is_the_readme():
    found = differences(*(one_language(read(name)) for name in ("README.md", "README.zh-CN.md")))
    assert not found, "\n".join(["Change both READMEs together:", *found])


def test_each_readme_leads_to_the_other_at_its_top():
    assert "](README.zh-CN.md)" in "".join(read("README.md").splitlines()[:4])
    assert "](README.md)" in "".join(read("README.zh-CN.md").splitlines()[:4])


def untranslated(text):
    """Runs of eight and more Latin words in a page's prose; names of things are shorter."""
    prose = re.sub(r"(?ms)^```.*?^```|`[^`]+`|\]\([^)]*\)", " ", text)
    return [run[0].strip() for run in re.finditer(r"(?:[A-Za-z][\w'-]*[ ,.;:]+){8,}", prose)]


def test_the_chinese_readme_is_chinese():
    assert untranslated(read("README.zh-CN.md")) == []
    assert len(untranslated(read("README.md"))) > 50


SMALL = """# A

Text of 2 lines with `code` and a [link](b.md).

## B

| a | b |
|---|---|
| 1 | 2 |

```sh
make run  # a comment
```
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Text of", "Ein Text von", None),
        ("a comment", "another one", None),
        ("## B", "### B", 'after "A" the README goes on with "## B"'),
        ("## B\n", "", '"B" is missing in the Chinese one'),
        ("```\n", "```\n## C\n", '"C" is missing in the README'),
        ("make run", "make test", "the command 'make run' is missing in the Chinese \"B\""),
        ("make run", "make run\nmake lab", "the command 'make lab' of the Chinese \"B\""),
        ("```sh", "```python", "another order"),
        ("| 1 | 2 |\n", "", "have (rows, columns) [(3, 2)], in Chinese [(2, 2)]"),
        ("| 1 | 2 |", "| 1 2 |", "have (rows, columns)"),
        ("`code`", "code", "['code'] are missing in Chinese"),
        ("b.md", "c.md", "['b.md'] are missing in Chinese, ['c.md'] are there too much"),
        ("2 lines", "3 lines", "['2'] are missing in Chinese, ['3'] are there too much"),
    ],
)
def test_the_comparison_sees(old, new, words):
    found = differences(SMALL, SMALL.replace(old, new, 1))
    assert (words in found[0]) if words else not found


# ---- links and commands of all pages -------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("docs/")])
def test_links_lead_somewhere(name):
    assert "](" in read(name)
    assert broken(read(name), ROOT / name) == []


@pytest.mark.parametrize("name", PAGES)
def test_commands_exist(name):
    text = read(name)
    targets = re.findall(r"^([a-z]+):[^#\n]*## ", MAKEFILE, re.M)
    used = re.findall(r"(?m)(?:^|`)make ([a-z]+)", text)
    assert set(used) <= set(targets)
    modules = re.findall(r"-m ((?:tests|stylelab)(?:\.\w+)*)", text)
    places = [ROOT.joinpath(*module.split(".")) for module in modules]
    assert [p for p in places if not p.with_suffix(".py").exists() and not (p / "__main__.py").exists()] == []
    extras = {extra for group in re.findall(r"\.\[([\w,]+)\]", text) for extra in group.split(",")}
    assert extras <= set(PROJECT["project"]["optional-dependencies"])


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_stylelab_exist(name, capsys):
    from stylelab.cli import main

    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"^    (\w+) ", capsys.readouterr().out, re.M))
    assert {"stylize", "info"} <= known
    assert set(re.findall(r"(?m)(?:^|`|/bin/)stylelab ([a-z]+)", read(name))) <= known


def test_contributors_are_told_what_ci_runs():
    (told,) = (text for text in re.split(r"(?m)^## ", read("CONTRIBUTING.md")) if text.startswith("What CI does"))
    runs = re.findall(r"(?m)^make ([a-z]+)", read(".ci/run"))
    assert runs
    assert [target for target in runs if f"`make {target}`" not in told] == []


# ---- troubleshooting -----------------------------------------------------------------------------


def spoken(source):
    """All texts of a module but its docstrings; … stands for what is filled in."""
    tree = ast.parse(source)
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield re.sub(r'"\s*\n\s*"', "", node.value)  # in the set-up cell's source


def is_said(sentence, texts):
    """Whether one of the texts has the sentence's parts, in order, with anything where it has …"""

    def fits(text):
        at = 0
        for part in sentence.split("…"):
            at = text.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return True

    return any(map(fits, texts))


@pytest.fixture(scope="module")
def said():
    ours = [*(ROOT / "stylelab").rglob("*.py"), ROOT / "tests/conftest.py", ROOT / "tests/notebooks/execute.py"]
    texts = [text for path in ours for text in spoken(path.read_text(encoding="utf-8"))]
    return [*texts, re.sub(r'"\s*\\\n\s*"', " ", MAKEFILE)]


def symptoms():
    """Heading and text of each symptom."""
    parts = re.split(r"(?m)^### (.*)\n", read("docs/troubleshooting.md"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


SENTENCES = [
    s for text in symptoms().values() for b in re.findall(r"(?ms)^```text\n(.*?)^```", text) for s in b.split("\n")
]


@pytest.mark.parametrize("sentence", [sentence for sentence in SENTENCES if sentence])
def test_our_sentences_are_still_said(sentence, said):
    assert len(sentence.replace("…", "").strip()) >= 12, "quote more of it"
    assert is_said(sentence, said), "no such sentence is in the source any more: mend docs/troubleshooting.md"


def test_the_sentence_check_sees(said):
    source = 'def f():\n    "Docs."\n    raise E(f"The file {x} is " "bad: mend it.")'
    assert is_said("The file … is bad: mend it.", spoken(source))
    assert not is_said("The file … is bad: throw it away.", spoken(source))
    assert not is_said("mend it. The file", spoken(source)), "the order counts"
    assert not is_said("Docs.", spoken(source))
    assert not is_said("The moon is made of cheese.", said)


@pytest.mark.parametrize(("symptom", "text"), symptoms().items(), ids=list(symptoms()))
def test_each_symptom_has_a_cause_and_a_cure(symptom, text):
    assert text.count("**Why.**") == text.count("**Do.**") == 1
    assert text.index("**Why.**") < text.index("**Do.**")


# ---- paths ---------------------------------------------------------------------------------------


def chapter(number):
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]


def test_minutes_of_the_team_path_are_the_chapters_own():
    rows = re.findall(r"^\| \[(\d\d) .*? \| (\d+) minutes \| (\d+) minutes \|", read("docs/paths.md"), re.M)
    assert [number for number, *_ in rows] == ["00", "02", "03", "11"]
    for number, computing, _ in rows:
        own = re.search(r"\*\*Time and memory:\*\*\D*(\d+) minutes", chapter(number)[0][1])
        assert own[1] == computing, f"chapter {number} says {own[0]}"
    computing, reading = (sum(int(row[column]) for row in rows) for column in (1, 2))
    assert f"{computing} minutes of computing and {reading} minutes with reading" in read("docs/paths.md")


def colab_path():
    """Chapter and its sections, as the page lists them."""
    page = read("docs/paths.md").split("## An hour in Colab")[1]
    rows = re.findall(r"^\| (\d+) to (\d+) \| \[(\d\d)\]\S+ \| (.*?) \|", page, re.M)
    ends = [(int(begin), int(end)) for begin, end, *_ in rows]
    assert [begin for begin, _ in ends] == [0, *(end for _, end in ends[:-1])] and ends[-1][1] == 60
    return {number: re.findall(r"\d+\.\d+", listed) for *_, number, listed in rows if not listed.startswith("all")}


def names_missing(cells, wanted):
    """What the code of the wanted sections uses and nothing before it in them makes: [(section, names)]."""
    known, section, missing = set(dir(builtins)) | {"display"}, "", []
    for kind, text in cells:
        if kind == "markdown":
            section = [section, *re.findall(r"(?m)^## (\S+)", text)][-1]
            continue
        if (re.match(r"\d", section) and section not in wanted) or section == "Exercises":
            continue
        nodes = list(ast.walk(ast.parse(text)))
        used = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        known |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        known |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        known |= {n.arg for n in nodes if isinstance(n, ast.arg)}
        known |= {(n.asname or n.name).split(".")[0] for n in nodes if isinstance(n, ast.alias)}
        if used - known:
            missing.append((section, used - known))
    return missing


@pytest.mark.parametrize("number", ["03", "05", "06"])
def test_sections_of_the_colab_path_run_without_the_others(number):
    wanted = colab_path()[number]
    headings = re.findall(r"(?m)^## (\d+\.\d+)", "\n".join(text for _, text in chapter(number)))
    assert wanted and set(wanted) <= set(headings)
    assert names_missing(chapter(number), wanted) == []


def test_without_a_gpu_section_6_8_may_be_left_out():
    assert names_missing(chapter("06"), [one for one in colab_path()["06"] if one != "6.8"]) == []


def test_the_path_check_sees():
    cells = [
        ("code", "a = 1"),
        ("markdown", "## 1.1 A"),
        ("code", "b = a"),
        ("markdown", "## 1.2 B"),
        ("code", "print(b)"),
    ]
    assert names_missing(cells, ["1.1", "1.2"]) == []
    assert names_missing(cells, ["1.2"]) == [("1.2", {"b"})]


# ---- changelog and citation ----------------------------------------------------------------------


def test_the_changelog_keeps_its_form():
    text = read("CHANGELOG.md")
    headings = re.findall(r"(?m)^## (.*)", text)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    assert all(released), headings
    assert released[0][1] == PROJECT["project"]["version"]
    days = [date.fromisoformat(one[2]) for one in released]
    assert days == sorted(days, reverse=True)
    for part in re.split(r"(?m)^## ", text)[1:]:
        kinds = re.findall(r"(?m)^### (.*)", part)
        assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        assert len(set(kinds)) == len(kinds)
        assert all(re.search(r"(?m)^- ", below) for below in re.split(r"(?m)^### ", part)[1:]), (
            "say what, or leave it out"
        )


# Of the Citation File Format 1.2.0: what it requires, and of its optional keys those that we may use.
REQUIRED = {"cff-version", "message", "title", "authors"}
OPTIONAL = {"abstract", "keywords", "license", "repository-code", "type", "version"}


def test_the_citation_file_is_one():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert REQUIRED <= set(citation) <= REQUIRED | OPTIONAL
    assert all(
        isinstance(citation[key], str) and citation[key].strip()
        for key in citation
        if key not in ("authors", "keywords")
    )
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["authors"] == [{"name": "The StyleLab developers"}]
    assert all(isinstance(word, str) for word in citation["keywords"])
    assert len(set(citation["keywords"])) == len(citation["keywords"])
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]
    address = PROJECT["tool"]["stylelab"]["repository"]
    assert citation.get("repository-code") == (f"https://github.com/{address}" if address else None)
