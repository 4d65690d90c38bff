"""Colab: the program that tries its versions, the copy to upload, badges, TensorFlow Datasets, GPUs, disconnects.

The runtimes themselves are tried by ``make colab``, which takes an environment for each.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
import types
import zipfile
from pathlib import Path

import h5py
import nbformat
import pytest

from stylelab import course, samples
from stylelab.datasets import products
from stylelab.errors import SettingsError
from stylelab.feedforward.description import Architecture
from stylelab.feedforward.network import StyleNetwork
from tests import colab
from tests.notebooks import checks, execute

ROOT = Path(__file__).resolve().parent.parent
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
SHIM = '#!/bin/sh\necho "pyenv: $0: command not found" >&2\nexit 127\n'
needs_git = pytest.mark.skipif(
    not (ROOT / ".git").exists() or not shutil.which("git"),
    reason="needs git and a clone, which says what is committed",
)


# ---- the interpreter -------------------------------------------------------------------------------------------


class Machine:
    """A PATH of its own, with what a test puts there."""

    def __init__(self, folder):
        self.folder = folder

    def program(self, name, script):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
        return path

    def python(self, name):
        return self.program(name, f'#!/bin/sh\nexec {sys.executable} "$@"\n')

    def pyenv(self, versions):
        """pyenv with these versions, each of which has the program of ``prefixes/VERSION/bin``."""
        listed = "; ".join(f"echo {version}" for version in versions)
        prefix = f'echo "{self.folder}/prefixes/$2"'
        self.program("pyenv", f'#!/bin/sh\ncase "$1" in versions) {listed};; prefix) {prefix};; *) exit 1;; esac\n')


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    return Machine(tmp_path)


def test_a_shim_that_answers_command_not_found_is_none(machine):
    machine.program(f"python{VERSION}", SHIM)
    with pytest.raises(colab.NoPython, match=f"^There is no Python {re.escape(VERSION)} here"):
        colab.interpreter(VERSION)


def test_behind_the_shim_is_what_pyenv_has(machine):
    machine.program(f"python{VERSION}", SHIM)
    machine.pyenv(["2.7.18", f"{VERSION}.1", f"{VERSION}.9", "3.99.0"])
    machine.program(f"prefixes/{VERSION}.9/bin/python", SHIM)
    real = machine.python(f"prefixes/{VERSION}.1/bin/python")
    assert colab.interpreter(VERSION) == real


def test_uv_is_asked(machine):
    real = machine.python("managed/python")
    machine.program("uv", f'#!/bin/sh\n[ "$*" = "python find --system {VERSION}" ] && echo {real}\n')
    assert colab.interpreter(VERSION) == real


def test_a_python_of_another_version_is_none(machine):
    machine.python("python3.99")
    with pytest.raises(colab.NoPython):
        colab.interpreter("3.99")


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_a_missing_python_fails_in_ci_and_is_told_elsewhere(monkeypatch, capsys, tmp_path, ci, code):
    def none(version):
        raise colab.NoPython(f"no {version}")

    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(colab, "interpreter", none)
    monkeypatch.setattr(colab, "ROOT", tmp_path)
    assert colab.main([colab.NEWEST]) == code
    assert f"{colab.NEWEST}: not tried. no 3." in capsys.readouterr().out


# ---- the versions ----------------------------------------------------------------------------------------------


def test_the_runtimes_are_those_of_colab():
    found = {name: dict(line.split("==") for line in colab.preinstalled(name)[1]) for name in colab.RUNTIMES}
    assert colab.NEWEST == list(found)[-1] == "2026.08-head"
    assert {colab.preinstalled(name)[0] for name in found} == {"3.12", "3.13"}
    assert {v["tensorflow"] for v in found.values()} == {"2.19.0", "2.20.0"}
    assert {v["keras"] for v in found.values()} == {"3.10.0", "3.13.2"}
    assert {(v["ipywidgets"], v["ipython"]) for v in found.values()} == {("7.7.1", "7.34.0")}


def test_builds_that_only_colab_has_are_named_and_not_asked_for():
    _, packages, absent = colab.preinstalled("2026.01")
    assert absent == ["torch==2.9.0+cpu"]
    assert not [line for line in packages if "torch" in line]


def test_the_project_admits_all_that_a_runtime_preinstalls():
    from packaging.requirements import Requirement

    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line.split("#")[0]) for line in lines if line.strip() and not line.startswith("#")]
    for runtime in colab.RUNTIMES:
        has = {colab.canonical(n): v for n, v in (line.split("==") for line in colab.preinstalled(runtime)[1])}
        refused = {str(r) for r in wanted if r.name in has and has[r.name] not in r.specifier}
        assert refused <= {line for line in map(str, wanted) if line.startswith("tensorflow-metadata")}


@pytest.fixture
def trial(tmp_path, monkeypatch):
    """An environment whose packages are what ``trial.now`` says."""
    made = colab.Trial("2026.07", tmp_path)
    made.before = {"numpy": "2.0.2", "tensorflow-metadata": "1.21.0", "jax": "0.7.2"}
    made.now = dict(made.before)
    monkeypatch.setattr(colab.Trial, "versions", lambda self: dict(self.now))
    return made


def test_a_changed_version_is_a_failure(trial):
    trial.unchanged("The cell")
    trial.now |= {"numpy": "2.1.0", "new": "1"}
    with pytest.raises(colab.Failure, match=r"^The cell changed numpy 2\.0\.2 -> 2\.1\.0\.$"):
        trial.unchanged("The cell", colab.CHANGED_BY_TFDS)


def test_a_package_that_is_gone_is_a_failure(trial):
    del trial.now["jax"]
    with pytest.raises(colab.Failure, match=r"jax 0\.7\.2 -> None"):
        trial.unchanged("The cell")


def test_only_where_tfds_is_used_may_its_metadata_change(trial, capsys):
    trial.now |= {"tensorflow-metadata": "1.17.3", "importlib-resources": "6"}
    with pytest.raises(colab.Failure, match="tensorflow-metadata"):
        trial.unchanged("The cell")
    trial.unchanged("Using it", colab.CHANGED_BY_TFDS)
    said = "changed tensorflow-metadata 1.21.0 -> 1.17.3 of 3 packages; added: importlib-resources"
    assert said in capsys.readouterr().out


def test_an_environment_that_is_not_colabs_is_a_failure(trial):
    with pytest.raises(colab.Failure, match=r"is not Colab's: it has .*absl-py None"):
        trial.compare(colab.preinstalled("2026.07")[1])


REPORT = """<testsuites><testsuite>
<testcase name="test_chapter[00_start_here]"/><testcase name="test_chapter[03_x]"><failure/></testcase>
<testcase name="test_a"><skipped/></testcase><testcase name="test_b"><error/></testcase>
</testsuite></testsuites>"""


def test_the_counts_are_pytests(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    counts = colab.Counts.read(tmp_path / "report.xml")
    assert (counts.passed, counts.failed, counts.skipped) == (1, 2, 1)
    assert counts.chapters() == "00 passed, 03 failed"


def test_an_unknown_runtime_is_told(capsys):
    with pytest.raises(SystemExit):
        colab.main(["2025.01"])
    assert "there is no runtime 2025.01: choose all, or some of 2026.01, " in capsys.readouterr().err


def test_the_version_is_known_where_the_package_is_not_installed():
    # On Colab the set-up cell puts the project's folder on the path, and importlib.metadata knows nothing of it.
    cell = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from stylelab import samples; print(samples.version())"
    hidden = "import importlib.metadata as m; m.version = m.distribution = None\n"
    done = subprocess.run([sys.executable, "-c", hidden + cell], capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert done.stdout.strip() == project["version"]


def test_nothing_asks_for_an_installed_stylelab():
    found = [p for p in (ROOT / "stylelab").rglob("*.py") if re.search(r"version\(.stylelab.\)", p.read_text("utf-8"))]
    assert found == []


# ---- the copy that one uploads, and badges ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The bundle, unpacked: the folder that holds ``stylelab``."""
    folder = tmp_path_factory.mktemp("bundle")
    assert colab.main(["--bundle", str(folder / "it.zip")]) == 0
    assert (folder / "it.zip").stat().st_size < 100_000_000
    with zipfile.ZipFile(folder / "it.zip") as archive:
        archive.extractall(folder)
    (folder / "it.zip").unlink()
    return folder


