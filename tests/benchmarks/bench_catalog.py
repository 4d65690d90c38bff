"""What a catalog run costs: pictures per second, beside the network alone, by both engines; memory by length.

    python -m tests.benchmarks.bench_catalog speed      # shipped products with their hand-drawn masks
    python -m tests.benchmarks.bench_catalog memory     # 100, 1,000 and 10,000 rows of a stand-in method
    python -m tests.benchmarks.bench_catalog estimate   # a prediction beside the run that it predicts

Each prints a table in Markdown. ``--rows N`` and ``--sizes 512`` make it shorter; ``--engines local`` leaves Ray out.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from stylelab import samples
from stylelab.catalog import estimate, pipeline
from stylelab.catalog.pool import ONE
from tests import catalog_shop as shop

STYLES = ("hokusai_great_wave", "vangogh_cafe_terrace")
SAMPLE = 0.1  # seconds between two looks at memory


def products(folder: Path, rows: int) -> Path:
    """A catalog of the shipped products with their masks, repeated up to so many rows."""
    names = samples.names("products")
    catalog = folder / "catalog.csv"
    with catalog.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("sku", "image", "mask"))
        for number in range(rows):
            name = names[number % len(names)]
            writer.writerow((f"SKU-{number:05}", f"products/{name}.jpg", f"masks/products/{name}.png"))
    return catalog


class Watch:
    """Largest memory of this process and of its workers while a block runs, in MB (each process's own pages, USS)."""

    def __enter__(self) -> "Watch":
        self.parent = self.workers = 0.0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        me = psutil.Process()
        while not self._ends.wait(SAMPLE):
            self.parent = max(self.parent, me.memory_full_info().uss / 1e6)
            sizes = []
            for child in me.children(recursive=True):
                try:
                    sizes.append(child.memory_full_info().uss / 1e6)
                except psutil.Error:
                    continue
            self.workers = max(self.workers, max(sizes, default=0.0))

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()


def alone(method: str, size: int) -> float:
    """Seconds of the network alone for a picture of this size, on one core: the median over products."""
    code = (
        "import os, sys, time, statistics\n"
        "if hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from stylelab import images, samples, stylizers\n"
        "method, size, style = sys.argv[1], int(sys.argv[2]), sys.argv[3]\n"
        "stylizer, times = stylizers.get(method), []\n"
        "for name in samples.names('products')[:6]:\n"
        "    photo = images.resize(samples.load(name), size)[None]\n"
        "    stylizer.stylize(photo, style)\n"
        "    begun = time.perf_counter()\n"
        "    stylizer.stylize(photo, style)\n"
        "    times.append(time.perf_counter() - begun)\n"
        "print(statistics.median(times))\n"
    )
    command = [sys.executable, "-c", code, method, str(size), STYLES[0]]
    environment = {**os.environ, **dict.fromkeys(ONE, "1")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def speed(arguments: argparse.Namespace) -> None:
    """Rows and pictures per second by engine and number of workers."""
    print("| engine | workers | method | px | rows | pictures | seconds | pictures/s | network alone | share |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for method in arguments.methods:
        for size in arguments.sizes:
            network = 1 / alone(method, size)
            for engine in arguments.engines:
                for workers in (1, 2):
                    with tempfile.TemporaryDirectory() as folder:
                        catalog = products(Path(folder), arguments.rows)
                        settings = pipeline.Settings(
                            styles=STYLES, sizes=(size,), method=method, workers=workers, engine=engine,
                            photos=str(samples.data_root()), formats=("png",),
                        )  # fmt: skip
                        summary = pipeline.run(catalog, Path(folder) / "out", settings)
                    pictures = summary.done * len(STYLES)
                    rate = pictures / summary.seconds
                    share = rate / (network * workers)
                    print(
                        f"| {engine} | {workers} | {method} | {size} | {arguments.rows} | {pictures} | "
                        f"{summary.seconds:.1f} | {rate:.2f} | {network * workers:.2f} | {share:.0%} |",
                        flush=True,
                    )


def memory(arguments: argparse.Namespace) -> None:
    """Largest memory of parent and worker by the catalog's length, each in a process of its own."""
    print("| rows | seconds | parent MB | largest worker MB |")
    print("|---|---|---|---|")
    for rows in arguments.lengths:
        code = "from tests.benchmarks import bench_catalog as b; import sys; b.one_length(int(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", code, str(rows)], check=True)


def one_length(rows: int) -> None:
    """One line of :func:`memory`."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(20):
            shop.photo(Path(folder) / f"{number}.png", number)
        given = [{"image": f"{number % 20}.png", "make": False} for number in range(rows)]
        catalog = shop.catalog(Path(folder), given)
        settings = shop.settings(formats=("png",))
        with Watch() as watch:
            summary = pipeline.run(catalog, Path(folder) / "out", settings)
        assert summary.done == rows, summary
    print(f"| {rows:,} | {summary.seconds:.0f} | {watch.parent:.0f} | {watch.workers:.0f} |", flush=True)


def predict(arguments: argparse.Namespace) -> None:
    """A prediction beside the run."""
    print("| workers | predicted s | took s | predicted MB | wrote MB |")
    print("|---|---|---|---|---|")
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            catalog, out = products(Path(folder), arguments.rows), Path(folder) / "out"
            settings = pipeline.Settings(
                styles=STYLES, sizes=tuple(arguments.sizes), workers=workers, photos=str(samples.data_root())
            )
            found = estimate.run(catalog, out, settings)
            begun = time.perf_counter()
            pipeline.run(catalog, out, settings)
            took = time.perf_counter() - begun
            wrote = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
        print(
            f"| {workers} | {found.seconds:.0f} | {took:.0f} | {found.bytes / 1e6:.1f} | {wrote / 1e6:.1f} |",
            flush=True,
        )


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["speed", "memory", "estimate"])
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1000])
    parser.add_argument("--methods", nargs="+", default=["fast", "any"])
    parser.add_argument("--engines", nargs="+", default=["local", "ray"])
    parser.add_argument("--lengths", type=int, nargs="+", default=[100, 1000, 10_000])
    arguments = parser.parse_args()
    for what in arguments.what:
        {"speed": speed, "memory": memory, "estimate": predict}[what](arguments)


if __name__ == "__main__":
    main()
