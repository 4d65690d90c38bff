"""Measures optimization against a plain recipe, and what a step costs: `make bench`. Prints tables, asserts nothing.

    python -m tests.benchmarks.bench [quality] [steps] [paths] [speed]

**speed**: seconds to the final objective of a plain recipe: one scale, 384 px, 500 steps of Keras' Adam at the
best of three rates (chosen on the first pair, to save an hour), float32, content and style encoded again at each
step in one batch with the picture, as the keras.io example does. Both are judged by one float32 objective, that of
`Optimize()`'s defaults, at 384 px; the painting is brought to the photo's size for both, since the plain batch needs
one size. Where the plain recipe ends does not depend on how often its targets are encoded, so its path is computed
with the targets kept, and its *time* is 500 times the median of real, re-encoding steps, taken right after our run.
Our clock runs from the call, compilation included, less the time spent judging.

**steps**: seconds a step (median) and peak memory at 256, 512, 1024 px in each precision, each in its own process.

**quality**: style and content distance and seconds on three pairs, of the defaults and coarse to fine from 128 px; the
pictures go to `out/bench`. The README shows the second ones: their strokes are larger.

**paths**: only the plain recipe's paths. They take most of the hour and are kept in `out/bench`; delete that folder
to compute them again.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

OUT = Path("out/bench")
SIZE, STEPS, RATES = 384, 500, (0.01, 0.02, 0.05)
PAIRS = (
    ("armchair_blue", "vangogh_starry_night"),
    ("leather_sofa", "kandinsky_composition_viii"),
    ("tulips_pot", "hokusai_great_wave"),
)

SHOWN = (
    ("leather_sofa", "vangogh_cafe_terrace"),
    ("cactus_pot", "hokusai_great_wave"),
    ("instant_camera", "vangogh_night_cafe"),
)


def judge():
    """The objective that both are judged by: our defaults, in float32."""
    from stylelab.optimize import Optimize

    return Optimize(dtype="float32").objective


def targets(objective, photo, painting):
    return objective.content_target(photo[None]), objective.style_target(painting[None])


def plain_path(objective, photo, painting, rate):
    """The objective at each of the plain recipe's steps, and at its end."""
    from stylelab.backend import keras, tf

    content, style = targets(objective, photo, painting)
    image = tf.Variable(photo[None])
    adam = keras.optimizers.Adam(rate)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = objective(image, content, style).total
        adam.apply_gradients([(tape.gradient(loss, image), image)])
        image.assign(tf.clip_by_value(image, 0.0, 1.0))
        return loss

    losses = [float(step()) for _ in range(STEPS)]
    return [*losses, float(objective(image, content, style).total)]


def plain_seconds(objective, photo, painting, repeats=7):
    """Median seconds of a step that encodes content, style and picture in one batch, with its gradient."""
    from stylelab.backend import keras, tf

    image = tf.Variable(photo[None])
    constant = tf.constant(np.stack([photo, painting]))
    adam = keras.optimizers.Adam(0.01)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            features = objective.extractor(tf.concat([constant, image], 0))
            rows = [{name: f[k : k + 1] for name, f in features.items()} for k in range(3)]
            statistics_ = [objective._statistics(row, None)[0] for row in rows[1:]]
            style = sum(objective._distance(statistics_[1][n], statistics_[0][n]) for n in objective.style_layers)
            content = sum(tf.reduce_mean((rows[2][n] - rows[0][n]) ** 2) for n in objective.content_layers)
            loss = style + content
        adam.apply_gradients([(tape.gradient(loss, image), image)])
        return loss

    step()
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        float(step())
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def our_seconds(objective, photo, painting, goal):
    """Seconds until our picture's objective is at most ``goal`` (None if never), and our final objective."""
    from stylelab.optimize import Optimize

    content, style = targets(objective, photo, painting)
    judging, reached = 0.0, None
    begun = time.perf_counter()

    def watch(step):
        nonlocal judging, reached
        if reached is None and step.size == photo.shape[:2] and step.step % 2 == 0:
            now = time.perf_counter()
            if float(objective(step.image()[None], content, style).total) <= goal:
                reached = now - begun - judging
            judging += time.perf_counter() - now

    result = Optimize().stylize(photo[None], painting, callback=watch)
    return reached, float(objective(result, content, style).total)


def inputs(pair):
    """The photo at 384 px, and the painting at the photo's size."""
    from stylelab import images, samples

    photo = images.resize(samples.load(pair[0]), SIZE)
    return photo, images.resize(samples.load(pair[1]), photo.shape[:2])


