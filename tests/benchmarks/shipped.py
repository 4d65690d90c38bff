"""Trains the networks that ship, leg by leg, and draws what ships with them. Takes hours; nothing else calls it.

    python -m tests.benchmarks.shipped fast  --photos DIR... --out DIR [--from FILE] [--steps N] ...
    python -m tests.benchmarks.shipped any   --photos DIR... --pictures DIR... --out DIR [--from FILE] ...
    python -m tests.benchmarks.shipped sheet --fast FILE --any FILE --out DIR
    python -m tests.benchmarks.shipped story --kind fast|any --legs DIR... --out DIR

Each leg begins with the weights of the one before and a new optimizer; within a leg a killed run goes on from its last
checkpoint. The model cards in `data/weights` say which legs were run. **sheet** draws the contact sheets: 13
paintings by 6 products, which neither network was trained on. **story** draws the curve of all legs, and pictures of
the last leg at 25, 50 and 100 %.
"""

import argparse
import json
from pathlib import Path

import numpy as np

# Paintings that no decoder is trained on: they prove that a painting never seen before works.
UNSEEN = ("hiroshige_inokashira_snow", "renoir_moulin_de_la_galette", "vangogh_langlois_bridge")
# Of the other pictures these judge the decoder's training, by parts of their file names.
JUDGES = ("Leonardo", "Woman_holding", "bluesquares", "abstract_flowers")
PRODUCTS = ("armchair_blue", "leather_sofa", "cactus_pot", "sneaker_black", "instant_camera", "tulips_pot")
EVERY = 250


def photos_of(arguments):
    """Training photos and held-out photos; the shop's cut-outs three times, for they are few."""
    from stylelab import datasets, samples

    train, held = datasets.held_out(datasets.picture_files(*arguments.photos), 26)
    cut_outs = [samples.path(f"product_renders/{name}") for name in samples.names("product_renders")]
    return train + 3 * cut_outs, held


