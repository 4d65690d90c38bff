"""The pages in docs/: every link leads somewhere, the glossary is whole, the article's table says what is shown.

A heading of a notebook is linked by its text with hyphens for spaces, as Jupyter does it. The numbers of the article's
table are looked up in the text and the stored outputs of the sections that its row names: if a chapter is executed
again and prints others, its row has to be read again, too.
"""

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS, NOTEBOOKS = ROOT / "docs", ROOT / "notebooks"
VERDICTS = ["true", "true with limits", "depends", "not so", "not shown here"]
LINK = re.compile(r"(?<!!)\[([^\[\]]*)\]\(([^()\s]+)\)")


def without_code(text):
    """A page without its fenced blocks, where a # is a comment and brackets are no link."""
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def rows(text):
    """The cells of a page's tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    rules = [i for i, row in enumerate(cells) if all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    return [row for i, row in enumerate(cells) if i not in rules and i + 1 not in rules]


@cache
def sections(notebook):
    """Heading -> all that stands below it, printed and stored outputs included, up to the next one of its level."""
    found, below = {}, {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        lines = "".join(cell["source"]).splitlines() if cell["cell_type"] == "markdown" else []
        for output in cell.get("outputs", []):
            lines += output.get("text", []) + output.get("data", {}).get("text/plain", [])
        for line in lines:
            heading = re.match(r"(#{1,6}) (.+)", line) if cell["cell_type"] == "markdown" else None
            if heading:
                level = len(heading[1])
                below = {depth: name for depth, name in below.items() if depth < level} | {level: heading[2].strip()}
                found.setdefault(below[level], [])
            for name in below.values():
                found[name].append(line)
    return {name: "\n".join(text) for name, text in found.items()}


def headings(notebook):
    """Fragment -> heading."""
    return {name.replace(" ", "-"): name for name in sections(notebook)}


def anchors(text):
    """What a fragment of a page of text may be: an explicit id, or a heading as GitHub writes it."""
    text = without_code(text)
    titles = re.findall(r"^#{1,6} (.+)", text, re.M)
    slugs = [re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles]
    return slugs + re.findall(r'<a id="([^"]+)"', text)


def leads_nowhere(link, page):
    """Why a link of a page leads nowhere, or nothing."""
    if re.match(r"(https?|mailto):", link):
        return ""
    name, _, fragment = link.partition("#")
    target = (page.parent / unquote(name)).resolve() if name else page
    if not target.exists() or ROOT not in target.parents:
        return f"{link}: no such file"
    known = []
    if fragment and target.suffix == ".ipynb":
        known = headings(target)
    elif fragment and target.suffix == ".md":
        known = anchors(target.read_text(encoding="utf-8"))
    return f"{link}: no such heading" if fragment and unquote(fragment) not in known else ""


def broken(text, page):
    """What is wrong with the links of a text that stands in a page."""
    return [fault for _, link in LINK.findall(without_code(text)) if (fault := leads_nowhere(link, page))]


# ---- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    assert broken(page.read_text(encoding="utf-8"), page) == []


@pytest.mark.parametrize("notebook", sorted(NOTEBOOKS.glob("[0-9]*.ipynb")), ids=lambda path: path.name[:2])
def test_links_of_the_chapters_into_the_pages_lead_somewhere(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    links = [link for _, link in LINK.findall(text) if ".md" in link]
    assert [fault for link in links if (fault := leads_nowhere(link, notebook))] == []


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("glossary.md#gram-matrix", ""),
        ("glossary.md#g", ""),
        ("#fid", ""),
        ("../notebooks/02_loss_derivation.ipynb#2.8-Smoothness", ""),
        ("../notebooks/01_feature_extraction.ipynb#1.10-What-is-a-large-model%3F", ""),
        ("https://example.org/nowhere#x", ""),
        ("glossary.md#gram-matrices", "no such heading"),
        ("no_such_page.md", "no such file"),
        ("../notebooks/02_loss_derivation.ipynb#2.8-Roughness", "no such heading"),
        ("../notebooks/02_loss.ipynb", "no such file"),
        ("../../elsewhere.md", "no such file"),
    ],
)
def test_the_link_check_sees(link, fault):
    found = broken(f"before [a word]({link}) after", DOCS / "glossary.md")
    assert found == ([f"{link}: {fault}"] if fault else [])


# ---- the glossary --------------------------------------------------------------------------------


def faults_of_the_glossary(text, page=DOCS / "glossary.md"):
    """What is wrong with a glossary: order, doubles, empty or strange cells, terms that a chapter does not have."""
    faults, terms, ids = [], [], re.findall(r'<a id="([^"]+)"', text)
    for row in rows(text):
        if len(row) != 4 or not all(row):
            faults.append(f"not four full cells: {row}")
            continue
        named, chinese, meaning, place = row
        term = re.sub(r'<a id="[^"]+"></a>', "", named)
        terms.append(term)
        if not re.match(r'<a id="[a-z0-9-]+"></a>\S', named):
            faults.append(f"{term}: no anchor")
        if not re.search("[\u4e00-\u9fff]", chinese):
            faults.append(f"{term}: no Chinese")
        if not meaning.endswith("."):
            faults.append(f"{term}: no sentence")
        link = re.fullmatch(r"\[[^\]]+\]\((\.\./notebooks/[^#]+\.ipynb)#.+\)", place)
        if not link or not (page.parent / link[1]).exists():
            faults.append(f"{term}: no chapter")
        elif not in_chapter(term, page.parent / link[1]):
            faults.append(f"{term}: not a word of its chapter")
    if terms != sorted(terms, key=str.casefold):
        faults.append("not sorted")
    faults += [f"{name}: twice" for names in (terms, ids) for name in sorted(set(names)) if names.count(name) > 1]
    return faults


@cache
def letters(notebook):
    """A chapter's words, its code included, as lower-case letters and spaces."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return re.sub(r"[^a-z0-9]+", " ", "\n".join("".join(cell["source"]) for cell in cells).lower())


