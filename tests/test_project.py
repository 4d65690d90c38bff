"""The project itself: what it promises about its files, its layers, its set-up and its pages of text.

Nothing here computes a picture. What needs git, make or a shell says so and is skipped where there is none.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from importlib.metadata import version
from itertools import product
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "stylelab"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def words(text):
    return text.split()


# The course's order: a module imports only modules before it. A package (losses, exercises) is one entry.
ORDER = words(
    "errors files machine backend profiles formats images samples datasets features losses metrics plots pages"
    " stylizers training monitor descent optimize layers learning engines feedforward adain finetune tiling gans"
    " catalog exercises course workbench cli"
)
# They compute with TensorFlow, so importing them imports it. All others import them inside functions only.
HEAVY = words(
    "backend features losses metrics training monitor descent optimize layers learning engines feedforward adain"
    " finetune tiling gans"
)
# The two places that know every method by name; they reach down, inside functions only.
REACH_DOWN = {"stylizers", "cli"}


def needs(tool):
    found = shutil.which(tool)
    return pytest.mark.skipif(found is None, reason=f"{tool} is not installed")


def module_name(path):
    """``stylelab/losses/perceptual.py`` -> ``losses``; ``stylelab/images.py`` -> ``images``."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = sorted({module_name(path) for path in MODULES} - {"__init__"})