@needs_git
@pytest.mark.slow
@pytest.mark.parametrize("place", ["content", "content/drive/MyDrive", "content/drive/MyDrive/Courses"])
def test_the_set_up_cell_finds_an_unpacked_copy(unpacked, tmp_path, place):
    """Uploaded into Colab's file panel and unpacked, or on a mounted Drive; started from /content, as notebooks are."""
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "stylelab").symlink_to(unpacked / "stylelab")
    cell = colab.FAKE + course.setup_cell().replace("/content", str(tmp_path / "content"))
    env = {key: value for key, value in os.environ.items() if key not in colab.LEFT_OUT}
    command = [sys.executable, "-c", f"{cell}\nprint(course.__file__, course.out_folder())"]
    done = subprocess.run(command, cwd=tmp_path / "content", env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == [
        str(unpacked / "stylelab/stylelab/course.py"),
        str(unpacked / "stylelab/out"),
    ]


def test_a_bundle_that_is_too_large_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(colab, "LARGEST", 1000)
    monkeypatch.setattr(colab, "ROOT", tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "noise").write_bytes(os.urandom(2000))
    with pytest.raises(colab.Failure, match="leave files out until it has less than 0"):
        colab.bundle(tmp_path / "out" / "it.zip")


def test_a_bundle_without_git_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(colab, "ROOT", tmp_path)
    with pytest.raises(colab.Failure, match="make it in a git clone"):
        colab.bundle(tmp_path / "it.zip")


@needs_git
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_badges_are_written_from_the_one_place(unpacked):
    copy = unpacked / "stylelab"
    python = copy / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)

    def badges(*words):
        (copy / ".venv" / ".ready").write_text(f"{copy}\n")
        return subprocess.run(["make", "badges", *words], cwd=copy, capture_output=True, text=True, check=False)

    for wrong in ([], ["REPO=owner"], ["REPO=https://github.com/owner/name"]):
        done = badges(*wrong)
        assert done.returncode != 0
        assert "make badges REPO=owner/name" in done.stderr
    assert badges("REPO=an-owner/a.name").returncode == 0
    assert 'repository = "an-owner/a.name"\n' in (copy / "pyproject.toml").read_text(encoding="utf-8")
    paths = sorted((copy / "notebooks").glob("*.ipynb"))
    assert len(paths) == len(list(checks.NOTEBOOKS.glob("*.ipynb")))
    for path in paths:
        book = nbformat.read(path, as_version=4)
        link = f"(https://colab.research.google.com/github/an-owner/a.name/blob/main/notebooks/{path.name})"
        assert link in book.cells[0].source
        code = [cell.source for cell in book.cells if cell.cell_type == "code"]
        assert 'REPOSITORY = "an-owner/a.name"' in code[0]
        stored = nbformat.read(checks.NOTEBOOKS / path.name, as_version=4)
        assert code[1:] == [cell.source for cell in stored.cells if cell.cell_type == "code"][1:]


