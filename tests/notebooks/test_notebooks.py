"""Every chapter runs in fast mode, offline, and still shows every figure; and the program that executes them.

Times are printed and never asserted. A failure shows the file, the cell, its numbered source and the traceback.
"""

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from stylelab import course
from tests.notebooks import checks, execute

pytestmark = pytest.mark.notebooks
v4 = nbformat.v4
CHAPTERS = sorted(checks.NOTEBOOKS.glob("*.ipynb"))
LIMIT = 300  # seconds: what hangs must end; how fast a chapter should be stands in the README


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter(path, capsys):
    try:
        done = execute.run(path, fast=True, offline=True, limit=LIMIT)
    except execute.ChapterFailure as failure:
        failed = str(failure)
    else:
        failed = ""
    if failed:
        pytest.fail(failed, pytrace=False)
    with capsys.disabled():
        slowest = done.slowest()
        print(f"\n{path.stem}: {done.seconds:.0f} s in fast mode" + (f" ({slowest})" if slowest else ""))
    assert differences(checks.Chapter(path).code, done.notebook) == []


def differences(stored, fast):
    """What a reader of the stored chapter sees and the fast run does not show, and what only the fast run says."""
    ran = [cell for cell in fast.cells if cell.cell_type == "code" and cell.source.strip()]
    found = []
    for number, (before, after) in enumerate(zip(stored, ran, strict=True), 1):
        if checks.pictures(after) < checks.pictures(before):
            found.append(f"code cell {number} shows {checks.pictures(after)} of {checks.pictures(before)} pictures")
        found += [f"code cell {number} writes to stderr: {o.text}" for o in after.outputs if o.get("name") == "stderr"]
    return found


# ---- the program -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for made-up chapters, which find stylelab without the set-up cell."""
    monkeypatch.setenv("PYTHONPATH", str(checks.ROOT))
    return tmp_path


def write(path, *sources):
    """A chapter of the given code cells; a source that begins with "# Title" is text."""
    cells = [(v4.new_markdown_cell if s.startswith("# Title") else v4.new_code_cell)(s) for s in sources]
    nbformat.write(v4.new_notebook(cells=cells), path)
    return path


def outputs(path):
    cells = nbformat.read(path, as_version=4).cells
    return ["".join(o.get("text", "") for o in cell.outputs) for cell in cells if cell.cell_type == "code"]


FIGURE = "import matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1))\nplt.plot([1, 2]);"