def project_files():
    """Every file that is or would be committed."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        return [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    made = re.compile(r"(^|/)(\.(?!ci/|gitignore)|out/|build/|__pycache__/|[\w.]+\.egg-info/)")
    every = (path for path in ROOT.rglob("*") if path.is_file())
    return [path for path in every if not made.search(path.relative_to(ROOT).as_posix())]


# ---- requirements --------------------------------------------------------------------------------


def requirement_lines():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


REQUIREMENTS = {(r := Requirement(line.split("#")[0])).name: r for line in requirement_lines()}


@pytest.mark.parametrize("line", requirement_lines(), ids=lambda line: line.split()[0])
def test_each_requirement_says_which_chapters_need_it(line):
    assert re.search(r"#.*(all chapters|\b\d\d\b)", line)
    assert Requirement(line.split("#")[0]).specifier, "give a range"


def test_tensorflow_cpu_never():
    # Both write the same folder: another package's tensorflow would overwrite it, and it Colab's.
    extras = PROJECT["project"]["optional-dependencies"].values()
    everything = [*REQUIREMENTS, *(Requirement(line).name for extra in extras for line in extra)]
    assert "tensorflow" in everything
    assert not [name for name in everything if name.startswith("tensorflow-cpu")]


def test_one_list_of_dependencies():
    assert PROJECT["project"]["dynamic"] == ["dependencies"]
    assert "dependencies" not in PROJECT["project"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        # Colab's runtimes have TensorFlow 2.19 and 2.20, Keras 3.10 and 3.13; later ones were never run.
        ("tensorflow", ["2.19.0", "2.20.0", "2.21.0"], ["2.18.1", "2.22.0"]),
        ("keras", ["3.10.0", "3.13.2", "3.15.1"], ["3.9.2", "3.16.0"]),
        ("numpy", ["2.0.2", "2.1.3", "2.5.5"], ["1.26.4"]),
    ],
)
def test_ranges_are_those_that_were_tried(name, inside, outside):
    allowed = REQUIREMENTS[name].specifier
    assert [v for v in inside + outside if v in allowed] == inside


def test_python_versions_agree_everywhere():
    allowed = SpecifierSet(PROJECT["project"]["requires-python"])
    known = [f"3.{minor}" for minor in range(8, 20)]
    supported = [version for version in known if f"{version}.1" in allowed]
    assert supported == ["3.11", "3.12", "3.13"]
    assert re.search(r"^PYTHONS := (.*)$", MAKEFILE, re.M)[1].split() == supported[::-1]
    assert PROJECT["tool"]["mypy"]["python_version"] == supported[0]
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + supported[0].replace(".", "")
    assert "3.11 to 3.13" in README


def test_extras_parse():
    extras = PROJECT["project"]["optional-dependencies"]
    assert "test" in extras
    for lines in extras.values():
        assert all(Requirement(line).specifier for line in lines), "give each a range"


def test_environment_yml():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, listed = environment["dependencies"]
    assert f"{python.removeprefix('python=')}.1" in SpecifierSet(PROJECT["project"]["requires-python"])
    assert pip == "pip"
    assert listed == {"pip": ["-r requirements.txt", "-e ."]}


def test_the_cluster_file_is_one_that_ray_takes():
    jsonschema, ray = pytest.importorskip("jsonschema"), pytest.importorskip("ray")
    cluster = yaml.safe_load((PACKAGE / "catalog" / "cluster.yaml").read_text(encoding="utf-8"))
    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    jsonschema.validate(cluster, json.loads(schema.read_text(encoding="utf-8")))
    assert cluster["head_node_type"] in cluster["available_node_types"]
    assert any("make extras" in command for command in cluster["setup_commands"])
    assert "--engine ray" in README and "cluster.yaml" in README


def test_every_folder_of_the_package_is_installed():
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in MODULES}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders
    assert all((ROOT / folder.replace(".", "/") / "__init__.py").exists() for folder in folders)


# ---- layers --------------------------------------------------------------------------------------


def imports(source, package):
    """(module of stylelab, or another top-level package; whether inside a function; line) of each import.

    Args:
        source: text of a module.
        package: its package, as ``["stylelab", "losses"]``, for relative imports.
    """
    found = []

    def visit(node, lazy):
        for child in ast.iter_child_nodes(node):
            names = []
            if isinstance(child, ast.Import):
                names = [alias.name.split(".") for alias in child.names]
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else []
                base = base + (child.module.split(".") if child.module else [])
                names = [base] if base != ["stylelab"] else [[*base, alias.name] for alias in child.names]
            for name in names:
                inner = name[0] == "stylelab" and len(name) > 1
                found.append((name[1] if inner else name[0], inner, lazy, child.lineno))
            visit(child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    visit(ast.parse(source), False)
    return found


def layering_faults(name, source, package=("stylelab",)):
    faults = []
    for target, inner, lazy, line in imports(source, list(package)):
        if target in ("tests", "notebooks"):
            faults.append(f"line {line} imports {target}, which is not installed with the package")
        elif not inner and target in ("tensorflow", "keras") and name != "backend":
            faults.append(f"line {line} imports {target}; take tf and keras from backend, which is quiet")
        elif inner and target != name:
            if target not in ORDER:
                faults.append(f"line {line} imports {target}, which has no place in ORDER")
            elif ORDER.index(target) > ORDER.index(name) and not (name in REACH_DOWN and lazy):
                faults.append(f"line {line} imports {target}, a later module")
            elif target in HEAVY and name not in HEAVY and not lazy:
                faults.append(f"line {line} imports {target} and so TensorFlow; do it inside a function")
    return faults


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_earlier_ones(path):
    name, package = module_name(path), path.parent.relative_to(ROOT).parts
    if path == PACKAGE / "__init__.py":
        assert not imports(path.read_text(encoding="utf-8"), list(package)), "import stylelab stays free"
        return
    assert name in ORDER, "a new module: give it its place in ORDER, and in HEAVY if it computes"
    assert layering_faults(name, path.read_text(encoding="utf-8"), package) == []


@pytest.mark.parametrize(
    ("name", "source", "fault"),
    [
        ("images", "from stylelab import samples", "a later module"),
        ("images", "from .samples import path", "a later module"),
        ("images", "import stylelab.samples", "a later module"),
        ("images", "def f():\n    from stylelab import samples", "a later module"),
        ("images", "from stylelab.backend import tf", "inside a function"),
        ("images", "def f():\n    from stylelab.backend import tf", None),
        ("images", "class A:\n    from stylelab import backend", "inside a function"),
        ("images", "try:\n    import tensorflow\nexcept ImportError: pass", "from backend"),
        ("images", "import numpy, stylelab.errors", None),
        ("stylizers", "def get():\n    from stylelab import optimize", None),
        ("stylizers", "from stylelab import optimize", "a later module"),
        ("cli", "from stylelab import course", None),
        ("cli", "from stylelab import metrics", "inside a function"),
        ("optimize", "from . import features, losses", None),
        ("optimize", "from tests import oracle", "not installed"),
        ("course", "from stylelab import magic", "no place"),
    ],
)
def test_the_layer_check_sees(name, source, fault):
    faults = layering_faults(name, source)
    assert (fault in faults[0]) if fault else not faults


def test_inside_a_package_relative_imports_resolve():
    source = "from ..features import X\nfrom .perceptual import Y\nfrom .. import workbench"
    assert [target for target, *_ in imports(source, ["stylelab", "losses"])] == [
        "features",
        "losses",
        "workbench",
    ]


def run_python(code, *arguments, cwd=ROOT):
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


# Prints what was opened below data/ and whether TensorFlow came in, whatever the code under test did.
WATCH = """
import sys
from pathlib import Path
data, opened = Path(sys.argv.pop(1)).resolve(), []
def watch(event, args):
    if event == "open" and isinstance(args[0], str) and data in Path(args[0]).resolve().parents:
        opened.append(args[0])