# ---- weights ---------------------------------------------------------------------------------------------------


def test_no_layer_is_in_a_list_within_a_list():
    # Keras before 3.15, which Colab has, leaves such layers out of a file of weights, and does not find them there.
    network = StyleNetwork(["a"], Architecture(half=4, quarter=4, full=4, blocks=1, last=5))
    lists = {name: value for name, value in vars(network).items() if isinstance(value, list) and name[0] != "_"}
    assert {"encoder", "blocks", "decoder"} <= set(lists)
    assert not [name for name, value in lists.items() if any(isinstance(item, list | tuple) for item in value)]


def test_the_names_in_the_shipped_weights_are_the_network_s(tmp_path):
    """They were written when its layers were in lists within lists, by a Keras that names those."""

    def names(path):
        found = []
        with h5py.File(path) as file:
            file.visititems(lambda name, node: found.append(name) if isinstance(node, h5py.Dataset) else None)
        return found

    StyleNetwork(["a"]).save_weights(tmp_path / "a.weights.h5")
    assert names(tmp_path / "a.weights.h5") == names(ROOT / "data" / "weights" / "feedforward.weights.h5")


# ---- TensorFlow Datasets ---------------------------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch):
    """TensorFlow Datasets as on Colab: it imports only after pip was asked. Returns what pip was asked for."""
    asked = []

    def quiet():
        if not asked:
            raise RuntimeError("Detected incompatible Protobuf Gencode/Runtime versions\nand more")
        return "tfds"

    def pip(command, **_):
        asked.append(command[1:])
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(products, "_quiet_tfds", quiet)
    monkeypatch.setattr(products.subprocess, "run", pip)
    return asked


def on_colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