def in_chapter(term, notebook):
    """Whether the chapter has a word of the term, endings aside: a guard against a wrong chapter, and no more."""
    words = re.sub(r"[^a-z0-9]+", " ", re.sub(r" \(.*", "", term).lower()).split()
    stems = [word[:6] for word in words if len(word) > 2] or words
    return any(re.search(rf"\b{stem}", letters(notebook.resolve())) for stem in stems)


def test_the_glossary_is_whole():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    assert faults_of_the_glossary(text) == []
    assert 120 <= len(rows(text)) <= 200


def test_each_letter_has_its_heading_and_is_listed():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    parts = re.split(r"^## ([A-Z])$", text, flags=re.M)
    assert parts[1::2] == re.findall(r"\[([A-Z])\]\(#[a-z]\)", parts[0])
    for letter, part in zip(parts[1::2], parts[2::2], strict=True):
        assert {re.sub(r"<.*?>", "", row[0])[0].upper() for row in rows(part)} == {letter}


HEAD = "| term | 中文 | meaning | introduced in |\n|---|---|---|---|\n"
PLACE = "[section 2.3](../notebooks/02_loss_derivation.ipynb#2.3-Style-is-what-survives-a-shuffle)"
GOOD = f'| <a id="gram-matrix"></a>Gram matrix | 格拉姆矩阵 | A matrix. | {PLACE} |\n'


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (GOOD, []),
        (GOOD.replace("A matrix.", ""), ["not four full cells"]),
        (GOOD.replace("A matrix.", "A | matrix."), ["not four full cells"]),
        (GOOD.replace("格拉姆矩阵", "Gram"), ["Gram matrix: no Chinese"]),
        (GOOD.replace("A matrix.", "A matrix"), ["Gram matrix: no sentence"]),
        (GOOD.replace('<a id="gram-matrix"></a>', ""), ["Gram matrix: no anchor"]),
        (GOOD.replace("02_loss_derivation", "02_loss"), ["Gram matrix: no chapter"]),
        (GOOD.replace(PLACE, "chapter 02"), ["Gram matrix: no chapter"]),
        (GOOD.replace(">Gram matrix", ">Thompson sampling"), ["Thompson sampling: not a word of its chapter"]),
        (GOOD + GOOD.replace("gram-matrix", "gram"), ["Gram matrix: twice"]),
        (GOOD + GOOD.replace(">Gram matrix", ">Gram matrix too"), ["gram-matrix: twice"]),
        (GOOD + GOOD.replace("gram-matrix", "f").replace("Gram matrix", "feature"), ["not sorted"]),
    ],
)
def test_the_check_of_the_glossary_sees(table, fault):
    found = faults_of_the_glossary(HEAD + table)
    assert len(found) == len(fault)
    assert all(seen.startswith(expected) for seen, expected in zip(found, fault, strict=True))