sys.addaudithook(watch)
try:
    exec(sys.argv.pop(1))
finally:
    loaded = [name for name in ("tensorflow", "keras", "matplotlib.pyplot", "IPython") if name in sys.modules]
    print("OPENED", opened, "LOADED", loaded)
"""
HELP = "from stylelab.cli import main; sys.argv[1:] = ['--help']; sys.exit(main())"


@pytest.mark.parametrize("code", ["import stylelab", HELP], ids=["import stylelab", "stylelab --help"])
def test_starting_is_free(code):
    done = run_python(WATCH, str(ROOT / "data"), code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "OPENED [] LOADED []"
    assert done.stderr == ""
    if code == HELP:
        assert all(command in done.stdout for command in ("stylize", "styles", "info", "demo"))


def test_light_modules_import_no_tensorflow():
    light = [name for name in NAMES if name not in HEAVY]
    code = f"import importlib, sys\nfor name in {light}:\n    importlib.import_module('stylelab.' + name)\n"
    code += "    if 'tensorflow' in sys.modules: sys.exit(name + ' imports TensorFlow')"
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_the_watch_sees_tensorflow_and_data():
    weights = next((ROOT / "data").rglob("*.jpg"))
    code = f"sys.modules['tensorflow'] = sys; open({str(weights)!r}, 'rb')"
    line = run_python(WATCH, str(ROOT / "data"), code).stdout.splitlines()[-1]
    assert weights.name in line
    assert "tensorflow" in line


# ---- thin and explained --------------------------------------------------------------------------


def lines_of(path):
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_holds_one_idea(path):
    assert lines_of(path) <= 320, "past that it holds two ideas: split it"


def test_the_package_is_thin():
    """The exercises are tables of right and wrong answers, and counted apart. The design foresaw 3,500 lines up to
    finetune and 6,500 in all; reading broken files, drawing, training that resumes and the command line took more, and
    then data sets with their builders, metrics of sets, five kinds of GANs, and what Colab needs. These bounds hold
    what there is, so that growth is seen. The catalog and the workbench, which the design counts among the rest, are as
    large as what they stand on: crash-safe runs, masks, rules, provenance, two engines and a page for people."""
    first = ORDER[: ORDER.index("finetune") + 1]
    assert sum(lines_of(path) for path in MODULES if module_name(path) in first) < 7100
    shop = ("catalog", "workbench")
    assert sum(lines_of(path) for path in MODULES if module_name(path) not in (*shop, "exercises")) < 10_100
    assert sum(lines_of(path) for path in MODULES if module_name(path) in shop) < 6500


def undocumented(source):
    def public(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef) and not child.name.startswith("_"):
                yield child
                if isinstance(child, ast.ClassDef):
                    yield from public(child)

    tree = ast.parse(source)
    return [getattr(n, "name", "module") for n in (tree, *public(tree)) if not ast.get_docstring(n)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_public_is_explained(path):
    assert undocumented(path.read_text(encoding="utf-8")) == []


def test_the_docstring_check_sees():
    assert undocumented("def f(): pass\nclass A:\n  'a'\n  def g(self): pass\n  def _h(self): pass") == [
        "module",
        "f",
        "g",
    ]


@pytest.mark.parametrize("tool", [["ruff", "check", "."], ["mypy"]], ids=["ruff", "mypy"])
def test_lint_and_types(tool):
    if tool == ["mypy"] and Version(version("numpy")) < Version("2.1"):
        pytest.skip("NumPy's types before 2.1 do not know that a picture's height and width are two numbers")
    done = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- text ----------------------------------------------------------------------------------------

# Spelled so that this file does not find itself.
MACHINE = re.compile(r"(?<![\w.])/(w[o]rk|r[o]ot)(?![\w-])|\.\./sh[a]red\b")


def readable(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""  # a picture or weights


def test_no_path_of_a_developers_machine():
    licences = ROOT / "data" / "licences"  # other people's texts
    found = {
        str(p.relative_to(ROOT)): MACHINE.findall(readable(p)) for p in project_files() if licences not in p.parents
    }
    assert {name: hits for name, hits in found.items() if hits} == {}


@pytest.mark.parametrize("text", ["cd /{}/main", '"/{}/.cache"', "see ../{}/data"])
def test_the_path_check_sees(text):
    assert any(MACHINE.search(text.format(name)) for name in ("work", "root", "shared"))
    assert not MACHINE.search(text.format("other"))


@pytest.mark.parametrize("text", ["this/{} is", "and /{}bench.py", "https://a.b/{}"])
def test_the_path_check_leaves_alone(text):
    assert not any(MACHINE.search(text.format(name)) for name in ("work", "root", "shared"))


def documented_targets():
    return re.findall(r"^([a-z]+):[^#\n]*## ", MAKEFILE, re.M)


@needs("make")
def test_make_lists_its_targets():
    alone = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}  # not make test's
    done = subprocess.run(["make"], cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    listed = [line.split()[1] for line in done.stdout.splitlines()]
    assert listed == documented_targets()
    wanted = "help setup run test quick lab notebooks bench"
    assert set(wanted.split()) <= set(listed)
    assert all(len(line) <= 110 for line in done.stdout.splitlines())


@pytest.mark.parametrize("target", documented_targets())
def test_every_target_is_phony_and_in_the_readme(target):
    assert target in re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)[1].split()
    assert f"make {target}" in README


def fenced(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


@pytest.mark.parametrize("language", ["powershell", "python", "sh"])
def test_commands_of_the_readme_name_files_that_exist(language):
    blocks = fenced(language)
    assert blocks, f"no {language} block"
    named = [
        word.replace("\\", "/")
        for block in blocks
        for word in re.findall(r"[\w.\\/-]+\.(?:txt|ipynb|yml|toml|jpg|png|py)\b", block)
    ]
    made = [word for word in named if word.startswith(("out/", "my_"))]  # by the reader
    assert [word for word in named if word not in made and not (ROOT / word).exists()] == []


def test_pictures_and_links_of_the_readme_exist():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert any(link.endswith(".jpg") for link in links)
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert all(len(alt) > 40 for alt in re.findall(r"!\[(.*?)\]", README)), "say what a picture shows"


@pytest.mark.parametrize("name", ["README.md", "tests/README.md"])
def test_no_placeholder_is_left(name):
    assert "TODO" not in (ROOT / name).read_text(encoding="utf-8")


def test_the_readme_says_which_chapters_exist():
    table = dict(re.findall(r"^\| (\d\d) \| .*?\| (\w+) \|$", README, re.M))
    assert list(table) == [f"{number:02}" for number in range(21)]
    exist = {path.name[:2] for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert {number for number, state in table.items() if state == "here"} == exist
    assert {state for number, state in table.items() if number not in exist} == {"planned"}


def test_the_styles_of_the_readme_ship():
    named = re.findall(r"--style (\w+)(?!\S)", "\n".join(fenced("sh")))
    assert named
    assert [name for name in named if not (ROOT / "data" / "styles" / f"{name}.jpg").exists()] == []


@pytest.mark.weights
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    from stylelab import images, stylizers

    (code,) = (block for block in fenced("python") if "import" in block)
    monkeypatch.chdir(ROOT)
    get = stylizers.get
    monkeypatch.setattr(stylizers, "get", lambda method: get(method, steps=2))
    exec(code.replace('"out/', f'"{tmp_path}/'), {})
    (made,) = tmp_path.iterdir()
    assert max(images.read(made).shape) == 384


@pytest.mark.parametrize("command", ["stylize", "styles", "info", "demo", "catalog run", "lint", "verify"])
def test_the_readme_knows_the_command_line(command):
    code = f"from stylelab.cli import main; import sys; sys.exit(main([*{command.split()!r}, '--help']))"
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    blocks = "\n".join(fenced("sh")).replace("\\\n", "").replace("\n    ", " ")  # continued lines are one
    usage = re.findall(rf"^stylelab {command}\b.*", blocks, re.M)
    assert usage, f"the README does not show stylelab {command}"
    named = set(re.findall(r"(--[a-z][a-z-]*)", "\n".join(usage)))
    assert named - set(re.findall(r"(--[a-z][a-z-]*)", done.stdout)) == set()


# ---- tiers ---------------------------------------------------------------------------------------


def tiers():
    names = re.search(r"^TIERS := (.*)$", MAKEFILE, re.M)[1].split()
    return {name: re.search(rf"^{name} := (.*)$", MAKEFILE, re.M)[1] for name in names}


def test_every_test_runs_in_exactly_one_tier():
    markers = [line.split(":")[0] for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]]
    assert list(tiers()) == ["unit", *markers]
    for values in product([False, True], repeat=len(markers)):
        marked = dict(zip(markers, values, strict=True))
        chosen = [name for name, rule in tiers().items() if eval(rule, {}, marked)]
        last = [name for name, value in marked.items() if value][-1:] or ["unit"]
        assert chosen == last, f"marked {marked}"


def test_the_tiers_are_explained():
    text = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    assert [name for name in tiers() if f"| `{name}` |" not in text] == []


# ---- make, in a copy with a python of our own ----------------------------------------------------

# Stands for an interpreter: answers the probe with itself, "makes" a .venv that holds a copy of it, and
# "installs" and "tests" as the files beside it say.
FAKE = """#!/bin/sh
here={here}
case "$1 $2" in
    "-m venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python; echo venv >>$here/log;;
    "-m pip") echo pip >>$here/log; . $here/pip;;
    "-m pytest") shift 2; . $here/pytest;;
    "-c import stylelab.backend") ;;
    *ensurepip* | *base_prefix*) echo {name};;  # what the Makefile asks for: where, and whether the same
    *) exec {real} "$@";;
