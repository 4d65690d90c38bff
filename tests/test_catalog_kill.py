"""``kill -9`` at any moment, then the same command again: as if nothing had happened.

Killed are the whole process group, as a closing terminal or a container's end does; the parent alone, as somebody does
who reads ``top``; or a worker alone, as a system does that runs out of memory. What is compared is every byte of an
uninterrupted run but the journal's order and the column of times. The method is a stand-in that takes a few hundredths
of a second. ``make soak`` kills 200 times (``STYLELAB_KILLS``).
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from stylelab.catalog import pipeline
from stylelab.errors import ResourceError
from tests import catalog_shop as shop

KILLS = int(os.environ.get("STYLELAB_KILLS", "20"))
ROWS = 16
RUN = """
import sys
from stylelab.catalog import pipeline
from stylelab.errors import ResourceError
from tests import catalog_shop as shop
summary = pipeline.run(sys.argv[1], sys.argv[2], shop.settings(sizes=(64, 32)))
print(summary.worked, summary.done)
"""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The catalog, and the folder of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("shop")
    rows = [{} for _ in range(ROWS)] + [{"first": (0, 0, 0)}, {"first": (0, 0, 255)}, {"make": False}, {"sku": ""}]
    catalog = shop.catalog(folder, rows)
    summary = pipeline.run(catalog, folder / "whole", shop.settings(sizes=(64, 32)))
    assert (summary.done, summary.review, summary.failed, summary.open) == (ROWS, 1, 3, 0)
    return catalog, folder / "whole"


def start(catalog, out, log):
    environment = {**os.environ, "SHOP_SECONDS": "0.03", "SHOP_LOG": str(log)}
    command = [sys.executable, "-c", RUN, str(catalog), str(out)]
    return subprocess.Popen(command, env=environment, start_new_session=True, text=True, stdout=subprocess.PIPE)


def lines(out):
    """How many rows the journal has; a torn line is none."""
    journal = out / "journal.jsonl"
    return journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0


def workers(process):
    try:
        return [child for child in psutil.Process(process.pid).children() if child.status() != psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return []


def gone(processes, seconds=10):
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def kill(process, how, random):
    """Kills as told. Returns how many workers were ended in the middle of a row, at most."""
    children = workers(process)
    if how == "worker":
        if children:
            random.choice(children).send_signal(signal.SIGKILL)
        return 1
    (os.killpg if how == "group" else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    assert gone(children) == [], "workers outlive their parent"
    return len(children)


def assert_equal(out, whole):
    assert shop.pictures(out) == shop.pictures(whole)
    assert shop.report(out) == shop.report(whole)
    entries = [json.loads(line) for line in (out / "journal.jsonl").read_bytes().splitlines()[1:]]
    rows = [(entry["sku"], entry["variant"]) for entry in entries]
    assert len(rows) == len(set(rows)) == ROWS + 3, "a row was lost or done twice"


def killed(catalog, out, log, kills, seed):
    """Runs until the end, killed some times on the way. Returns how many rows were under way when something died."""
    chance, lost = random.Random(seed), 0
    process = start(catalog, out, log)
    for number in range(kills):
        how = ("group", "parent", "worker")[number % 3]
        before = lines(out)
        # Half of them anywhere, from the start of Python on; half in the middle of the work.
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, 2))
        else:
            ends = time.monotonic() + 60
            while lines(out) <= before and process.poll() is None and time.monotonic() < ends:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.1))
        lost += kill(process, how, chance) if process.poll() is None else 0
        if process.poll() is not None:
            process.stdout.close()
            process = start(catalog, out, log)
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    assert told.split()[1] == str(ROWS)
    return lost


def test_three_kills(uninterrupted, tmp_path):
    catalog, whole = uninterrupted
    killed(catalog, tmp_path / "out", tmp_path / "log", 3, seed=1)
    assert_equal(tmp_path / "out", whole)


def test_the_number_of_workers_changes_nothing(uninterrupted, tmp_path):
    catalog, whole = uninterrupted
    pipeline.run(catalog, tmp_path, shop.settings(sizes=(64, 32), workers=1))
    assert shop.pictures(tmp_path) == shop.pictures(whole)
    assert shop.report(tmp_path) == shop.report(whole)


def test_a_row_that_kills_its_worker_costs_itself(tmp_path):
    catalog = shop.catalog(tmp_path / "shop", [{}, {"first": shop.FATAL}, {}, {}])
    summary = pipeline.run(catalog, tmp_path / "out", shop.settings())
    assert (summary.done, summary.failed) == (3, 1)
    (line,) = [line for line in shop.report(tmp_path / "out") if line["state"] == "failed"]
    assert line["sku"] == "SKU-001" and "ended its worker twice (it was killed" in line["reason"]
    assert not (tmp_path / "out" / "pictures" / "SKU-001").exists()


def test_workers_that_cannot_start_end_the_run(uninterrupted, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false") or sys.executable)
    with pytest.raises(ResourceError, match="No worker can start"):
        pipeline.run(uninterrupted[0], tmp_path, shop.settings())
    assert {line["state"] for line in shop.report(tmp_path)} == {"open", "failed"}


def test_a_full_disk_in_a_worker(uninterrupted, tmp_path, monkeypatch):
    catalog, whole = uninterrupted
    monkeypatch.setenv("SHOP_FULL", "20")
    with pytest.raises(ResourceError, match=r"The run stopped: .*the disk is full; free some space"):
        pipeline.run(catalog, tmp_path, shop.settings(sizes=(64, 32)))
    assert not list(tmp_path.rglob("*.tmp"))
    monkeypatch.delenv("SHOP_FULL")
    pipeline.run(catalog, tmp_path, shop.settings(sizes=(64, 32)))
    assert_equal(tmp_path, whole)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_end_leaves_a_report_and_no_workers(sign, uninterrupted, tmp_path):
    catalog, whole = uninterrupted
    arguments = [
        "catalog",
        "run",
        str(catalog),
        "--out",
        str(tmp_path),
        "--styles",
        shop.STYLE,
        "--method",
        shop.METHOD,
    ]
    arguments += ["--formats", "png,jpg", "--sizes", "64,32", "--workers", "2"]
    # Who starts the tests in the background ignores Ctrl-C, and all below with him.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; import sys; from stylelab.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "SHOP_SECONDS": "0.2"}

    def command():
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env=environment,
            start_new_session=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    process = command()
    ends = time.monotonic() + 60
    while lines(tmp_path) < 2 and time.monotonic() < ends:
        time.sleep(0.01)
    children = workers(process)
    assert len(children) == 2
    os.killpg(process.pid, sign) if sign == signal.SIGINT else process.send_signal(sign)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and "what was finished is kept" in told and "Traceback" not in told
    assert gone(children) == [] and not list(tmp_path.rglob("*.tmp"))
    assert "open" in {line["state"] for line in shop.report(tmp_path)}
    environment["SHOP_SECONDS"] = "0"
    told, complained = command().communicate(timeout=120)
    assert (
        f"{ROWS} done, 1 for review, 3 failed" in told
        and complained == "stylelab: 3 rows failed; the report says why.\n"
    )
    assert_equal(tmp_path, whole)


@pytest.mark.slow
def test_ray_makes_the_same_pictures_and_goes_on_where_another_engine_ended(uninterrupted, tmp_path):
    pytest.importorskip("ray.data", reason="the extra scale is not installed")
    catalog, whole = uninterrupted
    settings = shop.settings(sizes=(64, 32), engine="ray")
    assert pipeline.run(catalog, tmp_path / "ray", settings).worked == ROWS + 3
    assert_equal(tmp_path / "ray", whole)
    assert pipeline.run(catalog, tmp_path / "ray", shop.settings(sizes=(64, 32))).worked == 0
    bad = shop.catalog(tmp_path / "bad", [{}, {"first": shop.FATAL}, {}])
    summary = pipeline.run(bad, tmp_path / "out", shop.settings(engine="ray"))
    assert (summary.done, summary.failed) == (2, 1)


@pytest.mark.slow
def test_many_kills(uninterrupted, tmp_path):
    """Several runs, since each run has only so many rows to be killed at."""
    catalog, whole = uninterrupted
    for seed in range(-(-KILLS // 5)):
        out, log = tmp_path / f"out{seed}", tmp_path / f"log{seed}"
        lost = killed(catalog, out, log, 5, seed)
        assert_equal(out, whole)
        painted = len(log.read_bytes())  # one byte for each picture that was painted
        assert 2 * ROWS <= painted <= 2 * (ROWS + lost), "finished rows were painted again"
