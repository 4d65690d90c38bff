"""What the product's gate, text detector and lossy formats do, measured.

    python -m tests.benchmarks.bench_product [gate] [text] [formats]

``gate``: how often each flaw is found in the 16 shipped photos, degraded, and how often a good picture is blamed.
``text``: recall of ``text_boxes`` on text rendered onto the shipped photos. ``formats``: the product in JPEG and WebP.
"""

import argparse
import io
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from stylelab import images, samples
from stylelab.catalog import measures, product, quality
from stylelab.catalog.text import text_boxes

WORDS = (
    "Polaroid",
    "SALE",
    "New 2024",
    "Organic Tea",
    "size 42",
    "www.shop.com",
    "MADE IN ITALY",
    "ROLLEIFLEX",
    "50% off",
)
HEIGHTS = (10, 12, 16, 24, 36, 60)


def photos(size):
    return [images.resize(samples.load(f"products/{name}"), size) for name in samples.names("products")]


def jpeg(rgb, setting):
    buffer = io.BytesIO()
    Image.fromarray(images.to_uint8(rgb)).save(buffer, "JPEG", quality=setting)
    return np.asarray(Image.open(buffer)).astype("float32") / 255


def found(rgb, kind=None):
    """Whether the gate names the flaw (None: any but small)."""
    picture = images.Picture(np.clip(rgb, 0, 1).astype("float32"), None, b"", 8, ())
    kinds = {flaw.kind for flaw in quality.flaws(picture)}
    return kind in kinds if kind else bool(kinds - {"small"})


def gate():
    rng, sources = np.random.default_rng(0), photos(1000)
    degrade = {
        "small": [(f"{n} px", lambda a, n=n: images.resize(a, n)) for n in (499, 300)],
        "blurred": [(f"sigma {s} px", lambda a, s=s: gaussian_filter(a, (s, s, 0))) for s in (1, 1.5, 2, 3)],
        "noisy": [(f"sigma {s}", lambda a, s=s: a + rng.normal(0, s / 255, a.shape)) for s in (4, 6, 8, 12)],
        "clipped": [(f"times {g}", lambda a, g=g: a * g) for g in (1.3, 1.6, 2, 3)]
        + [(f"minus {g}", lambda a, g=g: (a - g) / (1 - g)) for g in (0.1, 0.2, 0.3)],
        "compressed": [(f"quality {q}", lambda a, q=q: jpeg(a, q)) for q in (10, 20, 30, 40, 50)],
    }
    print("| flaw | made | named, of 16 |\n|---|---|---|")
    for kind, ways in degrade.items():
        for way, make in ways:
            print(f"| {kind} | {way} | {sum(found(make(photo), kind) for photo in sources)} |", flush=True)
    print("\n| good pictures | blamed |\n|---|---|")
    for kind in ("products", "photos", "product_renders"):
        names = samples.names(kind)
        opened = (images.open_picture(samples.path(f"{kind}/{name}")) for name in names)
        blamed = [name for name, p in zip(names, opened, strict=True) if {f.kind for f in quality.flaws(p)} - {"small"}]
        print(f"| {kind} | {len(blamed)} of {len(names)} {' '.join(blamed)} |", flush=True)


def lettered(rng, photo, fonts):
    """The photo with up to six words at random places, and their boxes and sizes."""
    picture, truth = Image.fromarray(images.to_uint8(photo)), []
    draw = ImageDraw.Draw(picture)
    for _ in range(50):
        height, word = int(rng.choice(HEIGHTS)), WORDS[rng.integers(len(WORDS))]
        font = ImageFont.truetype(fonts[rng.integers(len(fonts))], height)
        left, top, right, bottom = (int(v) for v in draw.textbbox((0, 0), word, font=font))
        room = picture.width - (right - left) - 10, picture.height - (bottom - top) - 10
        if len(truth) == 6 or min(room) < 1:
            continue
        x, y = (5 + int(rng.integers(r)) for r in room)
        box = (x, y, x + right - left, y + bottom - top)
        if any(box[0] < b[2] + 8 and b[0] < box[2] + 8 and box[1] < b[3] + 8 and b[1] < box[3] + 8 for b, _ in truth):
            continue
        under = images.luminance(photo[box[1] : box[3], box[0] : box[2]]).mean() * 255
        ink = int(np.clip(under + rng.choice([60, 120]) * (1 if under < 128 else -1), 0, 255))
        draw.text((x - left, y - top), word, fill=(ink,) * 3, font=font)
        truth.append((box, height))
    return np.asarray(picture).astype("float32") / 255, truth


def covered(box, boxes):
    """Whether boxes that are not far larger cover at least half of the box."""
    left, top, right, bottom = box
    seen = np.zeros((bottom - top, right - left), bool)
    for a, b, c, d in boxes:
        if (c - a) * (d - b) < 6 * seen.size and c > left and d > top:
            seen[max(b - top, 0) : d - top, max(a - left, 0) : c - left] = True
    return seen.mean() >= 0.5


def text():
    fonts = sorted(str(f) for f in Path(matplotlib.get_data_path(), "fonts/ttf").glob("DejaVuS*.ttf"))
    fonts = [font for font in fonts if "Display" not in font]
    rng, hits, false = np.random.default_rng(1), {height: [] for height in HEIGHTS}, 0
    sources = photos(1000) * 2
    for photo in sources:
        picture, truth = lettered(rng, photo, fonts)
        boxes = text_boxes(picture)
        for box, height in truth:
            hits[height].append(covered(box, boxes))
        words = [box for box, _ in truth]
        false += sum(not covered(box, words) and not any(covered(word, [box]) for word in words) for box in boxes)
    print("| height of the type, px of 1,000 | words | recall |\n|---|---|---|")
    for height, found in hits.items():
        print(f"| {height} | {len(found)} | {np.mean(found):.2f} |")
    every = [hit for hits_of_one in hits.values() for hit in hits_of_one]
    print(f"| all | {len(every)} | {np.mean(every):.2f} |\n")
    print(f"other lines found: {false / len(sources):.1f} a photo (some of them the photos' own lettering)")


def formats():
    print("| format, quality | largest difference in the core, of 255 | product's mean CIEDE2000 | its largest |")
    print("|---|---|---|---|")
    for suffix, setting in ((".png", 95), (".webp", 95), (".jpg", 95), (".jpg", 80)):
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            for name in samples.names("products"):
                photo = images.open_picture(samples.path(f"products/{name}"))
                prepared = product.prepare(photo, samples.mask(name), "clean", 512)
                result = product.render(prepared, "clean", None, None)
                file = images.write(Path(folder, f"{name}{suffix}"), result, quality=setting)
                m = measures.measure_file(file, prepared, "clean")
                rows.append((m.core_difference, m.product_color, m.product_color_largest))
        (most, *_), (_, mean, _), (*_, largest) = np.max(rows, 0), np.mean(rows, 0), np.max(rows, 0)
        print(f"| {suffix[1:]} {setting} | {most:.0f} | {mean:.2f} | {largest:.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="gate, text, formats (default: all)")
    for name in parser.parse_args().what or ("gate", "text", "formats"):
        {"gate": gate, "text": text, "formats": formats}[name]()


if __name__ == "__main__":
    main()
