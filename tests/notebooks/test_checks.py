"""The stored chapters as a reader meets them, and the checker itself on chapters that break one rule each."""

import ast
import base64
import json

import nbformat
import pytest

from stylelab import course
from tests.notebooks import checks

v4 = nbformat.v4
PIXEL = base64.b64encode(b"a picture").decode()
NAMES = "adam-step", "pyramid-sizes", "logo-legible"
EXERCISE = "ex = course.exercise('{}')\n\n\ndef answer(x):\n    ...\n\n\nex.check(answer)"


def test_the_chapters_have_no_findings():
    assert checks.all_findings(checks.NOTEBOOKS) == []


def printing(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def showing(**data):
    return v4.new_output("display_data", data={key.replace("_", "/", 1): value for key, value in data.items()})


class Book:
    """A chapter without fault, to be spoiled in one place."""

    def __init__(self, name="07_gan_training.ipynb"):
        self.name = name
        self.cells = [
            v4.new_markdown_cell(f"# 07 Title\n{checks.badge_line(name)}\n\n## Objectives\n- one"),
            v4.new_code_cell(course.setup_cell().strip()),
            v4.new_markdown_cell("## A section\n![a cat](cat.png) <img src='dog.png' alt='a dog'>"),
            v4.new_code_cell("1 + 1", outputs=[showing(image_png=PIXEL, text_plain="<Figure>")]),
        ]
        for name in NAMES:
            self.cells += [v4.new_markdown_cell(f"### Exercise: {name}"), v4.new_code_cell(EXERCISE.format(name))]
        self.cells.append(v4.new_markdown_cell("## Summary"))
        self.metadata = {}
        self.stored_code = None

    def code(self, source, *outputs):
        """Adds a code cell and the outputs that it is stored with."""
        self.cells.append(v4.new_code_cell(source, outputs=list(outputs)))

    def prose(self, source):
        self.cells.append(v4.new_markdown_cell(source))

    def write(self, folder):
        book = v4.new_notebook(cells=self.cells)
        count = 0
        for cell in self.cells:
            if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
                count += 1
                cell.execution_count = count
        book.metadata["stylelab"] = {"code": self.stored_code or checks.code_digest(book), "modules": {}}
        path = folder / self.name
        nbformat.write(book, path)
        return path

    def findings(self, folder):
        return list(checks.findings(self.write(folder)))


@pytest.fixture
def book():
    return Book()


def test_a_chapter_without_fault(book, tmp_path):
    assert book.findings(tmp_path) == []


# One function per fault: what is done to the chapter, and the sentence that must come.
FAULTS = {}


def fault(sentence):
    def add(spoil):
        FAULTS[spoil.__name__] = (spoil, sentence)
        return spoil

    return add


@fault("is 2.1 MB; at most 2: store smaller figures")
def too_large(book):
    book.code("2", showing(image_png="A" * 2_100_000))


@fault("is not stored executed once, from top to bottom")
def out_of_order(book):
    book.code("2")
    book.cells[-1].execution_count = 9


@fault("is not stored executed once, from top to bottom")
def executed_twice(book):
    for number, cell in enumerate((c for c in book.cells if c.cell_type == "code"), 7):
        cell.execution_count = number


@fault("has code that changed since its outputs were made: run python -m tests.notebooks.execute 07")
def edited_since(book):
    book.stored_code = "0" * 64


@fault("code cell 6 has 41 lines; at most 40")
def long_cell(book):
    book.code("\n".join("x = 1" for _ in range(41)))


@fault("has code cells of 9 lines (median); at most 8")
def long_cells(book):
    for _ in range(12):
        book.code("\n".join("x = 1" for _ in range(9)))


@fault("code cell 6 has a line of 80 columns; at most 79")
def wide_line(book):
    book.code("x = '" + "x" * 74 + "'")


@fault("code cell 6 is stored with an error: ValueError")
def stored_error(book):
    book.code("x", v4.new_output("error", ename="ValueError", evalue="", traceback=[]))


@fault("code cell 6 is stored with stderr output: a warning")
def stored_stderr(book):
    book.code("x", printing("a warning\nmore of it", "stderr"))


@fault("code cell 6 is stored with a widget, which shows nothing without its kernel")
def stored_widget(book):
    widget = {checks.WIDGET: {"model_id": "1", "version_major": 2, "version_minor": 0}, "text/plain": "IntSlider()"}
    book.code("x", v4.new_output("display_data", data=widget))


@fault("code cell 6 shows an object's address; end its last line with a semicolon")
def an_address(book):
    book.code("x", showing(text_plain="[<matplotlib.lines.Line2D at 0x7f3a5c1d2e50>]"))


@fault("has no heading with the word objectives")
def no_objectives(book):
    book.cells[0].source = book.cells[0].source.replace("## Objectives", "Objectives")


@fault("has no heading with the word summary")
def no_summary(book):
    book.cells.pop()


BADGE_MESSAGE = "has not the one right badge line: run python -m tests.notebooks.execute --set-up"


@fault(BADGE_MESSAGE)
def no_badge(book):
    book.cells[0].source = "# 07 Title\n\n## Objectives"


@fault(BADGE_MESSAGE)
def badge_of_another(book):
    link = "https://colab.research.google.com/github/elsewhere"
    book.cells[0].source = f"# 07\n[![Open in Colab](colab-badge.svg)]({link})\n\n## Objectives"


@fault(BADGE_MESSAGE)
def two_badges(book):
    book.prose(checks.badge_line(book.name))


@fault("shows no picture")
def no_picture(book):
    book.cells[3].outputs = [printing("2")]


@fault("does not begin with the set-up cell: run python -m tests.notebooks.execute --set-up")
def another_setup(book):
    book.cells[1].source += "\nimport numpy as np"


@fault("does not begin with the set-up cell: run python -m tests.notebooks.execute --set-up")
def late_setup(book):
    book.cells[1], book.cells[3] = book.cells[3], book.cells[1]


@fault("has 2 headings and 3 checks of exercises; at least 3 each")
def two_headings(book):
    book.cells[4].source = "An exercise without heading"


@fault("has 3 headings and 2 checks of exercises; at least 3 each")
def two_exercises(book):
    book.cells[5].source = "2"


@fault('asks for the exercise "adam-stap", which does not exist')
def unknown_exercise(book):
    book.code('course.exercise("adam-stap")')


@fault("code cell 6 reads the environment; sizes come from course.budget")
def environment(book):
    book.code("import os\nsteps = os.environ['STEPS']")


@fault("code cell 6 reads the environment; sizes come from course.budget")
def environment_by_getenv(book):
    book.code("from os import getenv\ngetenv('STEPS')")


@fault("code cell 6 reads the environment; sizes come from course.budget")
def environment_by_magic(book):
    book.code("%env STYLELAB_FAST")


@fault("code cell 6 has a path of one machine: /home/me")
def path_in_code(book):
    book.code("course.own_photo('/home/me/photo.jpg')")


@fault("the output of code cell 6 has a path of one machine: /home/me")
def path_in_output(book):
    book.code("x", printing("saved to /home/me/out.png"))


@fault("the output of code cell 6 has a path of one machine: /tmp/ipykernel_7")
def path_in_html(book):
    book.code("x", showing(text_html="<a href='/tmp/ipykernel_7/x.html'>x</a>"))


@fault("the text has a path of one machine: C:\\Users")
def path_in_text(book):
    book.prose("Look into C:\\Users\\me\\pictures.")


@fault("has a picture in its text without alternative text: ![](")
def no_alternative(book):
    book.prose("![](cat.png)")


@fault("has a picture in its text without alternative text: <img src='x.png'>")
def no_alternative_in_html(book):
    book.prose("<img src='x.png'>")


@fault("code cell 6 shows a picture without alternative text")
def no_alternative_in_output(book):
    book.code("x", showing(text_html='<img src="data:image/png;base64,AA" alt="">'))


@fault("code cell 6 defines luminance otherwise than stylelab.images: import it or rename it")
def second_version(book):
    book.code("def luminance(image):\n    return image.mean(-1, keepdims=True)")


@fault("code cell 6 defines Card otherwise than stylelab.pages: import it or rename it")
def second_version_of_a_class(book):
    book.code("class Card:\n    title = ''")


@fault("code cell 6 uses stylelab.images._checked, which is private")
def private_name(book):
    book.code("from stylelab import images as i\ni._checked")


@fault("code cell 6 uses stylelab.catalog.masks._found, which is private")
def private_import(book):
    book.code("from stylelab.catalog.masks import _found")


@fault("code cell 6 uses stylelab.images.paint, which is not there")
def missing_name(book):
    book.code("import stylelab.images\nstylelab.images.paint(1)")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_nothing_else(book, tmp_path, name):
    spoil, sentence = FAULTS[name]
    spoil(book)
    assert book.findings(tmp_path) == [sentence]


def test_a_name_without_docstring(book, tmp_path, monkeypatch):
    from stylelab import images

    book.code("from stylelab.images import read\nread")
    assert book.findings(tmp_path) == []
    monkeypatch.setattr(images.read, "__doc__", None)
    checks.name_fault.cache_clear()
    assert book.findings(tmp_path) == [
        "code cell 6 uses stylelab.images.read, and stylelab.images.read has no docstring"
    ]
    checks.name_fault.cache_clear()


def test_a_chapter_that_was_never_executed(tmp_path):
    path = tmp_path / "07_x.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1")]), path)
    found = list(checks.findings(path))
    assert "is not stored executed once, from top to bottom" in found
    assert "is stored without outputs" in found
    assert "was stored by hand: run python -m tests.notebooks.execute 07" in found