esac
"""


class Clone:
    """A copy of the Makefile in a folder of its own, and a PATH that holds little but a fake Python."""

    def __init__(self, folder):
        self.root = folder / "a clone"
        self.root.mkdir()
        for name in ("Makefile", "pyproject.toml", "requirements.txt"):
            shutil.copy(ROOT / name, self.root / name)
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in words("make sed awk tr grep head cat id mkdir touch find rm cp date mktemp sleep"):
            if found := shutil.which(tool):
                (self.bin / tool).symlink_to(found)
        self.says("pip", "true")

    def program(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def fake(self, name="python3.12"):
        path = self.bin / name
        return self.program(name, FAKE.format(here=self.bin, name=path, real=sys.executable))

    def says(self, what, script):
        (self.bin / what).write_text(script)

    def log(self):
        path = self.bin / "log"
        text = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return text

    def command(self, *words, **environment):
        clean = {"PATH": str(self.bin), "LC_ALL": "C", **environment}
        return {"args": ["make", *words], "cwd": self.root, "env": clean, "text": True}

    def make(self, *words, **environment):
        return subprocess.run(**self.command(*words, **environment), capture_output=True, check=False)


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def real_with_version(*version):
    """A script that runs this Python and says that it is another version."""
    lie = f"sys.version_info = {version!r}; sys.base_prefix = sys.prefix"
    code = f"import sys; {lie}; exec(sys.argv.pop(1))"
    return f"#!/bin/sh\nshift\nexec {sys.executable} -c '{code}' \"$@\"\n"


BROKEN_SHIM = '#!/bin/sh\necho "pyenv: $0: command not found" >&2\nexit 127\n'


@needs("make")
class TestInterpreterSearch:
    def find(self, clone, *words, **environment):
        return clone.make("-s", "find-python", *words, **environment)

    def test_a_broken_shim_is_none(self, clone):
        clone.program("python3.13", BROKEN_SHIM)
        good = clone.fake("python3.12")
        assert self.find(clone).stdout.strip() == str(good)

    def test_behind_a_broken_shim_stands_a_real_one(self, clone):
        shims = clone.root / "shims"
        shims.mkdir()
        (shims / "python3.13").write_text(BROKEN_SHIM)
        (shims / "python3.13").chmod(0o755)
        good = clone.fake("python3.13")
        assert self.find(clone, PATH=f"{shims}:{clone.bin}").stdout.strip() == str(good)

    def test_the_newest_is_taken(self, clone):
        clone.fake("python3.11")
        clone.fake("python3")
        newest = clone.fake("python3.13")
        assert self.find(clone).stdout.strip() == str(newest)

    @pytest.mark.parametrize(("version", "fits"), [((3, 10), 0), ((3, 11), 1), ((3, 13), 1), ((3, 14), 0)])
    def test_a_version_is_what_it_says_of_itself(self, clone, version, fits):
        clone.program("python3", real_with_version(*version))
        done = self.find(clone)
        assert (done.returncode == 0) == bool(fits)
        assert fits or f"python3: Python {version[0]}.{version[1]}" in done.stderr

    def test_without_venv_it_is_none(self, clone):  # Debian's python3 before apt install python3-venv
        hide = "import sys; sys.modules['ensurepip'] = None; exec(sys.argv.pop(1))"
        clone.program("python3.12", f'#!/bin/sh\nshift\nexec {sys.executable} -c "{hide}" "$@"\n')
        done = self.find(clone)
        assert done.returncode != 0
        assert "ensurepip" in done.stderr

    def test_none_is_one_clear_sentence(self, clone):
        clone.program("python3.13", BROKEN_SHIM)
        done = self.find(clone)
        assert done.returncode != 0
        assert done.stdout == ""
        sentence, *rest = done.stderr.strip().splitlines()
        assert sentence.startswith("No Python 3.11 to 3.13 that works")
        assert "command not found" in sentence
        assert "PYTHON=/path/to/python" in sentence
        assert all(line.startswith("make") for line in rest)

    def test_python_named_by_hand_is_the_only_one_asked(self, clone):
        clone.fake("python3.13")
        mine = clone.fake("mine")
        assert self.find(clone, f"PYTHON={mine}").stdout.strip() == str(mine)
        assert self.find(clone, "PYTHON=mine").stdout.strip() == str(mine)
        assert self.find(clone, PYTHON="mine").stdout.strip() == str(mine)
        assert self.find(clone, "PYTHON=nowhere").returncode != 0

    def test_uv_and_pyenv_are_asked_last(self, clone):
        of_pyenv = clone.root / "bin"
        of_pyenv.mkdir()
        (of_pyenv / "python").symlink_to(clone.fake("behind-pyenv"))
        answers = f'"versions --bare") echo 2.7.18; echo 3.12.1;; "prefix 3.12.1") echo "{clone.root}";;'
        clone.program("pyenv", f'#!/bin/sh\ncase "$*" in {answers} esac\n')
        assert self.find(clone).stdout.strip() == str(clone.bin / "behind-pyenv")

        of_uv = clone.fake("behind-uv")
        answers = f'"python find --system 3.12") echo {of_uv};; *) exit 2;;'
        clone.program("uv", f'#!/bin/sh\ncase "$*" in {answers} esac\n')
        assert self.find(clone).stdout.strip() == str(of_uv)

        on_path = clone.fake("python3.11")
        assert self.find(clone).stdout.strip() == str(on_path)


@needs("make")
class TestSetup:
    def test_it_repeats_for_free(self, clone):
        clone.fake()
        assert clone.make("setup").returncode == 0
        assert clone.log() == ["venv", "pip"]
        assert clone.make("setup").returncode == 0
        assert clone.log() == []

    @pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
    def test_new_requirements_are_installed_into_the_same_venv(self, clone, name):
        clone.fake()
        clone.make("setup")
        clone.log()
        later = time.time() + 5
        os.utime(clone.root / name, (later, later))
        clone.make("setup")
        assert clone.log() == ["pip"]

    def test_a_failure_shows_its_log_and_is_not_ready(self, clone):
        clone.fake()
        clone.says("pip", "echo 'WARNING: noise'; echo 'ERROR: no matching distribution' >&2; exit 1")
        done = clone.make("setup")
        assert done.returncode != 0
        assert "ERROR: no matching distribution" in done.stderr
        clone.says("pip", "echo 'WARNING: noise'")
        clone.log()
        done = clone.make("setup")
        assert done.returncode == 0
        assert clone.log() == ["venv", "pip"], "half made: from the start"
        assert "noise" not in done.stdout + done.stderr

    def test_a_killed_set_up_starts_anew(self, clone):
        clone.fake()
        for _ in range(2):  # at first, and while an old .venv is brought up to date
            clone.says("pip", f"echo $$ >{clone.bin}/pid; exec sleep 60")
            running = subprocess.Popen(**clone.command("setup"), start_new_session=True, stdout=subprocess.DEVNULL)
            deadline = time.monotonic() + 20
            while not (clone.bin / "pid").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            os.killpg(running.pid, 9)
            running.wait()
            (clone.bin / "pid").unlink()
            assert not (clone.root / ".venv" / ".ready").exists()
            (clone.root / ".venv" / "half").write_text("")
            clone.says("pip", "true")
            clone.log()
            assert clone.make("setup").returncode == 0
            assert clone.log() == ["venv", "pip"]
            assert not (clone.root / ".venv" / "half").exists()
            later = time.time() + 5
            os.utime(clone.root / "pyproject.toml", (later, later))

    def test_a_moved_clone_is_set_up_anew(self, clone):
        clone.fake()
        clone.make("setup")
        clone.log()
        clone.root = clone.root.rename(clone.root.with_name("moved"))
        clone.make("setup")
        assert clone.log() == ["venv", "pip"], "an editable install points to the old folder"

    def test_another_python_is_another_venv(self, clone):
        clone.fake()
        clone.make("setup")
        clone.log()
        clone.make("setup", f"PYTHON={clone.bin}/python3.12")
        assert clone.log() == []
        clone.make("setup", f"PYTHON={clone.fake('other')}")
        assert clone.log() == ["venv", "pip"]

    def test_the_readers_own_venv_is_used_and_never_removed(self, clone):
        mine = clone.root / ".venv" / "bin" / "python"
        mine.parent.mkdir(parents=True)
        shutil.copy(clone.fake(), mine)
        (clone.root / ".venv" / "mine").write_text("")
        assert clone.make("setup").returncode == 0
        assert clone.log() == ["pip"]
        clone.make("clean")
        assert (clone.root / ".venv" / "mine").exists()

    def test_a_readers_venv_of_an_old_python_is_named(self, clone):
        mine = clone.root / ".venv" / "bin" / "python"
        mine.parent.mkdir(parents=True)
        mine.write_text(real_with_version(3, 9))
        mine.chmod(0o755)
        done = clone.make("setup")
        assert done.returncode != 0
        assert "Python 3.9" in done.stderr
        assert mine.exists()

    def test_clean_leaves_what_the_reader_made(self, clone):
        clone.fake()
        clone.make("setup")
        (clone.root / "out").mkdir()
        (clone.root / "out" / "mine.jpg").write_text("")
        for folder in ("stylelab", "tests"):
            (clone.root / folder / "__pycache__").mkdir(parents=True)
        assert clone.make("clean").returncode == 0
        left = {path.name for path in clone.root.iterdir()}
        assert left == {"Makefile", "pyproject.toml", "requirements.txt", "out", "stylelab", "tests"}
        assert not list(clone.root.rglob("__pycache__"))


# Stands for pytest: exits as the tier's own file says and writes a report with its counts.
PYTEST = """
for word; do case "$last" in -m) rule=$word;; --junitxml) report=$word;; esac; last=$word; done
case "$rule" in "not "*) tier=unit;; *) tier=${{rule%% *}};; esac
echo "$tier" >>{here}/log
code=5 tests=0 failures=0 errors=0 skipped=0
[ ! -e {here}/tier.$tier ] || . {here}/tier.$tier
printf '<testsuites name="pytest tests"><testsuite name="pytest" errors="%s" failures="%s"' \
    $errors $failures >"$report"
