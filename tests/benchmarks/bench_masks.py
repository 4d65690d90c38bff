"""Measures the masks: how good, how sure, how fast. Prints tables, asserts nothing.

    python -m tests.benchmarks.bench_masks [renders] [photos]
    python -m tests.benchmarks.bench_masks calibrate FLOWERS EMOJI PHOTOS

**renders**: 200 pictures of the shipped renders that neither training nor calibration saw, over `data/photos`, which
they did not see either. **photos**: all photos in `data/products` against masks drawn by hand. Both against GrabCut
with a border prior alone, with the precision-coverage curve: of the masks that are at least so sure, how many are right
(IoU of at least 0.9), and how many of all masks that is.

**calibrate** fits the confidence on the calibration's renders and emoji: over the calibration's flowers and studio
grounds, over paintings, and over PHOTOS, which are of other things than the training's flowers (those of Debian's
lomiri-wallpapers-16.04 and mate-backgrounds' `nature`, less the three that ship in `data/photos`). It prints what
`data/weights/product_mask.json` holds. Nothing that is measured above has a part in it.
"""

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path

import numpy as np

RIGHT = 0.9  # the IoU that the confidence is about
STRANGE = 160  # scenes of the calibration over photos of another kind
OUT = Path("out/masks")


def border_cut(rgb):
    """GrabCut as it is usually begun: the outer frame is ground, the middle three quarters perhaps product."""
    import cv2

    from stylelab import images
    from stylelab.catalog import outline

    small = images.resize(rgb, min(outline.SIDE, max(rgb.shape[:2])))
    height, width = small.shape[:2]
    marks = np.full((height, width), cv2.GC_BGD, np.uint8)
    y, x = max(1, height // 50), max(1, width // 50)
    marks[y:-y, x:-x] = cv2.GC_PR_BGD
    marks[height // 8 : -(height // 8), width // 8 : -(width // 8)] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)
    pixels = np.ascontiguousarray(images.to_uint8(small)[..., ::-1])
    cv2.grabCut(pixels, marks, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    found = ((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)).astype(np.float32)[..., None]
    return images.resize(found, rgb.shape[:2])


def scenes(make, split, objects, photos, count):
    from tests.benchmarks import mask_scenes

    for number in range(count):
        rng = np.random.default_rng((mask_scenes.SPLITS.index(split), number))
        height, width = rng.integers(400, 701, 2)
        rgb, mask = make(rng, objects, photos, int(height), int(width))
        yield f"{split} {number}", (rgb / 255).astype(np.float32), mask


def judged(pictures, baseline=True):
    """For each picture its name, IoU, confidence and seconds, and the baseline's IoU."""
    from stylelab.catalog import masks, trust

    rows = []
    for name, rgb, true in pictures:
        begun = time.perf_counter()
        found = masks.find(rgb, backend="grabcut")
        seconds = time.perf_counter() - begun
        plain = trust.iou(border_cut(rgb)[..., 0] > 0.5, true) if baseline else float("nan")
        rows.append((name, trust.iou(found.values[..., 0] > 0.5, true), found.confidence, seconds, plain))
        keep_picture(name, rgb, found, rows[-1])
    return rows


def keep_picture(name, rgb, found, row):
    """The product on magenta, for people to look at."""
    from stylelab import images

    cut = images.composite(rgb, np.broadcast_to(np.float32([1, 0, 1]), rgb.shape), found.values)
    file = OUT / f"{name.replace(' ', '_')}_{row[1]:.2f}_{row[2]:.2f}.jpg"
    images.write(file, np.concatenate([images.resize(p, 320) for p in (rgb, cut)], 1), quality=80)


def report(title, rows):
    from stylelab.catalog import masks

    ious, sure, seconds, plain = (np.array(column) for column in list(zip(*rows, strict=True))[1:])
    print(f"\n{title}: {len(rows)}; GrabCut from the learned prior, and from a border alone")
    print("| | median IoU | mean IoU | at least 0.9 | below 0.7 |\n|---|---|---|---|---|")
    for name, values in (("ours", ious), ("border", plain)):
        shares = [np.median(values), values.mean(), (values >= 0.9).mean(), (values < 0.7).mean()]
        print(f"| {name} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")
    print(f"seconds a picture: median {statistics.median(seconds):.2f}, most {seconds.max():.2f}")
    print("\n| confidence of at least | coverage | right of these | accepted |\n|---|---|---|---|")
    for level in sorted({0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, masks.ACCEPT}):
        taken = sure >= level
        right = f"{(ious[taken] >= RIGHT).mean():.3f}" if taken.any() else "-"
        mark = " (ACCEPT)" if level == masks.ACCEPT else ""
        print(f"| {level}{mark} | {taken.mean():.3f} | {right} | {taken.sum()} |")


def renders():
    from stylelab import datasets, samples
    from tests.benchmarks import mask_scenes

    grounds, things = datasets.picture_files(samples.data_root() / "photos"), mask_scenes.renders("test")
    report("renders over photos", judged(scenes(mask_scenes.over_photo, "test", things, grounds, 200)))


def photos():
    from stylelab import samples
    from stylelab.catalog import masks

    def pictures():
        for name in samples.names("products"):
            yield name, samples.load(name), samples.mask(name)[..., 0] > 0.5

    rows = judged(pictures())
    report("photos", rows)
    print("\n| photo | IoU | confidence | | border alone | s |\n|---|---|---|---|---|---|")
    for name, iou, sure, seconds, plain in sorted(rows, key=lambda row: -row[2]):
        verdict = "accepted" if sure >= masks.ACCEPT else "to a person"
        print(f"| {name} | {iou:.3f} | {sure:.3f} | {verdict} | {plain:.3f} | {seconds:.1f} |")


def calibrate(flowers, emoji, photos):
    """Fits the confidence and chooses ``ACCEPT``."""
    from unittest import mock

    from stylelab import datasets, samples
    from stylelab.catalog import masks, trust
    from tests.benchmarks import mask_scenes

    things = mask_scenes.renders("calibration")
    others = [*things, *mask_scenes.cutouts(mask_scenes.parts(emoji)["calibration"][:20])]
    grounds = mask_scenes.parts(datasets.picture_files(flowers))["calibration"]
    paintings = datasets.picture_files(samples.data_root() / "styles")
    pictures = itertools.chain(
        scenes(mask_scenes.scene, "calibration", others, grounds, 160),
        scenes(mask_scenes.over_photo, "calibration", things, paintings, 120),
        scenes(mask_scenes.over_photo, "calibration", things, datasets.picture_files(photos), STRANGE),
    )
    found, ious, numbers = [], [], []
    with mock.patch.object(trust, "confidence", lambda cues: found.append(cues) or 0.5):
        for number, (_, rgb, true) in enumerate(pictures):
            before = len(found)
            mask = masks.find(rgb, backend="grabcut")
            if len(found) > before:  # else it marked nothing or all, whose confidence is 0 whatever is fitted
                ious.append(trust.iou(mask.values[..., 0] > 0.5, true))
                numbers.append(number)
    return fitted(np.array(found), np.array(ious), np.array(numbers) >= 280)


def fitted(cues, ious, strange):
    """Logistic regression with weights that are not negative: no cue of doubt may raise the confidence.

    What stands beside the fit says how the confidence of scenes does that the fit did not see (five folds), at the
    ``ACCEPT`` of ``masks``: of all scenes, and of those with strange grounds.
    """
    from scipy.optimize import minimize

    from stylelab.catalog import masks, trust

    x, right = trust.eased(cues), ious >= RIGHT

    def loss(theta, x, right):
        logit = theta[0] - x @ theta[1:]
        return np.logaddexp(0, np.where(right, -logit, logit)).sum() + 0.02 * (theta[1:] ** 2).sum()

    bounds = [(None, None)] + [(0, None)] * x.shape[1]

    def fit(x, right):
        return minimize(loss, np.zeros(x.shape[1] + 1), (x, right), "L-BFGS-B", bounds=bounds).x

    sure = np.empty(len(x))
    for fold in range(5):  # each scene is judged by a fit that did not see it
        held = np.arange(len(x)) % 5 == fold
        theta = fit(x[~held], right[~held])
        sure[held] = 1 / (1 + np.exp(x[held] @ theta[1:] - theta[0]))
    theta = fit(x, right)
    taken = sure >= masks.ACCEPT
    return {
        "confidence": {
            "cues": list(trust.CUES),
            "bias": round(float(theta[0]), 4),
            "weights": [round(float(weight), 4) for weight in theta[1:]],
            "accept": masks.ACCEPT,
            "scenes": len(x),
            "right": int(right.sum()),
            "accepted": int(taken.sum()),
            "accepted_right": int((taken & right).sum()),
            "strange": {
                "scenes": int(strange.sum()),
                "right": int(right[strange].sum()),
                "accepted": int(taken[strange].sum()),
                "accepted_right": int((taken & right)[strange].sum()),
            },
            "brier": round(float(((sure - right) ** 2).mean()), 4),
        }
    }


def main():
    from tests.benchmarks import mask_scenes

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="renders, photos (default: both); or: calibrate FLOWERS EMOJI PHOTOS")
    what = parser.parse_args().what or ["renders", "photos"]
    if what[0] == "calibrate":
        flowers, emoji, strange = map(Path, what[1:])
        print(json.dumps(calibrate(flowers, mask_scenes.fluent(emoji), strange), indent=1))
        return
    for name in what:
        {"renders": renders, "photos": photos}[name]()


if __name__ == "__main__":
    main()
