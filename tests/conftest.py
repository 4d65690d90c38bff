"""What all tests share. With ``CI=true`` a skipped test is a failure: all it needs is installed there."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib

import pytest

from stylelab import samples


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of shipped pictures and weights; read-only by agreement."""
    return samples.data_root()


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Converted networks go here, and the user's own stay as they are."""
    os.environ["STYLELAB_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def _no_skip(report: Any) -> Any:
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"With CI=true nothing may be skipped. {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    return _no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[Any]:
    return _no_skip((yield))  # a module that skips itself while it is imported


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that another user can enter, which pytest's ``tmp_path`` is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
