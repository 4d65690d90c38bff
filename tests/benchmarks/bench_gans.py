"""Measures the networks of chapters 07 to 10: part of `make bench`. Asserts nothing.

    python -m tests.benchmarks.bench_gans [dcgan] [shipped] [--minutes M]

**dcgan**: our DCGAN against the same two networks trained the way of keras.io's example "DCGAN to generate face
images": float32, two forward passes of the generator a step, targets of a cross entropy with noise added to them, Adam
at 1e-4, compiled as Keras does by default. Both train on the 4,000 garments, in turns of a tenth of the time, on the
same cores; so other work on the machine meets both. Images/s is the median over the turns; KID is taken after equal
time, of 1,000 pictures against the 1,000 test garments, of what each would ship: our average, their last weights.

**shipped**: what the weights in `data/weights` are worth, with 95 % intervals.
"""

import argparse
import json
import statistics
import time

import numpy as np

ROUNDS, BATCH = 10, 64


def keras_io_gan():
    from stylelab.backend import keras, ops, tf
    from stylelab.gans import dcgan

    class GAN(keras.Model):
        """The example's ``train_step``, in our words."""

        def __init__(self):
            super().__init__()
            self.generator = dcgan.generator(dtype="float32")
            self.discriminator = dcgan.discriminator(dtype="float32")
            self.entropy = keras.losses.BinaryCrossentropy(from_logits=True)
            self.players = [keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)]
            self.built = True

        def train_step(self, real):
            count = tf.shape(real)[0]
            fake = self.generator(tf.random.normal((count, 100)), training=True)
            both = ops.concatenate([fake, real], 0)
            targets = ops.concatenate([tf.ones((count, 1)), tf.zeros((count, 1))], 0)  # 1 means generated there
            targets += 0.05 * tf.random.uniform(tf.shape(targets))
            with tf.GradientTape() as tape:
                judged = self.entropy(targets, self.discriminator(both, training=True))
            variables = self.discriminator.trainable_variables
            self.players[0].apply(tape.gradient(judged, variables), variables)
            latent = tf.random.normal((count, 100))
            with tf.GradientTape() as tape:
                fooled = self.entropy(tf.zeros((count, 1)), self.discriminator(self.generator(latent, training=True)))
            variables = self.generator.trainable_variables
            self.players[1].apply(tape.gradient(fooled, variables), variables)
            return {"discriminator": judged, "generator": fooled}

    model = GAN()
    model.compile()
    return model


def turn(model, data, seconds):
    """Trains for so many seconds; images a second."""
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        model.fit(data, steps_per_epoch=20, verbose=0)
        count += 20 * BATCH
    return count / (time.perf_counter() - begun)


def against_keras_io(minutes):
    from stylelab import datasets, metrics, training
    from stylelab.gans import DCGAN

    training.set_seed(0)
    pictures = datasets.garments().pictures
    tests = metrics.vgg_features(datasets.garments("test").pictures)
    ours = DCGAN(r1=0.1, average=0.99)
    ours.compile()
    theirs = keras_io_gan()
    data = datasets.array_batches(pictures, BATCH)
    for model in (ours, theirs):
        model.fit(data, steps_per_epoch=2, verbose=0)  # tracing is no one's training
    speeds = {"ours": [], "theirs": []}
    for _ in range(ROUNDS):
        for name, model in (("ours", ours), ("theirs", theirs)):
            speeds[name].append(turn(model, data, 60 * minutes / ROUNDS))
    ratio = statistics.median(a / b for a, b in zip(speeds["ours"], speeds["theirs"], strict=True))
    print(f"\nDCGAN against keras.io's way, {minutes} minutes each, batch {BATCH}")
    print(f"{'':8}{'images/s':>10}{'KID':>12}  95 % interval")
    noise = np.random.default_rng(1).normal(size=(1000, 100)).astype("float32")
    drawn = {"ours": ours.sample(1000, seed=1), "theirs": theirs.generator.predict(noise, verbose=0)}
    for name, made in drawn.items():
        kid = metrics.kid(tests, metrics.vgg_features(made))
        print(f"{name:8}{statistics.median(speeds[name]):10.0f}{kid.value:12.3f}  {interval(kid)}")
    print(f"images/s, median of {ROUNDS} ratios: {ratio:.2f}")


def interval(estimate):
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def line(label, estimate):
    print(f"{label:58}{estimate.value:9.3f}  {interval(estimate)}")


def shipped():
    print("\nShipped weights: value and 95 % interval")
    for part in (shipped_dcgan, shipped_translation, shipped_style, shipped_stylegan):
        part()


