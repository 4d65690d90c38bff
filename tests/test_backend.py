"""Importing TensorFlow: silent when it works, everything shown when it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stylelab.backend import keras, stderr_held_back, tf

ROOT = Path(__file__).parents[1]


def python(code, **environment):
    """A fresh interpreter; what the user has not set is not set."""
    ours = {name: value for name, value in os.environ.items() if name not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**ours, **environment}, capture_output=True, text=True, timeout=300
    )


def test_importing_prints_nothing():
    """Nor does the first operation, where devices are probed."""
    done = python(
        "from stylelab.backend import tf, keras; print(float(tf.reduce_sum(tf.ones([2, 2]))), keras.backend.backend())"
    )
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["4.0 tensorflow"]
    assert done.stderr == ""


@pytest.fixture
def broken(tmp_path):
    """A TensorFlow that talks as its C++ side does, and then fails."""
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(
        'import os, sys\nos.write(2, b"E0000 cuda_dnn.cc: libcudnn is too old\\n")\n'
        'print("a warning", file=sys.stderr)\nraise ImportError("libtensorflow_framework.so.2: cannot open")\n'
    )
    return str(tmp_path)


def test_an_import_that_fails_shows_everything(broken):
    done = python("import stylelab.backend", PYTHONPATH=broken)
    assert done.returncode == 1
    assert "libcudnn is too old" in done.stderr
    assert "a warning" in done.stderr
    assert "ImportError: libtensorflow_framework.so.2: cannot open" in done.stderr
    assert done.stderr.index("libcudnn") < done.stderr.index("Traceback")


def test_what_the_user_set_holds(broken):
    code = "import os\ntry: import stylelab.backend\nexcept ImportError: print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    assert python(code, PYTHONPATH=broken).stdout == "2\n"
    assert python(code, PYTHONPATH=broken, TF_CPP_MIN_LOG_LEVEL="0").stdout == "0\n"


class TestHeldBack:
    def test_silent_inside_and_as_before_afterwards(self, capfd):
        with stderr_held_back():
            os.write(2, b"noise of a library\n")
        os.write(2, b"after\n")
        assert capfd.readouterr().err == "after\n"

    def test_python_s_own_lines_are_in_it_and_those_before_are_not(self, tmp_path):
        """In an interpreter of its own, since pytest's ``sys.stderr`` is another; with a TensorFlow of no weight."""
        (tmp_path / "keras.py").write_text("ops = None")
        (tmp_path / "tensorflow.py").write_text(
            "zeros = int\nclass config:\n    def list_physical_devices(kind):\n        return []"
        )
        code = (
            "import sys; from stylelab.backend import stderr_held_back; sys.stderr.write('before, ')\n"
            "with stderr_held_back(): sys.stderr.write('inside, ')\n"
            "sys.stderr.write('after')"
        )
        done = python(code, PYTHONPATH=str(tmp_path))
        assert (done.returncode, done.stderr) == (0, "before, after")

    def test_shown_when_it_fails(self, capfd):
        with pytest.raises(ZeroDivisionError), stderr_held_back():
            os.write(2, b"the reason \xff\n")
            raise ZeroDivisionError
        os.write(2, b"after\n")
        assert capfd.readouterr().err == "the reason \N{REPLACEMENT CHARACTER}\nafter\n"

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc, which lists open files")
    def test_leaves_no_file_open(self):
        def count():
            return len(list(Path("/proc/self/fd").iterdir()))

        before = count()
        for _ in range(3):
            with stderr_held_back():
                os.write(2, b"noise")
        assert count() == before


def test_is_the_tensorflow_backend():
    assert keras.backend.backend() == "tensorflow"
    assert tf.is_tensor(keras.ops.ones(2))
