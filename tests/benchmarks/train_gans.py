"""Trains the networks of chapters 07 to 10 that ship: one command each, stopped and resumed at will.

    python -m tests.benchmarks.train_gans MODEL FOLDER [--data PATH]

writes checkpoints, log and samples into FOLDER, and the average's weights in float16 as FOLDER/MODEL.weights.h5.
``--data``: for dcgan the folder with the full Fashion-MNIST; for pix2pix and cyclegan all icons, made by
``tests.benchmarks.fetch_icons``; without it the shipped sets are taken.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from stylelab import datasets, images, samples, training
from stylelab.adain import Decoder
from stylelab.backend import keras, tf
from stylelab.gans.adversarial_style import AdversarialLearner, contact, pieces
from stylelab.gans.cyclegan import CycleGAN, LinearDecay
from stylelab.gans.dcgan import DCGAN
from stylelab.gans.game import adam
from stylelab.gans.pix2pix import Pix2Pix
from stylelab.gans.stylegan import StyleGAN
from stylelab.training import Plan, fit, save_weights


class Keep(keras.callbacks.Callback):
    """Samples at each look, as a film and for measuring afterwards."""

    def __init__(self, folder, draw):
        super().__init__()
        self.folder, self.draw = folder / "samples", draw
        self.folder.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, epoch, logs=None):
        step = int(self.model.step)
        np.savez_compressed(self.folder / f"{step:06d}.npz", images.to_uint8(self.draw(self.model)))


def dcgan(folder, data):
    """60,000 garments, colored; unconditional, so that covering all classes is the network's own doing."""
    pictures = (datasets.full_garments(data) if data else datasets.garments()).pictures
    # At 2.5, Mescheder et al.'s (2018) weight for larger pictures, the logits stayed at 0.02 and the game stood still.
    model = DCGAN(r1=0.1)
    model.compile(adam(), adam())
    plan = Plan(9500, 500, core_hours=0.55, gain=None)
    return model, lambda first: datasets.array_batches(pictures, 64, first=first), plan, lambda m: m.sample(500, seed=1)


def icons(data):
    """(training pairs, held-out pairs): the held-out ones are always the 64 of the shipped set."""
    train, held = datasets.icon_split(datasets.icons(64))
    if data:  # without every relative of a held-out icon: the same hand in another skin tone would give it away
        train = datasets.icon_split(datasets.all_icons(data), held.codepoints)[0]
    return train, held


def pix2pix(folder, data, **settings):
    """Twemoji's flat icons redrawn as OpenMoji's outlined ones.

    The two do not lie on one another, and three settings of Isola et al. (2017) hold where they do. A discriminator
    that sees the input too learns that real pairs fit badly: perceptual distance 1.065 against 0.964 without (copying
    has 1.054). Their λ = 100, 200 here, is the median's blur: 1.137 against 1.085 with a tenth of it. And moving both
    pictures (DiffAugment) was worth 0.02. All after 6,000 steps, in a rewriting of these networks on a GPU.
    """
    train, held = icons(data)
    settings = {"l1_weight": 20.0, "conditional": False, "augment": ("translation",), **settings}
    model = Pix2Pix(width=24, **settings)
    model.compile(adam(), adam())
    plan = Plan(4500, 250, core_hours=0.3, gain=None)

    def batches(first):
        return datasets.array_batches((train.twemoji, train.openmoji), 8, first=first, augment=datasets.flip)

    return model, batches, plan, lambda m: m.translate(held.twemoji)


def pix2pix_l1(folder, data):
    """The same generator with L1 alone, for comparison."""
    return pix2pix(folder, data, adversarial_weight=0.0)


def cyclegan(folder, data):
    """Twemoji to OpenMoji and back from two sets in which no icon meets its twin."""
    train, held = icons(data)
    first_kind, second_kind = datasets.unpaired(train, 0)[::-1]
    model = CycleGAN(width=24, blocks=4)
    plan = Plan(2000, 250, core_hours=0.4, gain=None)
    model.compile(adam(LinearDecay(2e-4, plan.steps)), adam(LinearDecay(2e-4, plan.steps)))

    def batches(first):
        kinds = ((first_kind, 0), (second_kind, 1))  # an order each, so that no two strangers meet every epoch
        return tf.data.Dataset.zip(
            tuple(
                datasets.array_batches(kind, 4, seed=seed, first=first, augment=datasets.flip) for kind, seed in kinds
            )
        )

    return model, batches, plan, lambda m: m.translate(held.twemoji)


def stylegan(folder, data):
    """Chairs, sofas and tables: 36 renders and their mirror images."""
    pictures = datasets.renders(64, ("seating", "tables")).pictures
    model = StyleGAN()
    # Karras et al. (2019): 0.002 and (0, 0.99), for weights that are stored as N(0, 1). Ours are stored as they are
    # used, of size 0.03 to 0.1: at 0.002 the logits were at 1e8 after 250 steps.
    model.compile(adam(3e-4, 0.0, 0.99), adam(3e-4, 0.0, 0.99))
    plan = Plan(6000, 500, core_hours=0.75, gain=None)
    return (
        model,
        lambda first: datasets.array_batches(pictures, 16, first=first, augment=datasets.flip),
        plan,
        lambda m: m.sample(128, seed=1),
    )


PAINTINGS = [f"vangogh_{name}" for name in ("starry_night", "auvers_street", "church_auvers", "cafe_terrace")]


def adversarial_style(folder, data, **settings):
    """Photos in van Gogh's manner; ``--data`` is a folder of photos. Begins with AdaIN's decoder."""
    decoder = Decoder(dtype=training.layer_policy())
    training.load_weights(decoder, samples.weights("adain"))
    model = AdversarialLearner(decoder, **settings)
    plan = Plan(800, 100, core_hours=0.45, gain=None)
    # The generator begins near its goal and has a small rate; the judge begins with nothing.
    model.compile(adam(2e-4, 0.0, 0.99), adam(4e-4, 0.0, 0.99))
    photos, paintings = datasets.picture_files(data), [samples.path(name) for name in PAINTINGS]
    shown = [datasets.middle_square(samples.load(name), 256) for name in ("armchair_blue", "sneaker_black", "mountain")]

    def draw(model):
        return contact(model.sampler, shown, images.resize(samples.load(PAINTINGS[0]), 384))

    return model, lambda first: pieces(photos, paintings, 128, 4, first=first), plan, draw


def style_alone(folder, data):
    """The same training without the judge, λ3 = 0, for comparison."""
    return adversarial_style(folder, data, adversarial_weight=0.0)


MODELS = {f.__name__: f for f in (adversarial_style, style_alone, dcgan, pix2pix, pix2pix_l1, cyclegan, stylegan)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data")
    given = parser.parse_args()
    training.set_seed(0)
    model, batches, plan, draw = MODELS[given.model](given.folder, given.data)
    log = fit(model, batches, plan, given.folder, callbacks=[Keep(given.folder, draw)])
    save_weights(model.sampler, given.folder / f"{given.model}.weights.h5")
    print(json.dumps(log[-1]))


if __name__ == "__main__":
    main()