printf ' skipped="%s" tests="%s" time="1.0"><testcase/></testsuite>' $skipped $tests >>"$report"
exit $code
"""


@needs("make")
class TestTestTarget:
    @pytest.fixture
    def ready(self, clone):
        clone.fake()
        clone.says("pytest", PYTEST.format(here=clone.bin))
        clone.says("tier.unit", "code=0 tests=30")
        clone.make("setup")
        clone.log()
        return clone

    def test_every_tier_runs_once_and_the_counts_are_summed(self, ready):
        ready.says("tier.weights", "code=0 tests=5 skipped=1")
        done = ready.make("test")
        assert done.returncode == 0, done.stdout
        assert ready.log() == list(tiers())
        lines = done.stdout.strip().splitlines()
        assert lines[-1] == "34 passed, 0 failed, 1 skipped"
        empty = "".join(rf"{tier} \d+ \(no tests\), " for tier in ("notebooks", "browser", "slow"))
        assert re.fullmatch(rf"seconds: unit \d+, weights \d+, {empty}together \d+", lines[-2])

    def test_a_failure_is_told_after_the_other_tiers_ran(self, ready):
        ready.says("tier.weights", "code=1 tests=5 failures=2")
        ready.says("tier.slow", "code=0 tests=1")
        done = ready.make("test")
        assert done.returncode != 0
        assert ready.log() == list(tiers())
        assert done.stdout.strip().splitlines()[-2:] == [
            "wrong in: weights",
            "34 passed, 2 failed, 0 skipped",
        ]

    def test_no_unit_test_is_a_failure(self, ready):
        (ready.bin / "tier.unit").unlink()
        done = ready.make("test")
        assert done.returncode != 0
        assert "unit (no test found)" in done.stdout

    @pytest.mark.parametrize("code", [2, 3, 4])
    def test_a_tier_that_cannot_be_collected_is_a_failure(self, ready, code):
        ready.says("tier.slow", f"code={code} errors=1 tests=1")
        done = ready.make("test")
        assert done.returncode != 0
        assert "wrong in: slow" in done.stdout

    def test_ctrl_c_ends_it(self, ready):
        ready.says("tier.weights", "code=2")
        done = ready.make("test")
        assert done.returncode != 0
        assert ready.log() == ["unit", "weights"]

    def test_the_unit_tier_alone(self, ready):
        ready.says("pytest", f'echo "$*" >{ready.bin}/asked')
        assert ready.make("quick").returncode == 0
        assert f"-m {tiers()['unit']}" in (ready.bin / "asked").read_text()


@needs("bash")
def test_ci_runs_make_test_and_fails_with_it(tmp_path):
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "make").write_text('#!/bin/sh\necho "make $*"\n[ "$1" != "$FAILS" ]\n')
    (tmp_path / "make").chmod(0o755)
    for program in ("exiftool", "chromium"):  # or it would install them
        (tmp_path / program).symlink_to("/bin/true")

    def run(fails):
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "CI": "true", "FAILS": fails}
        command = ["bash", str(tmp_path / ".ci" / "run")]
        return subprocess.run(
            command,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    good = run("nothing")
    assert good.returncode == 0, good.stderr
    assert [line for line in good.stdout.splitlines() if line.startswith("make")] == [
        "make setup",
        "make extras",
        "make test",
        "make colab CHAPTERS=00 03",
    ]
    assert re.search(r"^seconds: set-up \d+$", good.stdout, re.M)
    assert re.search(r"^total: \d+ s$", good.stdout, re.M)
    assert run("test").returncode != 0
    assert run("setup").returncode != 0
    assert "make test" not in run("setup").stdout
