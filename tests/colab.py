"""Tries the course with the versions that Colab preinstalls, each runtime in a fresh environment of its own.

    python3 -m tests.colab                             the newest runtime: unit tests, every chapter in fast mode
    python3 -m tests.colab 2026.07 --chapters 00 03    another one ("all" takes each), and only these chapters
    python3 -m tests.colab --bundle out/stylelab.zip   the copy of the project that one uploads to Colab or to Drive

It needs nothing but Python's standard library, since it makes the environment: Colab's versions from
``colab/constraints-*.txt``, then the notebooks' set-up cell beside an unpacked bundle, as a reader runs it on Colab.
The cell must leave every preinstalled version as it is, and so must what only the tests need. Where TensorFlow
Datasets is used, tensorflow-metadata alone may change (``stylelab.datasets``).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNTIMES = {path.stem.removeprefix("constraints-"): path for path in sorted(ROOT.glob("colab/constraints-*.txt"))}
NEWEST = max(RUNTIMES, default="")
LARGEST = 100_000_000  # bytes of the bundle: an upload into Colab's file panel stays possible
CHANGED_BY_TFDS = {"tensorflow-metadata"}
# As far as the project looks at it: the module is loaded, as in each of Colab's kernels.
FAKE = "import sys, types; sys.modules['google.colab'] = types.ModuleType('google.colab')\n"
# While it is imported, standard error is held back; what a crash says must not be lost with it.
USES_TFDS = (
    "import faulthandler, os; faulthandler.enable(os.fdopen(os.dup(2), 'w'))\n"
    "from stylelab import datasets; datasets.builder('renders', 'made').download_and_prepare()"
)
PROBE = "import ctypes, ensurepip, ssl, sys, venv; print('%d.%d' % sys.version_info[:2])"
VERSIONS = (
    "import keras as k, platform, tensorflow as tf; print(platform.python_version(), tf.__version__, k.__version__)"
)
# What pip and Python would take from the reader's own environment, and what would change the course's sizes.
LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "STYLELAB_HOME", "STYLELAB_OUT", "STYLELAB_FAST", "CI")


class Failure(Exception):
    """Something that the project promises of Colab does not hold; the message is for the reader of the log."""


class NoPython(Exception):
    """This machine has no Python of the runtime's version."""


# ---- the bundle ----------------------------------------------------------------------------------


def bundle(path: Path) -> int:
    """Writes the project, without what git ignores, as a zip with one folder ``stylelab``; returns its bytes."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure("A bundle is made of the files that git lists: make it in a git clone, with git.") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(filter(None, listed)):
            if (ROOT / name).is_file():  # a file that was removed and not yet committed is listed, too
                archive.write(ROOT / name, f"stylelab/{name}")
    size = path.stat().st_size
    if size >= LARGEST:
        raise Failure(f"{path} has {size / 1e6:.0f} MB: leave files out until it has less than {LARGEST // 10**6}.")
    return size


# ---- the interpreter -----------------------------------------------------------------------------


def said(*command: str | Path, **settings: object) -> list[str]:
    """The lines that a program prints; none if there is no such program, or if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True, **settings)
    except (OSError, subprocess.CalledProcessError):
        return []
    return done.stdout.split("\n")[:-1]


def candidates(version: str) -> Iterator[str | Path]:
    """Where a Python of this version may be. pyenv's programs on PATH are shims, which may have nothing behind them."""
    yield from said("uv", "python", "find", "--system", version)
    for full in reversed(said("pyenv", "versions", "--bare")):
        if re.fullmatch(rf"{re.escape(version)}\.\d+", full.strip()):
            for prefix in said("pyenv", "prefix", full.strip()):
                yield Path(prefix, "bin", "python")
    for folder in os.get_exec_path():
        yield Path(folder, f"python{version}")


def interpreter(version: str) -> Path:
    """A Python of this version that really runs and can make environments."""
    for candidate in candidates(version):
        if said(candidate, "-c", PROBE) == [version]:
            return Path(candidate)
    raise NoPython(f"There is no Python {version} here, and Colab's runtime has it: install one with uv or pyenv.")


# ---- the environment -----------------------------------------------------------------------------


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def preinstalled(runtime: str) -> tuple[str, list[str], list[str]]:
    """The runtime's Python, its packages as ``name==version``, and those that no package index has.

    A version such as ``2.9.0+cpu`` is a build of the vendor's own; the project needs none of them.
    """
    text = RUNTIMES[runtime].read_text(encoding="utf-8")
    python = re.search(r"\(Python (\d+\.\d+)\)", text)
    assert python, f"{RUNTIMES[runtime].name} does not name its Python in its first line"
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return python[1], [line for line in lines if "+" not in line], [line for line in lines if "+" in line]