def test_executed_stored_and_then_left_alone(folder, capsys):
    path = write(folder / "01_a.ipynb", "# Title", "print('hello')", FIGURE, "", "print(__import__('os').getcwd())")
    assert execute.main(["--folder", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("01_a  ")
    assert outputs(path) == ["hello\n", "", "", f"{folder}\n"]
    book = nbformat.read(path, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code" and cell.source]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert checks.pictures(code[1]) == 1
    assert set(book.metadata) == {"kernelspec", "language_info", "stylelab"}
    assert book.metadata.language_info == {"name": "python"}
    assert not [p for p in folder.iterdir() if p != path], "nothing is left behind"
    before = path.read_bytes()
    assert execute.main(["--folder", str(folder)]) == 0
    assert capsys.readouterr().out == "01_a  up to date\n"
    assert path.read_bytes() == before
    assert execute.main(["--folder", str(folder), "--check"]) == 0
    assert capsys.readouterr().out == ""


FAILING = "def half(x):\n    return x / 0\n\nhalf(1)"


def test_a_failing_chapter_is_shown_and_its_file_untouched(folder, capsys):
    bad = write(folder / "01_bad.ipynb", "# Title", "x = 1", FAILING)
    good = write(folder / "02_good.ipynb", "print(2)")
    before = bad.read_bytes()
    assert execute.main(["--folder", str(folder)]) == 1
    said = capsys.readouterr().out
    assert said.startswith(
        "01_bad.ipynb: code cell 2 (cell 2 of the file) failed\n   1 | def half(x):\n   2 |     return x / 0\n"
    )
    assert "ZeroDivisionError: division by zero" in said
    assert "\x1b" not in said
    assert bad.read_bytes() == before
    assert outputs(good) == ["2\n"], "the chapters after it run all the same"


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("import time\ntime.sleep(60)", "The limit for the chapter is over."),
        (
            "import os, sys\nos.write(2, b'out of memory')\nsys.__stderr__.flush()\nos.kill(os.getpid(), 9)",
            "The kernel died; often that is memory.",
        ),
    ],
    ids=["endless", "dies"],
)
def test_a_kernel_that_ends_no_cell(folder, source, end):
    path = write(folder / "01_a.ipynb", source)
    with pytest.raises(execute.ChapterFailure, match=r"code cell 1 \(cell 0 of the file\) failed") as failure:
        execute.run(path, limit=6)
    assert end in str(failure.value)


def test_what_makes_a_chapter_out_of_date(folder, capsys):
    path = write(folder / "01_a.ipynb", "# Title", "from stylelab import images")
    execute.main(["--folder", str(folder)])
    now = execute.file_digests()
    assert execute.stale(path, now) is None
    assert execute.stale(path, {**now, "stylelab.pages": "other"}) is None, "a module that it does not use"
    assert execute.stale(path, {**now, "stylelab.images": "other"}) == "stylelab.images changed"
    assert execute.stale(path, {k: v for k, v in now.items() if k != "stylelab.errors"}) == "stylelab.errors changed"

    book = nbformat.read(path, as_version=4)
    book.cells[0].source = "# Title of another kind"
    nbformat.write(book, path)
    assert execute.stale(path, now) is None, "text may change"
    book.cells[1].execution_count = None
    nbformat.write(book, path)
    assert execute.stale(path, now) == "its outputs were cleared"
    book.cells[1].source += "\n1"
    nbformat.write(book, path)
    capsys.readouterr()
    assert execute.main(["--folder", str(folder), "--check"]) == 1
    assert capsys.readouterr().out == "01_a  out of date: its code changed\n"


def test_words_of_a_module_may_change_and_its_code_may_not():
    source = '"""A module."""\n\ndef f(x):\n    """Says\n    more."""\n    # Why.\n    return "# " + """\n# text"""\n'
    code = execute.code_of(source)
    assert code == 'def f(x):\n    return "# " + """\n# text"""'
    assert execute.code_of(source.replace("Why", "Because").replace("more", "less")) == code
    for old, new in (("f(x)", "f(y)"), ('"# "', '"#"'), ("# text", "# other")):
        assert execute.code_of(source.replace(old, new)) != code


def test_stored_outputs_were_made_by_this_code_or_are_named():
    """A mend of the package need not wait for an hour of execution, and what waits for it is never hidden."""
    now = execute.file_digests()
    found = {path.stem[:2]: why for path in CHAPTERS if (why := execute.stale(path, now))}
    assert execute.waiting().keys() == found.keys(), f"execute these, or name them in {execute.WAITING.name}: {found}"


def test_who_waits_says_why(tmp_path):
    path = tmp_path / "waiting.txt"
    path.write_text("# a comment\n\n03: reading of files changed; its pictures stay\n")
    assert execute.waiting(path) == {"03": "reading of files changed; its pictures stay"}
    path.write_text("03\n")
    with pytest.raises(ValueError, match="03"):
        execute.waiting(path)


def test_weights_that_a_chapter_read_count(folder):
    """Those of a child, too, since its modules do."""
    asks = "from stylelab import samples\nsamples.weights('{}');"
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {asks.format('dcgan')!r}], check=True);"
    path = write(folder / "01_a.ipynb", asks.format("stylegan"), child)
    execute.main(["--folder", str(folder)])
    now = execute.file_digests()
    stored = nbformat.read(path, as_version=4).metadata["stylelab"]["weights"]
    assert stored == {name: now[name] for name in ("dcgan.weights.h5", "stylegan.weights.h5")}
    assert execute.stale(path, now) is None
    assert execute.stale(path, {**now, "dcgan.weights.h5": "other"}) == "dcgan.weights.h5 changed"