def shipped_dcgan():
    from stylelab import datasets, metrics, samples, training
    from stylelab.gans import DCGAN

    model = DCGAN()
    training.load_weights(model.sampler, samples.weights("dcgan"))
    made, tests = model.sample(1000, seed=1), datasets.garments("test").pictures
    line("dcgan: KID against 1,000 test garments", metrics.kid(tests, made))
    train = datasets.garments().pictures[:1000]
    line("  1,000 training garments against them, for scale", metrics.kid(tests, train))
    report = metrics.class_report(made)
    print(f"dcgan: {report.covered} of 10 classes, mean confidence {report.confidence:.3f}")
    print("  shares " + ", ".join(f"{share:.3f}" for share in report.shares))
    print(f"  test garments: mean confidence {metrics.class_report(tests).confidence:.3f}")
    print(f"  {metrics.collapse(made, tests)}")


def shipped_translation():
    from stylelab import datasets, images, metrics, samples, training
    from stylelab.gans import CycleGAN, Pix2Pix

    held = datasets.icon_split(datasets.icons(64))[1]
    inputs, targets = held.twemoji, held.openmoji
    small = np.stack([np.pad(images.resize(x, 56), [(4, 4), (4, 4), (0, 0)], constant_values=1) for x in inputs])
    # What the same network painted of them after the same training with L1 alone, which does not ship: 8 x 8 pictures.
    sheet = images.read(samples.weights("pix2pix").with_name("pix2pix_l1.png"))
    l1_alone = sheet.reshape(8, 64, 8, 64, 3).swapaxes(1, 2).reshape(inputs.shape)
    paired, unpaired = Pix2Pix(width=24, conditional=False), CycleGAN(width=24, blocks=4)
    for name, model in (("pix2pix", paired), ("cyclegan", unpaired)):
        training.load_weights(model.sampler, samples.weights(name))
    made = {
        "copying": inputs,
        "copying, shrunk to 7/8": small,
        "L1 alone": l1_alone,
        "pix2pix": paired.translate(inputs),
        "cyclegan": unpaired.translate(inputs),
    }
    print(f"icons, {len(inputs)} held-out pairs")
    distances = {}
    for name, pictures in made.items():
        distances[name] = metrics.perceptual_distances(pictures, targets)
        line(f"{name}: perceptual distance", metrics.bootstrap_mean(distances[name]))
        for label, measure in (("L1", metrics.l1_distance), ("SSIM", metrics.ssim)):
            values = [measure(a, b) for a, b in zip(pictures, targets, strict=True)]
            line(f"  {label}", metrics.bootstrap_mean(values))
    for name in ("pix2pix", "cyclegan"):
        for other in ("copying", "copying, shrunk to 7/8", "L1 alone"):
            gained = metrics.bootstrap_mean(distances[name] - distances[other])
            line(f"{name} less {other}, perceptual (below 0: better)", gained)
    again = unpaired.translate(made["cyclegan"], back=True)
    line("cyclegan: L1 there and back", metrics.bootstrap_mean(np.abs(again - inputs).mean((1, 2, 3))))


def shipped_style():
    from stylelab import images, metrics, samples, stylizers

    methods = {name: stylizers.get(name) for name in ("any", "adversarial", "fast")}
    styles = methods["adversarial"].styles
    photos = ("armchair_blue", "leather_sofa", "sneaker_black", "tulips_pot", "mountain", "red_panda")
    values = {name: {"style": [], "content": []} for name in methods}
    for photo in photos:
        picture = images.resize(samples.load(photo), 384)
        for style in styles:
            for name, method in methods.items():
                made = method.stylize(picture[None], style)[0]
                values[name]["style"].append(metrics.style_distance(made, samples.load(style)))
                values[name]["content"].append(metrics.content_distance(made, picture))
    print(f"style, {len(photos)} photos in {len(styles)} paintings")
    for kind in ("style", "content"):
        for name in methods:
            line(f"{name}: {kind} distance", metrics.bootstrap_mean(values[name][kind]))
        less = np.subtract(values["adversarial"][kind], values["any"][kind])
        line(f"  adversarial less any, {kind} (below 0: better)", metrics.bootstrap_mean(less))


def shipped_stylegan():
    from stylelab import datasets, metrics, samples, training
    from stylelab.gans import StyleGAN

    model = StyleGAN()
    training.load_weights(model.sampler, samples.weights("stylegan"))
    renders = datasets.renders(64, ("seating", "tables")).pictures
    both = np.concatenate([renders, renders[:, :, ::-1]])
    line("stylegan: KID against its 72 pictures", metrics.kid(both, model.sample(512, seed=2)))
    log = json.loads(samples.weights("stylegan").with_name("stylegan.json").read_text(encoding="utf-8"))["log"]
    for entry in log:
        kid = metrics.Estimate(entry["kid"], entry["low"], entry["high"])
        line(f"  at step {entry['step']}", kid)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="dcgan, shipped (default: both)")
    parser.add_argument("--minutes", type=float, default=4.0, help="of training each, for dcgan")
    given = parser.parse_args()
    what = given.what or ["dcgan", "shipped"]
    if "dcgan" in what:
        against_keras_io(given.minutes)
    if "shipped" in what:
        shipped()


if __name__ == "__main__":
    main()
