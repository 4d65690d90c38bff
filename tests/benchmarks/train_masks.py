"""Trains the network that finds products; 0.35 core-hours at most. Nothing else calls it.

    python -m tests.benchmarks.train_masks FLOWERS TEXTURES EMOJI [--out FILE.weights.h5] [--steps N] [--hours H]

FLOWERS and TEXTURES are folders of photos and textures for grounds, EMOJI one of Fluent Emoji (npm
`@lobehub/fluent-emoji-3d`), whose pictures have transparency. A run that was stopped goes on from its last checkpoint.
"""

import argparse
import json
from pathlib import Path

import numpy as np

SIDE, BATCH = 224, 8


def example(seed, objects, photos):
    """Of any number one picture in 0..1 and its mask at half the size, the same each time."""
    from tests.benchmarks import mask_scenes

    rgb, mask = mask_scenes.scene(np.random.default_rng(seed), objects, photos, SIDE, SIDE)
    half = mask.reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3), dtype=np.float32)
    return (rgb / 255).astype(np.float32), half[..., None]


def build_trainer():
    """A Keras model whose weights are the head's: the features are frozen and stay outside."""
    from stylelab import features, training
    from stylelab.backend import keras, ops
    from stylelab.catalog import masknet

    class Trainer(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = masknet.build()
            self.frozen = [features.shared_extractor("vgg16", masknet.LAYERS, dtype=training.wide_precision())]

        def call(self, pictures):
            return masknet.scores(self.head, self.frozen[0], pictures)

    def loss(mask, logits):
        """Cross-entropy for every pixel, and one less the soft IoU for the shape as a whole."""
        entropy = ops.mean(keras.losses.binary_crossentropy(mask, logits, from_logits=True))
        chance = ops.sigmoid(logits)
        both = ops.sum(mask * chance, (1, 2, 3))
        either = ops.sum(mask + chance - mask * chance, (1, 2, 3))
        return entropy + ops.mean(1 - (both + 1) / (either + 1))

    return Trainer(), loss


def train(folder, objects, photos, held_objects, held_photos, steps, hours, seed):
    from stylelab import training
    from stylelab.backend import keras, tf

    training.set_seed(seed)
    model, loss = build_trainer()
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, 2e-5 / 2e-3, warmup_target=2e-3, warmup_steps=100)
    # Not through XLA, which computes bfloat16 in float32 on a CPU.
    adam = keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=1.0)
    model.compile(adam, loss, jit_compile=False)
    model.build((BATCH, SIDE, SIDE, 3))

    def batches(first):
        def load(number):
            types = [tf.float32, tf.float32]
            rgb, mask = tf.numpy_function(lambda n: example((seed, int(n)), objects, photos), [number], types)
            return tf.ensure_shape(rgb, (SIDE, SIDE, 3)), tf.ensure_shape(mask, (SIDE // 2, SIDE // 2, 1))

        numbers = tf.data.Dataset.range(first * BATCH, np.iinfo("int64").max)
        return numbers.map(load, num_parallel_calls=1).batch(BATCH, drop_remainder=True).prefetch(1)

    held = [example((seed + 1, n), held_objects, held_photos) for n in range(48)]

    def look(model):
        losses, scores = [], []
        for k in range(0, len(held), BATCH):
            pictures, masks = (np.stack(part) for part in zip(*held[k : k + BATCH], strict=True))
            logits = model(pictures)
            losses.append(float(loss(masks, logits)))
            found, true = np.asarray(logits) > 0, masks > 0.5
            scores += list((found & true).sum((1, 2, 3)) / np.maximum((found | true).sum((1, 2, 3)), 1))
        print(np.mean(losses), np.median(scores), flush=True)
        return {"loss": np.mean(losses), "iou": np.median(scores), "share": np.mean(np.array(scores) >= 0.9)}

    log = training.fit(model, batches, training.Plan(steps, 85, hours, None), folder, look)
    return model.head, log


def main():
    from stylelab import datasets, files, plots, training
    from tests.benchmarks import mask_scenes

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flowers", type=Path)
    parser.add_argument("textures", type=Path)
    parser.add_argument("emoji", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/masks/product_mask.weights.h5"))
    parser.add_argument("--steps", type=int, default=680)
    parser.add_argument("--hours", type=float, default=0.35)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    flowers = mask_scenes.parts(datasets.picture_files(arguments.flowers))
    textures = datasets.picture_files(arguments.textures)
    emoji = mask_scenes.parts(mask_scenes.fluent(arguments.emoji))
    # Renders three times: they are what shops sell.
    objects = 3 * mask_scenes.renders("train") + mask_scenes.cutouts(emoji["train"])
    head, log = train(
        arguments.out.parent / "run",
        objects,
        flowers["train"] + textures,
        mask_scenes.renders("calibration"),
        flowers["calibration"],
        arguments.steps,
        arguments.hours,
        arguments.seed,
    )
    training.save_weights(head, arguments.out)
    files.write(arguments.out.with_name("product_mask.json"), json.dumps({"log": log}, indent=1).encode())
    steps = [entry["step"] for entry in log]
    lines = {name: (steps, [entry[name] for entry in log]) for name in ("loss", "held_out", "iou")}
    curve = plots.curves(lines, "steps of 8 scenes", "loss; IoU", title="Training the network that finds products")
    curve.save(arguments.out.with_name("product_mask_curve.png"))


if __name__ == "__main__":
    main()