def test_modules_of_other_chapters_exercises_do_not_count(folder):
    path = write(folder / "04_a.ipynb", "from stylelab import course\ncourse.exercise('adam-step');")
    execute.main(["--folder", str(folder)])
    modules = nbformat.read(path, as_version=4).metadata["stylelab"]["modules"]
    assert "stylelab.exercises.attempt" in modules
    assert "stylelab.exercises.chapter03" not in modules


def test_an_edit_during_the_run_is_kept(folder, capsys):
    path = folder / "01_a.ipynb"
    write(path, f"from pathlib import Path\nPath({path.name!r}).write_text('edited')")
    assert execute.main(["--folder", str(folder)]) == 1
    assert "was edited while it ran" in capsys.readouterr().out
    assert path.read_text() == "edited"


def test_chosen_chapters(folder, capsys):
    for name in ("01_a", "02_b", "03_c"):
        write(folder / f"{name}.ipynb", "1")
    assert execute.main(["--folder", str(folder), "02", "--chapter", "03"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["02_b", "03_c"]
    with pytest.raises(SystemExit, match="There is no chapter 09"):
        execute.main(["--folder", str(folder), "09"])


WHICH = "from stylelab import course\nprint(course.budget(fast='fast', cpu='cpu', gpu='gpu'), course.out_folder().name)"


def test_fast_mode_stores_nothing(folder, monkeypatch):
    monkeypatch.delenv("STYLELAB_OUT", raising=False)
    path = write(folder / "01_a.ipynb", WHICH)
    before = path.read_bytes()
    assert execute.main(["--folder", str(folder), "--fast"]) == 0
    assert path.read_bytes() == before
    assert execute.run(path, fast=True).notebook.cells[0].outputs[0].text.startswith("fast ")


def test_stored_outputs_are_made_at_cpu_settings(folder, monkeypatch):
    monkeypatch.setenv("STYLELAB_FAST", "1")
    path = write(
        folder / "01_a.ipynb", "import os\nprint(os.getenv('STYLELAB_FAST'), os.getenv('CUDA_VISIBLE_DEVICES'))"
    )
    assert execute.main(["--folder", str(folder)]) == 0
    assert outputs(path) == ["None -1\n"]


PROGRESS = """from tqdm.auto import tqdm
for _ in tqdm(range(3)):
    pass
print("1 of 2", end="\\r")
print("2 of 2")
import ipywidgets
ipywidgets.IntSlider()"""


def test_only_what_reads_without_a_kernel_is_stored(folder):
    path = write(folder / "01_a.ipynb", PROGRESS)
    assert execute.main(["--folder", str(folder)]) == 0
    (cell,) = nbformat.read(path, as_version=4).cells
    assert [(o.output_type, o.get("text")) for o in cell.outputs] == [("stream", "2 of 2\n")]


SHOWN = """import ipywidgets
out = ipywidgets.Output()
with out:
    display("shown by the widget")
---
len(out.outputs)"""


def test_the_kernel_gets_no_copy_of_what_an_output_widget_shows(folder):
    path = write(folder / "01_a.ipynb", *SHOWN.split("\n---\n"))
    assert execute.main(["--folder", str(folder)]) == 0
    assert nbformat.read(path, as_version=4).cells[-1].outputs[0].data["text/plain"] == "0"


ASK = """import socket, subprocess, sys, urllib.request
def ask(f, *args):
    try:
        f(*args)
        print("reached")
    except OSError as error:
        print(error)
ask(urllib.request.urlopen, "http://example.org")
ask(socket.create_connection, ("192.0.2.1", 80))
ask(socket.socket().connect, ("192.0.2.1", 80))
here = socket.create_server(("127.0.0.1", 0))
ask(socket.create_connection, here.getsockname())
code = "import socket; socket.create_connection(('192.0.2.1', 80))"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.strip().split("\\n")[-1])"""


def test_offline_means_offline(folder, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    path = write(folder / "01_a.ipynb", ASK)
    said = execute.run(path, offline=True).notebook.cells[0].outputs[0].text.splitlines()
    refused = "this runs offline, and 192.0.2.1 was asked for"
    assert said[0] != "reached"
    assert said[1:] == [refused, refused, "reached", f"socket.gaierror: {refused}"]


def test_ctrl_c_stops_in_order(folder):
    write(folder / "01_a.ipynb", "import time\nopen('started', 'w').close()\ntime.sleep(60)")
    command = [sys.executable, "-m", "tests.notebooks.execute", "--folder", str(folder)]
    process = subprocess.Popen(command, cwd=checks.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "01_a  stopped; what ran before is stored\n")
    assert "Traceback" not in err


@pytest.mark.parametrize("line", ["*Badge: none yet.*\n", "[![x](colab-badge.svg)](old)\n", ""])
def test_the_set_up_cell_is_written(folder, monkeypatch, capsys, line):
    monkeypatch.setattr(course, "repository", lambda: "an/address")
    path = write(folder / "01_a.ipynb", f"# Title\n\n{line}\nMore [text](old).", f"{checks.SETUP_MARK}\nold = 1", "2")
    assert execute.main(["--folder", str(folder), "--set-up"]) == 0
    text, cell, other = nbformat.read(path, as_version=4).cells
    assert cell.source == course.setup_cell().strip()
    assert 'REPOSITORY = "an/address"' in cell.source
    title, _, badge, *_, more = text.source.split("\n")
    assert (title, badge, more) == ("# Title", checks.badge_line("01_a.ipynb"), "More [text](old).")
    assert other.source == "2"
    assert capsys.readouterr().out == "01_a  set-up cell written\n"
    assert execute.main(["--folder", str(folder), "--set-up"]) == 0
    assert capsys.readouterr().out == ""


def test_a_chapter_without_set_up_cell_is_told(folder, capsys):
    write(folder / "01_a.ipynb", "# Title", "1")
    assert execute.main(["--folder", str(folder), "--set-up"]) == 1
    assert "01_a.ipynb has no set-up cell" in capsys.readouterr().out


# ---- the comparison of the fast run ----------------------------------------------------------------------------


def cell(*kinds):
    made = {
        "picture": lambda: v4.new_output("display_data", data={"image/png": "AA=="}),
        "html": lambda: v4.new_output("display_data", data={"text/html": "<p><img src='x'></p>"}),
        "text": lambda: v4.new_output("stream", name="stdout", text="x"),
        "stderr": lambda: v4.new_output("stream", name="stderr", text="x"),
    }
    return v4.new_code_cell("1", outputs=[made[kind]() for kind in kinds])


@pytest.mark.parametrize(
    ("stored", "fast", "found"),
    [
        (["picture", "text"], ["text", "html"], []),
        (["picture"], ["picture", "picture"], []),
        (["picture", "html"], ["picture"], ["code cell 1 shows 1 of 2 pictures"]),
        (["text"], ["text", "stderr"], ["code cell 1 writes to stderr: x"]),
    ],
)
def test_the_comparison_sees(stored, fast, found):
    assert differences([cell(*stored)], v4.new_notebook(cells=[cell(*fast)])) == found


def test_the_kernel_shows_what_c_writes_to_stderr(folder):
    # TensorFlow's C++ side writes to the file descriptor; ipykernel leaves that out when it finds pytest's variable.
    path = write(folder / "01_a.ipynb", "import os\nos.write(2, b'from C')\nimport time\ntime.sleep(1)")
    assert "PYTEST_CURRENT_TEST" in os.environ
    done = execute.run(path)
    assert differences(checks.Chapter(path).code, done.notebook) == ["code cell 1 writes to stderr: from C"]