def test_chapter_00_needs_no_exercises(tmp_path):
    book = Book("00_start_here.ipynb")
    book.cells = [cell for cell in book.cells if "xercise" not in cell.source]
    for _ in range(2):
        book.code("2")
    assert book.findings(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "cannot be read as a notebook: Expecting value: line 1 column 1 (char 0)"),
        ("{}", "cannot be read as a notebook: 'cells'"),
    ],
)
def test_no_notebook_at_all(tmp_path, content, sentence):
    path = tmp_path / "07_x.ipynb"
    path.write_text(content)
    assert list(checks.findings(path)) == [sentence]


def test_a_notebook_against_the_format(book, tmp_path):
    path = book.write(tmp_path)
    broken = json.loads(path.read_text())
    broken["cells"][1]["outputs"] = "none"
    path.write_text(json.dumps(broken))
    assert next(checks.findings(path)).startswith("cannot be read as a notebook: ")


def test_code_that_is_no_python(book, tmp_path):
    book.code("def f(:")
    assert next(iter(book.findings(tmp_path))).startswith("cannot be read as a notebook: ")


def test_what_is_no_fault(book, tmp_path):
    """Near misses: what the rules must leave alone."""
    book.code("%matplotlib inline\n!echo hello")
    book.code("def adam_step(x):\n    return 2 * x", printing("about 12/home and https://a.org/home/me, 3/tmp/x"))
    book.code("def luminance(image):\n    '''To be written.'''\n    ...")
    book.code("def write_page(path):\n    raise NotImplementedError('Student exercise')")
    book.code("def luminance_by_hand(image):\n    return image.mean(-1)")
    book.code("class Note:\n    def luminance(self):\n        return 1")
    book.code("", printing("never executed"))
    book.prose("On Colab your files are in /content and /content/drive. $f:\\mathbb{R}\\to\\mathbb{R}$ ![x](/tmp.png)")
    assert book.findings(tmp_path) == []