def needed_by_tests(have: set[str]) -> list[str]:
    """The extra ``test``, and what requirements.txt names and the runtime's list, an excerpt, does not.

    JupyterLab is for one's own machine, and importlib-resources comes where TensorFlow Datasets is used.
    """
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines = [line.split("#")[0].strip() for line in requirements]
    mine = have | {"jupyterlab", "importlib-resources"}
    name = re.compile(r"[\w.-]+")
    return [*extra["test"], *(line for line in lines if line and canonical(name.match(line)[0]) not in mine)]


@dataclass
class Trial:
    """One runtime: its environment, and a content folder that stands for Colab's /content."""

    runtime: str
    content: Path
    folder: Path = field(init=False)
    python: Path = field(init=False)
    before: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.folder = ROOT / ".colab" / self.runtime
        self.python = self.folder / "venv" / "bin" / "python"

    def run(self, *arguments: str | Path, cwd: Path | None = None, **env: str) -> int:
        """The environment's Python with these arguments; its output goes where ours goes."""
        clean = {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
        clean |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"}
        sys.stdout.flush()
        return subprocess.run([self.python, *arguments], cwd=cwd or self.content, env={**clean, **env}).returncode

    def must(self, what: str, *arguments: str | Path) -> None:
        if code := self.run(*arguments):
            raise Failure(f"{what} ended with {code} on runtime {self.runtime}, see above.")

    def versions(self) -> dict[str, str]:
        """Package -> installed version."""
        listed = said(self.python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check")
        return {canonical(entry["name"]): entry["version"] for entry in json.loads(listed[0])}

    def unchanged(self, what: str, may_change: set[str] = frozenset()) -> None:
        """Compares all that was there before, not only what the list names; what is new changes nothing."""
        now = self.versions()
        changed = {name: f"{old} -> {now.get(name)}" for name, old in self.before.items() if now.get(name) != old}
        if wrong := sorted(set(changed) - may_change):
            raise Failure(f"{what} changed {', '.join(f'{name} {changed[name]}' for name in wrong)}.")
        told = ", ".join(f"{name} {change}" for name, change in changed.items()) or "nothing"
        added = ", ".join(sorted(set(now) - set(self.before))) or "nothing"
        print(f"{what} changed {told} of {len(self.before)} packages; added: {added}", flush=True)
        self.before = now

    def make(self, keep: bool) -> None:
        """The environment with the preinstalled versions: fresh, or with ``keep`` as an earlier trial left it."""
        version, packages, absent = preinstalled(self.runtime)
        if absent:
            print(f"not installed, since only Colab has these builds: {', '.join(absent)}")
        ready = self.folder / ".ready"
        kept = keep and ready.exists()
        if not kept:
            base = interpreter(version)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            subprocess.run([base, "-m", "venv", self.folder / "venv"], check=True)
            wanted = self.folder / "wanted.txt"
            wanted.write_text("\n".join(packages), encoding="utf-8")
            self.must("Installing Colab's versions", "-m", "pip", "install", "-q", "-r", wanted)
            ready.touch()
        self.before = self.versions()
        self.compare(packages, CHANGED_BY_TFDS if kept else set())

    def compare(self, packages: list[str], may_differ: set[str] = frozenset()) -> None:
        """Fails where the environment has not what the runtime's list says."""
        wrong = []
        for name, version in (line.split("==") for line in packages):
            found = self.before.get(canonical(name))
            if found != version and canonical(name) not in may_differ:
                wrong.append(f"{name} {found}")
        if wrong:
            raise Failure(f"The environment of {self.runtime} is not Colab's: it has {', '.join(wrong)}.")

    def set_up(self) -> None:
        """Runs the notebooks' own set-up cell in a folder that stands for /content and holds an unpacked bundle."""
        zipped = self.content / "stylelab.zip"
        print(f"bundle: {bundle(zipped) / 1e6:.0f} MB")
        with zipfile.ZipFile(zipped) as archive:
            archive.extractall(self.content)
        zipped.unlink()
        notebook = json.loads((self.content / "stylelab/notebooks/00_start_here.ipynb").read_text(encoding="utf-8"))
        cell = next("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
        self.must("The set-up cell", "-c", FAKE + cell.replace("/content", str(self.content)))
        self.unchanged("The set-up cell")

    def prepare_tests(self) -> None:
        """Adds what the tests need, held to the versions that are there, then uses TensorFlow Datasets once."""
        held = self.folder / "held.txt"
        held.write_text("\n".join(f"{name}=={version}" for name, version in self.before.items()), encoding="utf-8")
        needed = needed_by_tests(set(self.before))
        self.must("Adding what the tests need", "-m", "pip", "install", "-q", "-c", held, *needed)
        self.unchanged("What the tests need")
        path = f"sys.path.insert(0, {str(self.content / 'stylelab')!r})\n"
        self.must("Using TensorFlow Datasets", "-c", FAKE + path + USES_TFDS)
        self.unchanged("Using TensorFlow Datasets", CHANGED_BY_TFDS)

    def pytest(self, *arguments: str) -> "Counts":
        """Runs tests of the unpacked copy."""
        report = self.content / "report.xml"
        report.unlink(missing_ok=True)
        quiet = ["-q", "--tb=short", "--disable-warnings", "-p", "no:cacheprovider"]
        code = self.run("-m", "pytest", *quiet, "--junitxml", report, *arguments, cwd=self.content / "stylelab")
        if code not in (0, 1):
            raise Failure(f"pytest ended with {code} on runtime {self.runtime}, see above.")
        return Counts.read(report)


@dataclass
class Counts:
    """What a run of pytest said."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    states: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, report: Path) -> "Counts":
        counts = cls()
        for case in ElementTree.parse(report).iter("testcase"):
            tags = {child.tag for child in case}
            state = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
            setattr(counts, state, getattr(counts, state) + 1)
            counts.states[case.get("name", "")] = state
        return counts

    def chapters(self) -> str:
        """The state of each chapter: ``00 passed, 03 failed``."""
        found = re.compile(r"test_chapter\[(\d\d)")
        return ", ".join(f"{m[1]} {state}" for name, state in self.states.items() if (m := found.match(name)))


def unit_rule() -> str:
    """What selects the unit tier, from the place that holds it."""
    rule = re.search(r"^unit := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert rule
    return rule[1]


def trial(runtime: str, options: argparse.Namespace) -> tuple[str, bool]:
    """Tries one runtime; returns its line of the table, and whether all passed.

    Raises:
        Failure: the environment is not as it must be.
        NoPython: this machine lacks the runtime's Python.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="colab-") as content:
        this = Trial(runtime, Path(content).resolve())
        this.make(options.keep)
        this.set_up()
        this.prepare_tests()
        unit, books = Counts(), Counts()
        if options.tests:
            unit = this.pytest("-m", unit_rule(), *options.tests)
        if options.chapters != ["none"]:
            chosen = "test_chapter" + (f" and ({' or '.join(options.chapters)})" if options.chapters else "")
            books = this.pytest("tests/notebooks/test_notebooks.py", "-k", chosen)
        versions = said(this.python, "-c", VERSIONS, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})[-1].split()
    numbers = [time.monotonic() - began, unit.passed, unit.failed, unit.skipped]
    cells = [runtime, *versions, *(f"{number:.0f}" for number in numbers), books.chapters() or "none run"]
    return f"| {' | '.join(cells)} |", not (unit.failed or books.failed) and bool(unit.passed or books.passed)


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 1 where something failed, or with ``CI=true`` where a Python is missing."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.colab", description=__doc__.split("\n")[0])
    parser.add_argument("runtimes", nargs="*", metavar="RUNTIME", help=f"all, or some of {', '.join(RUNTIMES)}")
    parser.add_argument("--chapters", nargs="+", default=[], help="such as 00 03, or none; all if not given")
    parser.add_argument("--tests", nargs="*", default=["tests"], help="files with unit tests; nothing for none")
    parser.add_argument("--keep", action="store_true", help="use the environment that an earlier trial made")
    parser.add_argument("--bundle", type=Path, metavar="ZIP", help="only write the copy for Colab")
    options = parser.parse_args(arguments)
    if options.bundle:
        print(f"{options.bundle}: {bundle(options.bundle) / 1e6:.0f} MB; unpack it on Colab or in your Drive")
        return 0
    runtimes = list(RUNTIMES) if options.runtimes == ["all"] else options.runtimes or [NEWEST]
    if unknown := [name for name in runtimes if name not in RUNTIMES]:
        parser.error(f"there is no runtime {unknown[0]}: choose all, or some of {', '.join(RUNTIMES)}")
    rows, good = [], True
    for runtime in runtimes:
        print(f"\n== Colab {runtime} ==", flush=True)
        try:
            row, passed = trial(runtime, options)
        except NoPython as missing:
            row, passed = f"{runtime}: not tried. {missing}", os.environ.get("CI") != "true"
        except Failure as failure:
            row, passed = f"{runtime}: {failure}", False
        rows.append(row)
        good &= passed
    print("\n| runtime | Python | TensorFlow | Keras | seconds | passed | failed | skipped | chapters |")
    print(*rows, sep="\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