# ---- the article's table -------------------------------------------------------------------------


def numbers(text):
    """The numbers of a text that are worth looking up: with a point, a comma or three digits, without their signs."""
    found = [number.rstrip(".,") for number in re.findall(r"(?<![\w.])\d[\d,.]*", text)]
    return [number.replace(",", "") for number in found if re.search(r"[.,]|\d{3}", number)]


def claims(text):
    """The rows of the article's table, without the list of verdicts before it and of what is left for later behind."""
    return [row for row in rows(text.split("## Left for later")[0]) if row[0] not in VERDICTS]


def faults_of_the_article(text, page=DOCS / "article.md"):
    """What is wrong with the article's table: no verdict, no place, or a number that its place lacks."""
    faults = []
    for row in claims(text):
        if len(row) != 4 or not all(row):
            faults.append(f"not four full cells: {row}")
            continue
        claim, verdict, truth, places = row
        if verdict not in VERDICTS:
            faults.append(f"{claim}: {verdict} is no verdict")
        links = re.findall(r"\[[^\]]+\]\((\.\./notebooks/[^#)]+\.ipynb)#([^)]+)\)", places)
        shown = ""
        for name, fragment in links:
            notebook = (page.parent / name).resolve()
            heading = headings(notebook).get(unquote(fragment)) if notebook.exists() else None
            if heading is None:
                faults.append(f"{claim}: no such place as {name}#{fragment}")
            else:
                shown += sections(notebook)[heading] + "\n"
        if not links:
            faults.append(f"{claim}: no place")
        faults += [f"{claim}: {n} does not stand there" for n in numbers(truth) if n not in numbers(shown)]
    return faults


def test_the_article_is_judged_by_what_the_chapters_show():
    assert faults_of_the_article((DOCS / "article.md").read_text(encoding="utf-8")) == []


def test_the_verdicts_are_counted_rightly():
    text = (DOCS / "article.md").read_text(encoding="utf-8")
    counted = {row[0]: int(row[2]) for row in rows(text) if row[0] in VERDICTS}
    given = [row[1] for row in claims(text)]
    assert list(counted) == VERDICTS
    assert counted == {verdict: given.count(verdict) for verdict in VERDICTS}


def test_what_is_left_for_later_names_chapters_that_do_not_exist():
    later = rows((DOCS / "article.md").read_text(encoding="utf-8").split("## Left for later")[1])
    assert later
    assert [row for row in later if list(NOTEBOOKS.glob(f"{row[2][:2]}_*.ipynb"))] == []


CLAIM = "| style is easy | not so | It costs 455.11 and 1,024. | "
SHOWN = "[section 2.7](../notebooks/02_loss_derivation.ipynb#2.7-Divide-by-what%3F) |\n"
TABLE = "| the article says | verdict | what is true | where we show it |\n|---|---|---|---|\n" + CLAIM + SHOWN


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("", "", ""),
        ("455.11", "455.12", "455.12 does not stand there"),
        ("1,024", "1,025", "1025 does not stand there"),
        ("2.7-Divide-by-what%3F", "2.8-Smoothness", "does not stand there"),
        ("2.7-Divide", "2.7-Multiply", "no such place"),
        ("02_loss_derivation", "02_loss", "no such place"),
        ("not so", "wrong", "wrong is no verdict"),
        (SHOWN, "chapter 02 |\n", "no place"),
        ("It costs 455.11 and 1,024.", "", "not four full cells"),
    ],
)
def test_the_check_of_the_article_sees(old, new, fault):
    found = faults_of_the_article(TABLE.replace(old, new) if old else TABLE)
    assert bool(found) == bool(fault)
    assert not fault or any(fault in seen for seen in found)