def test_the_same_code_under_the_same_name_is_no_second_version(book, tmp_path):
    source = (checks.ROOT / "stylelab" / "images.py").read_text(encoding="utf-8")
    function = next(n for n in checks.definitions(ast.parse(source)) if n.name == "luminance")
    function.body = function.body[1:]  # less its docstring
    book.code(ast.unparse(function))
    assert book.findings(tmp_path) == []


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("def gram(f):\n    p = f.shape[0]\n    return f.T @ f / p", True),
        (
            "def by_hand(features: Any) -> float:\n    'Words.'\n    n: int = features.shape[0]\n"
            "    return features.T @ features / n",
            True,
        ),
        ("def gram(f):\n    p = f.shape[1]\n    return f.T @ f / p", False),
        ("def gram(f):\n    p = f.shape[0]\n    return f.T @ p / f", False),
        ("def gram(f):\n    p = f.shape[0]\n    return np.matmul(f.T, f) / p", False),
        ("def gram(f, p=1):\n    p = f.shape[0]\n    return f.T @ f / p", False),
    ],
)
def test_sameness_ignores_names_and_words_only(other, same):
    def skeleton(source):
        return checks.skeleton(next(checks.definitions(ast.parse(source))))

    ours = "def gram(f):\n    '''What it means.'''\n    p = f.shape[0]\n    return f.T @ f / p"
    assert (skeleton(ours) == skeleton(other)) is same


def test_the_digest_is_of_code_and_not_of_the_address(book):
    def digest():
        return checks.code_digest(v4.new_notebook(cells=book.cells))

    before = digest()
    book.cells[0].source += " more text"
    book.cells[1].source = book.cells[1].source.replace('REPOSITORY = ""', 'REPOSITORY = "an/address"')
    assert digest() == before
    book.cells[3].source += " + 1"
    assert digest() != before


def test_the_badge_leads_to_the_address(monkeypatch):
    monkeypatch.setattr(course, "repository", lambda: "")
    assert checks.badge_line("03_x.ipynb").startswith("*Badge: none until")
    assert checks.BADGE_LINE.fullmatch(checks.badge_line("03_x.ipynb"))
    monkeypatch.setattr(course, "repository", lambda: "an/address")
    link = "https://colab.research.google.com/github/an/address/blob/main/notebooks/03_x.ipynb"
    assert checks.badge_line("03_x.ipynb").endswith(f"colab-badge.svg)]({link})")
    assert checks.BADGE_LINE.fullmatch(checks.badge_line("03_x.ipynb"))


def test_a_folder_of_chapters(tmp_path, capsys):
    assert checks.all_findings(tmp_path) == []
    Book("07_gan_training.ipynb").write(tmp_path)
    assert checks.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
    Book("07_once_more.ipynb").write(tmp_path)
    Book("notes.ipynb").write(tmp_path)
    assert checks.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "notes.ipynb is no chapter's name: two digits, _, the title",
        "chapter 07 is there twice",
    ]