def run(arguments, learner, batches, held, save):
    from stylelab import learning, training
    from stylelab.backend import keras

    learner.compile(optimizer=learning.optimizer(arguments.steps, arguments.learning_rate), jit_compile=False)

    class Keep(keras.callbacks.Callback):
        """The weights at a quarter and at half of the leg, for the pictures in the model card."""

        def on_epoch_end(self, epoch, logs=None):
            step = (epoch + 1) * EVERY
            if step in (arguments.steps // 4 // EVERY * EVERY, arguments.steps // 2 // EVERY * EVERY):
                save(arguments.out / f"at{step}.weights.h5")
            print(step, {name: round(float(value), 4) for name, value in logs.items()}, flush=True)

    plan = training.Plan(arguments.steps, EVERY, arguments.core_hours)
    log = training.fit(learner, batches, plan, arguments.out, held, [Keep()])
    save(arguments.out / "end.weights.h5")
    print("ended at", log[-1])


def train_fast(arguments):
    from stylelab import datasets, images, samples, training
    from stylelab.feedforward import Learner, StyleNetwork, learn, network

    training.set_seed(arguments.seed)
    policy, names = training.layer_policy(), samples.names("styles")
    net = network.load(arguments.start, dtype=policy) if arguments.start else StyleNetwork(names, dtype=policy)
    photos, held = photos_of(arguments)
    run(
        arguments,
        Learner(net, [images.resize(samples.load(name), arguments.style_size) for name in net.styles]),
        lambda first: datasets.stream(
            photos, arguments.size, arguments.batch, seed=arguments.seed, first=first, extra=learn.shares(len(names))
        ),
        learn.full_styles(held, len(names), 256, 2),
        lambda path: network.save(net, path),
    )


def train_any(arguments):
    from stylelab import datasets, samples, training
    from stylelab.adain import Decoder, Learner, learn

    training.set_seed(arguments.seed)
    decoder = Decoder(dtype=training.layer_policy())
    if arguments.start:
        training.load_weights(decoder, arguments.start)
    photos, held = photos_of(arguments)
    found = datasets.picture_files(*arguments.pictures)
    paintings = [samples.path(f"styles/{name}") for name in samples.names("styles") if name not in UNSEEN]
    paintings += [file for file in found if "textures" not in file.parts]
    textures = [file for file in found if "textures" in file.parts]
    textures += [samples.path(f"patterns/{name}") for name in samples.names("patterns")]
    judges = [file for file in paintings + textures if any(judge in file.name for judge in JUDGES)]
    pictures = 16 * paintings + 2 * textures + photos[::12]
    pictures = [file for file in pictures if file not in judges]
    run(
        arguments,
        Learner(decoder),
        lambda first: learn.pairs(
            photos,
            pictures,
            arguments.size,
            arguments.batch,
            style_size=arguments.style_size,
            seed=arguments.seed,
            first=first,
        ),
        learn.held_out_pairs(held, judges, 256, 2, style_size=384),
        lambda path: training.save_weights(decoder, path),
    )


def sheet(arguments):
    """A row a product, a column a painting; the paintings on top, the photos on the left."""
    from stylelab import images, samples
    from stylelab.adain import AdaIN
    from stylelab.feedforward import FeedForward

    def tile(picture, size=160):
        picture = images.resize(picture, size)
        height, width = picture.shape[:2]
        room = [((size - side) // 2, size - side - (size - side) // 2) for side in (height, width)]
        return np.pad(picture, [*room, (0, 0)], constant_values=1.0)

    names = samples.names("styles")
    for label, stylizer in (("fast", FeedForward(arguments.fast)), ("any", AdaIN(arguments.any))):
        rows = [[np.ones((160, 160, 3), "float32"), *(tile(samples.load(name)) for name in names)]]
        for product in PRODUCTS:
            photo = images.resize(samples.load(product), 512)
            rows.append([tile(photo), *(tile(stylizer.stylize(photo[None], name)[0]) for name in names)])
        picture = np.concatenate([np.concatenate(row, 1) for row in rows], 0)
        print(images.write(arguments.out / f"{label}_contact.jpg", picture, quality=88))


def story(arguments):
    from stylelab import images, plots, samples
    from stylelab.adain import AdaIN
    from stylelab.feedforward import FeedForward

    kind = {"fast": FeedForward, "any": AdaIN}[arguments.kind]
    logs = [[json.loads(line) for line in (leg / "log.jsonl").read_text().splitlines()] for leg in arguments.legs]
    lines, done = {}, 0
    for number, log in enumerate(logs, arguments.first):
        steps = [done + entry["step"] for entry in log]
        lines[f"leg {number}, held out"] = (steps, [entry["held_out"] for entry in log])
        lines[f"leg {number}, training"] = (steps, [entry["loss"] for entry in log])
        done = steps[-1]
    curve = plots.curves(lines, "steps", "objective", log=True, title=f"Training of '{arguments.kind}'")
    curve.save(arguments.out / f"{arguments.kind}_curve.png")
    last = arguments.legs[-1]
    steps = sorted(int(file.name[2:].split(".")[0]) for file in last.glob("at*.weights.h5"))
    files = {f"at step {step}": last / f"at{step}.weights.h5" for step in steps} | {
        "at the end": last / "end.weights.h5"
    }
    table = []
    for file in files.values():
        stylizer = kind(file)
        row = [("leather_sofa", "vangogh_starry_night"), ("cactus_pot", "hokusai_great_wave")]
        row += [("sneaker_black", UNSEEN[0]), ("armchair_blue", "kandinsky_composition_viii")]
        photos = [images.resize(samples.load(product), 384) for product, _ in row]
        table.append([stylizer.stylize(p[None], name)[0] for p, (_, name) in zip(photos, row, strict=True)])
    titles = [f"{product}, {name}".replace("_", " ") for product, name in row]
    drawn = plots.grid(table, list(files), titles, height=2.4)
    drawn.save(arguments.out / f"{arguments.kind}_pictures.jpg")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, command, style_size in (("fast", train_fast, 384), ("any", train_any, 256)):
        one = commands.add_parser(name)
        one.set_defaults(command=command)
        one.add_argument("--photos", nargs="+", required=True)
        one.add_argument("--pictures", nargs="+", help="paintings, and textures in a folder of that name")
        one.add_argument("--out", type=Path, required=True)
        one.add_argument("--from", dest="start")
        for option, kind, default in (
            ("--steps", int, 5000),
            ("--learning-rate", float, 2e-3),
            ("--size", int, 192),
            ("--style-size", int, style_size),
            ("--batch", int, 4),
            ("--core-hours", float, 2.4),
            ("--seed", int, 1),
        ):
            one.add_argument(option, type=kind, default=default)
    one = commands.add_parser("sheet")
    one.set_defaults(command=sheet)
    one.add_argument("--fast")
    one.add_argument("--any")
    one.add_argument("--out", type=Path, required=True)
    one = commands.add_parser("story")
    one.set_defaults(command=story)
    one.add_argument("--kind", choices=("fast", "any"))
    one.add_argument("--legs", nargs="+", type=Path)
    one.add_argument("--first", type=int, default=1, metavar="N", help="which leg the first of these is")
    one.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.command(arguments)


if __name__ == "__main__":
    main()
