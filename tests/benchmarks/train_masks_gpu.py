"""Trains the network that finds products as `train_masks` does, on a GPU and 16 cores, by Keras on JAX.

    python -m tests.benchmarks.train_masks_gpu pack FLOWERS TEXTURES EMOJI PACK.npz     here: what scenes are made of
    python tests/benchmarks/train_masks_gpu.py PACK.npz VGG16.h5 OUT --minutes M        there: train

Scenes are those of `mask_scenes`, drawn anew for each step by one process for each core, so two runs see other scenes
and end with other weights. Rate and its decay follow the clock: the run ends when its minutes are over.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
import types
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
SIDE, BATCH = 256, 32
SPLITS = ("train", "calibration")


def pack(flowers, textures, emoji, file):
    """Cut-outs and photos of the splits `train` and `calibration`, shrunk, as WebP and JPEG bytes in one file."""
    import cv2

    from stylelab import datasets
    from tests.benchmarks import mask_scenes

    def small(picture, side):
        scale = min(1.0, side / min(picture.shape[:2]))
        size = [max(1, round(scale * length)) for length in picture.shape[1::-1]]
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)

    def encoded(rgba):
        rgba = small(rgba, 160)
        bgra = np.dstack([rgba[..., 2::-1], rgba[..., 3:]])
        return cv2.imencode(".webp", bgra, [cv2.IMWRITE_WEBP_QUALITY, 92])[1]

    def shrunk(path):
        picture = small(cv2.imread(str(path), cv2.IMREAD_COLOR), 144)
        return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]

    photos = mask_scenes.parts(datasets.picture_files(flowers))
    emoji = mask_scenes.parts(mask_scenes.fluent(emoji))
    held = {}
    for split in SPLITS:
        sources = photos[split] + (datasets.picture_files(textures) if split == "train" else [])
        held[f"{split}_photos"] = [shrunk(path) for path in sources]
        held[f"{split}_renders"] = [encoded(one) for one in mask_scenes.renders(split)]
        held[f"{split}_emoji"] = [encoded(one) for one in mask_scenes.cutouts(emoji[split])]
    lists = {name: np.array([len(one) for one in some]) for name, some in held.items()}
    joined = {f"{name}_bytes": np.concatenate(some).ravel() for name, some in held.items()}
    np.savez(file, **lists, **joined)


def unpacked(file, folder):
    """Objects by split, and photos by split as files in the folder."""
    import cv2

    held, objects, photos = np.load(file), {}, {}

    def pieces(name):
        return np.split(held[f"{name}_bytes"], np.cumsum(held[name])[:-1])

    def cutout(data):
        bgra = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        return np.dstack([bgra[..., 2::-1], bgra[..., 3:]])

    for split in SPLITS:
        photos[split] = []
        for k, data in enumerate(pieces(f"{split}_photos")):
            photos[split].append(folder / f"{split}_{k}.jpg")
            photos[split][-1].write_bytes(data.tobytes())
        renders = [cutout(data) for data in pieces(f"{split}_renders")]
        objects[split] = 3 * renders + [cutout(data) for data in pieces(f"{split}_emoji")]
    return objects, photos


def example(seed, objects, photos):
    """A scene as uint8, and at half its size which part of each pixel is product, 0..4 quarters."""
    import mask_scenes

    rgb, mask = mask_scenes.scene(np.random.default_rng(seed), objects, photos, SIDE, SIDE)
    return rgb, mask.reshape(SIDE // 2, 2, SIDE // 2, 2).sum((1, 3)).astype(np.uint8)[..., None]


def draw(number, queue, objects, photos):
    """Fills the queue with batches for ever."""
    import cv2

    cv2.setNumThreads(1)
    count = 0
    while True:
        batch = [example((number, count, k), objects, photos) for k in range(BATCH)]
        queue.put(tuple(np.stack(part) for part in zip(*batch, strict=True)))
        count += 1


def features_of(vgg, layers):
    """VGG16's activations as `stylelab.features` gives them (symmetric padding), in bfloat16."""
    import jax.numpy as jnp
    from jax import lax

    names = [layer.name for layer in vgg.layers if layer.weights]
    kernels = {name: [jnp.asarray(w, jnp.bfloat16) for w in vgg.get_layer(name).get_weights()] for name in names}

    def forward(rgb):
        x = (255 * rgb[..., ::-1] - jnp.array([103.939, 116.779, 123.68])).astype(jnp.bfloat16)
        found = []
        for name in names:
            kernel, bias = kernels[name]
            if name.endswith("conv1") and not name.startswith("block1"):
                x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
            x = jnp.maximum(
                lax.conv_general_dilated(padded, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
                + bias,
                0,
            )
            if name in layers:
                found.append(x.astype(jnp.float32))
        return found

    return forward


def train(queue, held, weights, out, minutes):
    """Trains for so many minutes and writes the average of the weights."""
    os.environ["KERAS_BACKEND"] = "jax"
    import jax
    import jax.numpy as jnp
    import keras
    import optax

    backend = types.ModuleType("stylelab.backend")  # the package's own is on TensorFlow
    backend.keras, backend.ops = keras, keras.ops
    sys.modules["stylelab.backend"] = backend
    from stylelab.catalog import masknet

    keras.utils.set_random_seed(0)
    vgg = keras.applications.VGG16(weights=None, include_top=False)
    vgg.load_weights(weights)
    features, head = features_of(vgg, masknet.LAYERS), masknet.build()
    fixed = [v.value for v in head.non_trainable_variables]
    value = [v.value for v in head.trainable_variables]
    place = jnp.asarray(np.broadcast_to(masknet.positions(SIDE // 16, SIDE // 16), (BATCH, SIDE // 16, SIDE // 16, 3)))
    adam = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.add_decayed_weights(1e-4))

    def loss(value, rgb, mask):
        """Cross-entropy for every pixel, and one less the soft IoU for the shape as a whole."""
        found = jax.lax.stop_gradient(features(rgb.astype(jnp.float32) / 255))
        logits = head.stateless_call(value, fixed, [*found, place])[0]
        mask = mask.astype(jnp.float32) / 4
        chance = jax.nn.sigmoid(logits)
        both = (mask * chance).sum((1, 2, 3))
        either = (mask + chance - mask * chance).sum((1, 2, 3))
        entropy = jnp.mean(optax.sigmoid_binary_cross_entropy(logits, mask))
        return entropy + jnp.mean(1 - (both + 1) / (either + 1)), logits

    @jax.jit
    def step(value, mean, state, rgb, mask, rate, keep):
        (cost, _), slope = jax.value_and_grad(loss, has_aux=True)(value, rgb, mask)
        change, state = adam.update(slope, state, value)
        value = jax.tree.map(lambda v, c: v - rate * c, value, change)
        mean = jax.tree.map(lambda m, v: keep * m + (1 - keep) * v, mean, value)
        return value, mean, state, cost

    look = jax.jit(loss)
    mean, state, log, count = value, adam.init(value), [], 0
    step(value, mean, state, *queue.get(), 0.0, 0.0)  # compiles
    begun = shown = time.monotonic()
    costs = []
    while (share := (time.monotonic() - begun) / (60 * minutes)) < 1:
        rate = 2e-3 * min(1.0, (count + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * share)))
        keep = min(0.999, (1 + count) / (10 + count))
        value, mean, state, cost = step(value, mean, state, *queue.get(), rate, keep)
        count += 1
        costs.append(cost)
        if time.monotonic() - shown > 30 or (share > 0.99 and len(costs) > 500):
            shown, scores, losses = time.monotonic(), [], []
            for rgb, mask in held:
                held_loss, logits = look(mean, rgb, mask)
                losses.append(float(held_loss))
                found, true = np.asarray(logits) > 0, mask > 2
                scores += list((found & true).sum((1, 2, 3)) / np.maximum((found | true).sum((1, 2, 3)), 1))
            line = {"step": count, "loss": float(jnp.mean(jnp.array(costs))), "held_out": float(np.mean(losses))}
            line |= {"iou": float(np.median(scores)), "share": float(np.mean(np.array(scores) >= 0.9))}
            log.append({key: round(number, 5) for key, number in line.items()})
            print(json.dumps(log[-1]), f"{time.monotonic() - begun:.0f} s", flush=True)
            costs = []
            for variable, number in zip(head.trainable_variables, mean, strict=True):
                variable.assign(number)
            head.save_weights(out / "product_mask.weights.h5")
            (out / "log.json").write_text(json.dumps({"steps": count, "batch": BATCH, "side": SIDE, "log": log}))


def main():
    if sys.argv[1] == "pack":
        return pack(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("vgg16", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--held", type=int, default=256)
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]
    with tempfile.TemporaryDirectory() as folder:
        objects, photos = unpacked(arguments.pack, Path(folder))
        processes = multiprocessing.get_context("fork")  # before JAX has threads
        queue = processes.Queue(3 * arguments.processes)
        drawers = [
            processes.Process(target=draw, args=(n, queue, objects["train"], photos["train"]), daemon=True)
            for n in range(arguments.processes)
        ]
        for one in drawers:
            one.start()
        shown = [example((99, n), objects["calibration"], photos["calibration"]) for n in range(arguments.held)]
        held = [
            tuple(np.stack(part) for part in zip(*shown[k : k + BATCH], strict=True))
            for k in range(0, arguments.held, BATCH)
        ]
        train(queue, held, arguments.vgg16, arguments.out, arguments.minutes)
        for one in drawers:
            one.terminate()
    return None


if __name__ == "__main__":
    main()