def test_on_colab_what_tfds_needs_is_installed_and_told(broken, monkeypatch, capsys):
    on_colab(monkeypatch)
    assert products.import_tfds() == "tfds"
    assert broken == [["-m", "pip", "install", "-q", "--no-deps", *products.MENDS_TFDS]]
    said = capsys.readouterr().out
    assert "(Detected incompatible Protobuf Gencode/Runtime versions)." in said
    assert "tensorflow-metadata>=1.17,<1.18 and importlib-resources>=6" in said


def test_what_the_first_try_left_half_imported_is_forgotten(broken, monkeypatch):
    on_colab(monkeypatch)
    monkeypatch.setitem(sys.modules, "tensorflow_metadata.half", types.ModuleType("tensorflow_metadata.half"))
    products.import_tfds()
    assert "tensorflow_metadata.half" not in sys.modules


def test_elsewhere_nothing_is_installed(broken):
    with pytest.raises(RuntimeError, match="Detected incompatible"):
        products.import_tfds()
    assert broken == []


def test_where_pip_fails_it_is_one_sentence(broken, monkeypatch):
    on_colab(monkeypatch)
    monkeypatch.setattr(products.subprocess, "run", lambda *_, **__: types.SimpleNamespace(returncode=1))
    with pytest.raises(SettingsError, match=r"^TensorFlow Datasets needs .*: install them with %pip and try again\.$"):
        products.import_tfds()


def test_what_mends_it_is_what_requirements_say():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert set(products.MENDS_TFDS) <= {line.split("#")[0].strip() for line in lines}


def test_nothing_else_of_the_package_imports_tfds():
    # A chapter that does not use it must not change a version, so there is one place where it is imported.
    found = [p for p in (ROOT / "stylelab").rglob("*.py") if "import tensorflow_datasets" in p.read_text("utf-8")]
    assert found == [ROOT / "stylelab" / "datasets" / "products.py"]


# ---- memory of a GPU -------------------------------------------------------------------------------------------

FAKE_TENSORFLOW = """
def zeros(shape):
    pass

class config:
    def list_physical_devices(kind):
        return ["GPU:0", "GPU:1"] if kind == "GPU" else []

    class experimental:
        def set_memory_growth(gpu, on):
            print(gpu, on)
            {then}
"""


@pytest.mark.parametrize("then", ["pass", "raise RuntimeError('Physical devices cannot be modified')"])
def test_gpus_give_memory_as_it_is_needed(tmp_path, then):
    """Each of them, before the first operation; where a notebook has computed already, importing still works."""
    (tmp_path / "keras.py").write_text("ops = None")
    (tmp_path / "tensorflow.py").write_text(FAKE_TENSORFLOW.format(then=then))
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", "import stylelab.backend"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["GPU:0 True", "GPU:1 True"]


# ---- after a disconnect ----------------------------------------------------------------------------------------


def log_of(folder, *steps):
    folder.mkdir(parents=True)
    (folder / "log.jsonl").write_text("".join(json.dumps({"step": step}) + "\n" for step in steps))


def test_a_training_that_was_cut_off_is_kept_and_one_that_ended_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLELAB_OUT", str(tmp_path))
    monkeypatch.setenv("STYLELAB_FAST", "1")
    folder = tmp_path / "04_training-fast"
    assert course.training_folder("04_training", 30) == folder
    assert not folder.exists()
    log_of(folder, 10, 20)
    assert course.training_folder("04_training", 30) == folder
    assert folder.exists()
    assert course.training_folder("04_training", 20) == folder
    assert not folder.exists()


def test_on_drive_it_lies_on_drive(tmp_path, monkeypatch):
    drive = tmp_path / "content" / "drive" / "MyDrive" / "StyleLab"
    monkeypatch.delenv("STYLELAB_OUT", raising=False)
    monkeypatch.setattr(samples, "data_root", lambda: drive / "data")
    assert course.training_folder("04_training", 30).parent == drive / "out"


