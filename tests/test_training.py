"""What long runs share: precision by hardware, seeds, memory, progress; with hardware that is made up."""

import random
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import psutil
import pytest

from stylelab import training
from stylelab.backend import tf
from stylelab.errors import ResourceError


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of one's own: ``machine(cpuinfo=..., gpus=..., **files)``; paths are looked up in a folder."""

    def build(cpuinfo=None, capability=None, files=()):
        for path, text in [*files, *([("proc/cpuinfo", cpuinfo)] if cpuinfo is not None else [])]:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        gpus = [] if capability is None else ["GPU:0"]
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus if kind == "GPU" else ["CPU:0"])
        details = {} if capability == "unknown" else {"compute_capability": capability}
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)

    monkeypatch.setattr("stylelab.machine.Path", lambda path: tmp_path / str(path).lstrip("/"))
    training.precision.cache_clear()
    yield build
    training.precision.cache_clear()


FLAGS = "processor : 0\nflags : fpu sse2 avx2 avx512f avx512bw {}\n"


class TestPrecision:
    @pytest.mark.parametrize(
        ("cpuinfo", "expected"),
        [
            (FLAGS.format(""), "float32"),
            (FLAGS.format("avx512_bf16"), "bfloat16"),
            (FLAGS.format("amx_tile amx_bf16"), "bfloat16"),
            ("", "float32"),
            (None, "float32"),  # no such file: Windows, macOS
        ],
    )
    def test_of_a_cpu_by_its_flags(self, machine, cpuinfo, expected):
        machine(cpuinfo=cpuinfo)
        assert training.precision() == expected

    @pytest.mark.parametrize(
        ("capability", "expected"),
        [
            ((7, 5), "mixed_float16"),  # T4
            ((8, 0), "bfloat16"),
            ((9, 0), "bfloat16"),
            ((12, 0), "bfloat16"),
            ("unknown", "mixed_float16"),
        ],
    )
    @pytest.mark.parametrize("flag", ["", "avx512_bf16"])
    def test_of_a_gpu_by_its_capability_whatever_the_cpu(self, machine, capability, expected, flag):
        machine(cpuinfo=FLAGS.format(flag), capability=capability)
        assert training.precision() == expected

    def test_here_it_is_one_of_the_three(self):
        assert training.precision() in ("bfloat16", "mixed_float16", "float32")


def test_a_seed_fixes_python_numpy_and_tensorflow():
    def draw(seed):
        training.set_seed(seed)
        return random.random(), np.random.random(), float(tf.random.uniform([]))  # noqa: NPY002

    first, other = draw(1), draw(2)
    assert draw(1) == first
    assert all(a != b for a, b in zip(first, other, strict=True))


class TestMemory:
    GB = 10**9

    @pytest.fixture(autouse=True)
    def eight_gigabytes_free(self, monkeypatch):
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * self.GB))

    def cgroup(self, **files):
        return [(f"sys/fs/cgroup/memory.{name}", f"{value}\n") for name, value in files.items()]

    def test_without_a_container_it_is_the_machine_s(self, machine):
        machine()
        assert training.memory_available() == 8 * self.GB

    def test_a_container_without_limit(self, machine):
        machine(files=self.cgroup(max="max", current=5 * self.GB))
        assert training.memory_available() == 8 * self.GB

    def test_a_container_s_limit_less_what_it_uses(self, machine):
        machine(files=self.cgroup(max=4 * self.GB, current=1 * self.GB))
        assert training.memory_available() == 3 * self.GB

    def test_a_limit_above_what_the_machine_has(self, machine):
        machine(files=self.cgroup(max=64 * self.GB, current=1 * self.GB))
        assert training.memory_available() == 8 * self.GB

    def test_cached_files_are_not_in_the_way(self, machine):
        """The kernel counts pages of files read long ago as used, and gives them back on demand."""
        stat = f"anon {self.GB}\nfile {2 * self.GB}\ninactive_file {2 * self.GB}\nactive_file 0"
        machine(files=self.cgroup(max=4 * self.GB, current=3 * self.GB, stat=stat))
        assert training.memory_available() == 3 * self.GB

    def test_what_fits_passes_and_what_does_not_is_refused_in_one_sentence(self, machine):
        machine(files=self.cgroup(max=4 * self.GB, current=1 * self.GB))
        training.require_memory(3 * self.GB, "Optimizing")
        with pytest.raises(ResourceError) as error:
            training.require_memory(3 * self.GB + 1, "Optimizing at 900x600 px")
        assert str(error.value) == (
            "Optimizing at 900x600 px needs about 3.0 GB of memory and 3.0 GB are free; choose a smaller size."
        )


def test_peak_memory_is_in_bytes_and_at_least_what_is_held_now():
    now, peak = psutil.Process().memory_info().rss, training.peak_memory()
    assert 0.95 * now < peak < 100 * now
    assert training.peak_memory() >= peak


class Bar:
    """What stands in for tqdm: remembers what is done with it."""

    made: ClassVar = []

    def __init__(self, total, desc, initial, leave, disable):
        self.total, self.label, self.leave, self.disable = total, desc, leave, disable
        self.done, self.closed, self.shown = initial, False, []
        Bar.made.append(self)

    def set_postfix(self, refresh, **shown):
        self.shown.append(shown)

    def update(self):
        self.done += 1

    def close(self):
        self.closed = True


def steps(count, size=(30, 40)):
    """As a stylizer reports them; a picture costs something, so it must be asked for only when it is kept."""
    asked = []

    def step(k):
        def picture():
            asked.append(k)
            return np.full((*size, 3), k / 100)

        return SimpleNamespace(step=k, steps=count, size=size, loss=1 / k, image=picture)

    return [step(k) for k in range(1, count + 1)], asked


class TestProgress:
    @pytest.fixture
    def bars(self, monkeypatch):
        monkeypatch.setattr("tqdm.auto.tqdm", Bar)
        Bar.made = []
        return Bar.made

    def test_records_and_shows_every_step(self, bars):
        progress = training.Progress("optimize")
        reported, asked = steps(7)
        for step in reported:
            progress(step)
        assert progress.steps == reported
        assert progress.snapshots == {}
        assert asked == []
        (bar,) = bars
        assert (bar.total, bar.label, bar.done, bar.closed) == (7, "optimize", 7, True)
        assert bar.shown[3] == {"size": 40, "loss": "0.250"}

    def test_is_open_until_the_last_step(self, bars):
        progress = training.Progress()
        for step in steps(5)[0][:4]:
            progress(step)
        assert not bars[0].closed

    def test_keeps_every_third_picture(self, bars):
        progress = training.Progress(every=3)
        reported, asked = steps(7)
        for step in reported:
            progress(step)
        assert asked == [3, 6]
        assert list(progress.snapshots) == [3, 6]
        np.testing.assert_allclose(progress.snapshots[6], 0.06)

    def test_each_picture_of_a_batch_has_its_bar(self, bars):
        progress = training.Progress()
        for _ in range(2):
            for step in steps(4)[0]:
                progress(step)
        assert [bar.done for bar in bars] == [4, 4]
        assert all(bar.closed for bar in bars)
        assert len(progress.steps) == 8

    def test_silent_where_nobody_watches(self, capfd):
        """In a log or a pipe, with the real tqdm."""
        progress = training.Progress("label")
        for step in steps(3)[0]:
            progress(step)
        assert capfd.readouterr() == ("", "")
        assert len(progress.steps) == 3