def paths():
    """Final objectives of the plain recipe, by pair and rate; computes what is not kept yet."""
    OUT.mkdir(parents=True, exist_ok=True)
    objective, ends = judge(), {}
    for pair in PAIRS:
        first = ends.get(PAIRS[0])
        for rate in RATES if first is None else [min(first, key=first.get)]:
            kept = OUT / f"{'_'.join(pair)}_{rate}.json"
            if not kept.exists():
                kept.write_text(json.dumps(plain_path(objective, *inputs(pair), rate)))
            ends.setdefault(pair, {})[rate] = json.loads(kept.read_text())[-1]
    return ends


def speed():
    objective, ratios = judge(), []
    every = paths()
    print(f"Seconds to the plain recipe's final objective, {SIZE} px, float32 judge")
    print("| pair | plain: best rate | plain: objective | plain s | ours s | ratio | our final objective |")
    print("|---|---|---|---|---|---|---|")
    for pair, ends in every.items():
        photo, painting = inputs(pair)
        best = min(ends, key=ends.get)
        ours, final = our_seconds(objective, photo, painting, ends[best])
        plain = STEPS * plain_seconds(objective, photo, painting)
        ratio = ours / plain if ours else float("inf")
        ratios.append(ratio)
        print(
            f"| {' + '.join(pair)} | {best} | {ends[best]:.3f} | {plain:.0f} | "
            f"{'not reached' if ours is None else f'{ours:.1f}'} | {ratio:.3f} | {final:.3f} |",
            flush=True,
        )
    median = statistics.median(ratios)
    print(f"median ratio {median:.3f}, that is 1/{1 / median:.1f} (aim: 1/6)" if median else "")


def quality():
    from stylelab import images, metrics, samples
    from stylelab.optimize import Optimize

    print(f"Optimize() at {SIZE} px (floor: style distance below 0.06, content distance below 1.6, under 200 s)")
    print("| pair | settings | style distance | content distance | seconds |")
    print("|---|---|---|---|---|")
    for (product, name), first in itertools.product(SHOWN, (SIZE, SIZE // 3)):
        photo, painting = images.resize(samples.load(product), SIZE), samples.load(name)
        begun = time.perf_counter()
        result = Optimize(first_size=first).stylize(photo[None], painting)[0]
        seconds = time.perf_counter() - begun
        style, content = metrics.style_distance(result, painting), metrics.content_distance(result, photo)
        setting = "defaults" if first == SIZE else f"first_size={first}"
        print(f"| {product} + {name} | {setting} | {style:.4f} | {content:.2f} | {seconds:.0f} |", flush=True)
        row = [images.resize(p, (300, round(300 * p.shape[1] / p.shape[0]))) for p in (photo, painting, result)]
        gap = np.ones((300, 10, 3), "float32")
        row = np.concatenate([row[0], gap, row[1], gap, row[2]], axis=1)
        images.write(OUT / f"{product}_{name}_{first}.jpg", row, quality=85)


def one_step_cost(size, dtype):
    """Prints median seconds a step and the run's peak memory above what the process held before it (Linux only)."""
    from stylelab import images, samples
    from stylelab.optimize import Optimize
    from stylelab.training import memory_available

    photo = images.resize(samples.load("sneaker_black"), size)  # square: size x size
    stylizer = Optimize(dtype=dtype, first_size=None, steps=6)
    estimate, steps = stylizer.memory_needed(size, size), []
    Path("/proc/self/clear_refs").write_text("5")  # building the network had a peak of its own: begin a new one
    base = resident_peak()
    assert memory_available() > estimate, "not enough memory free for this row"
    stylizer.stylize(photo[None], "hokusai_great_wave", callback=steps.append)
    seconds = [b.seconds - a.seconds for a, b in itertools.pairwise(steps[1:])]
    print(json.dumps([statistics.median(seconds), resident_peak() - base, estimate]))


def resident_peak():
    """Bytes, since the last reset; ``getrusage`` knows no reset."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


def step_costs():
    from stylelab.training import precision

    print("One step (forward and backward), square picture")
    print("| px | precision | s a step | memory above start, GB | estimated before, GB |")
    print("|---|---|---|---|---|")
    for size in (256, 512, 1024):
        for dtype in dict.fromkeys((precision() if precision() == "bfloat16" else "float32", "float32")):
            command = [sys.executable, "-m", "tests.benchmarks.bench", "--one", str(size), dtype]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, peak, estimate = json.loads(done.stdout.splitlines()[-1])
            print(f"| {size} | {dtype} | {seconds:.2f} | {peak / 1e9:.2f} | {estimate / 1e9:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="quality, steps, paths, speed (default: all)")
    parser.add_argument("--one", nargs=2, metavar=("SIZE", "DTYPE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one_step_cost(int(arguments.one[0]), arguments.one[1])
        return
    for name in arguments.what or ("quality", "steps", "speed"):
        {"quality": quality, "speed": speed, "steps": step_costs, "paths": paths}[name]()


if __name__ == "__main__":
    main()