TRAINING = """
import hashlib, os, time
from pathlib import Path
import numpy as np
from stylelab import course, training
from stylelab.backend import keras
training.set_seed(0)
net = keras.Sequential([keras.Input([4]), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
net.compile(keras.optimizers.Adam(1e-2), "mse")
dealt = []
---
def batches(first):
    while True:
        x = np.random.default_rng(first).normal(size=(16, 4)).astype("float32")
        dealt.append(first)
        yield x, x[:, :1] * x[:, 1:2]
        first += 1

class CutOff(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if os.getenv("WAITS_AT") == str(int(self.model.optimizer.iterations)):
            Path(os.environ["PID"]).write_text(str(os.getpid()))
            time.sleep(600)
---
folder = course.training_folder("99_training", 30)
log = training.fit(net, batches, training.Plan(30, every=5, gain=None), folder, callbacks=[CutOff()])
---
weights = b"".join(w.tobytes() for w in net.get_weights())
print(dealt[0], log[-1]["step"], hashlib.sha256(weights).hexdigest())
"""


@pytest.mark.slow
def test_a_killed_kernel_s_training_goes_on_when_the_notebook_runs_again(tmp_path, monkeypatch):
    """Killed at step 17, after the checkpoint of step 15: run again, it begins there and ends at the same bits."""
    path = tmp_path / "99_training.ipynb"
    sources = [course.setup_cell(), *TRAINING.split("---\n")]
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources]), path)
    monkeypatch.setenv("STYLELAB_HOME", str(ROOT))

    def ran(out):
        monkeypatch.setenv("STYLELAB_OUT", str(tmp_path / out))
        first, last, weights = execute.run(path, limit=300).notebook.cells[-1].outputs[0].text.split()
        return int(first), int(last), weights

    at_once = ran("at once")
    assert at_once[:2] == (0, 30)

    waits = tmp_path / "pid"

    def kill():
        deadline = time.monotonic() + 300
        while not (waits.exists() and waits.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(int(waits.read_text()), signal.SIGKILL)

    monkeypatch.setenv("WAITS_AT", "17")
    monkeypatch.setenv("PID", str(waits))
    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(execute.ChapterFailure, match="The kernel died"):
        ran("cut off")
    killer.join()
    monkeypatch.delenv("WAITS_AT")
    assert ran("cut off") == (15, 30, at_once[2])
    assert ran("cut off") == at_once, "it had ended, so it begins anew"


# In front of a chapter's trainings: each look is told, and the kernel dies after the first one if it is asked to.
DIES = """
import json, os, signal
from stylelab import training
looked = training._Look.on_epoch_end

def look(self, epoch, logs=None):
    looked(self, epoch, logs)
    with open(os.environ["LOOKS"], "a") as file:
        print(json.dumps([self.file.parent.name, epoch]), file=file)
    if os.getenv("DIES"):
        os.kill(os.getpid(), signal.SIGKILL)

training._Look.on_epoch_end = look
"""
ALL = "STYLELAB_KILLS" in os.environ  # make soak; two runs of a chapter take a minute and more
CHAPTERS = sorted(checks.NOTEBOOKS.glob("*.ipynb"))
TRAINS = [path for path in CHAPTERS if "course.training_folder(" in path.read_text(encoding="utf-8")]


@pytest.mark.slow
@pytest.mark.parametrize("chapter", TRAINS if ALL else TRAINS[:1], ids=lambda path: path.stem)
def test_a_chapter_goes_on_where_its_kernel_was_killed(chapter, tmp_path, monkeypatch):
    """Up to the end of its first trainings: killed after the first look, run again, it does all looks but that one."""
    book = nbformat.read(chapter, as_version=4)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    small = 'import os; os.environ["STYLELAB_FAST"] = "1"'  # and not the program's fast mode, whose out/ is thrown away
    cells = [nbformat.v4.new_code_cell(small), cells[0], nbformat.v4.new_code_cell(DIES), *cells[1:]]
    path = tmp_path / chapter.name
    monkeypatch.setenv("STYLELAB_HOME", str(ROOT))
    monkeypatch.setenv("STYLELAB_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("LOOKS", str(tmp_path / "looks"))
    monkeypatch.setenv("DIES", "1")
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    with pytest.raises(execute.ChapterFailure, match="The kernel died") as failure:
        execute.run(path, limit=300)
    last = int(re.search(r"code cell (\d+)", str(failure.value))[1])
    assert len((tmp_path / "looks").read_text().splitlines()) == 1

    monkeypatch.delenv("DIES")
    nbformat.write(nbformat.v4.new_notebook(cells=cells[:last]), path)
    execute.run(path, limit=300)
    looks = [tuple(json.loads(line)) for line in (tmp_path / "looks").read_text().splitlines()]
    assert len(looks) > 1
    assert len(set(looks)) == len(looks), "what was done before the kill is not done again"
