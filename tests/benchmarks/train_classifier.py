"""Trains the garment classifier that ships and measures its accuracy; minutes on one core. Nothing else calls it.

    python -m tests.benchmarks.train_classifier FOLDER_OF_IDX_FILES [--out FILE.weights.h5] [--epochs N] [--seed N]
    python -m tests.benchmarks.train_classifier FOLDER_OF_IDX_FILES --measure FILE.weights.h5

The folder holds Fashion-MNIST's four files as they are published, packed or not. Every epoch has new random colors; the
10,000 test pictures have those of seed 0.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np


def train(folder, out, epochs, seed):
    from stylelab import datasets, training
    from stylelab.backend import keras
    from stylelab.metrics import build_garment_classifier

    training.set_seed(seed)
    network = build_garment_classifier()
    begun = time.process_time()
    for epoch in range(epochs):
        data = datasets.full_garments(folder, seed=seed * epochs + epoch)
        if epoch == 0:
            steps = epochs * -(-len(data.labels) // 128)
            network.compile(
                keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                metrics=["accuracy"],
            )
        seen = network.fit(data.pictures, data.labels, batch_size=128, verbose=0).history
        hours = (time.process_time() - begun) / 3600
        print(epoch + 1, {name: round(values[0], 4) for name, values in seen.items()}, round(hours, 3), flush=True)
    bare = build_garment_classifier()  # without the optimizer's averages, which would be saved too
    bare.set_weights(network.get_weights())
    return training.save_weights(bare, out)


def measure(folder, path):
    """Accuracy on the test pictures of the file as it ships, in half precision."""
    from stylelab import datasets, training
    from stylelab.metrics import build_garment_classifier

    network = build_garment_classifier()
    training.load_weights(network, path)
    data = datasets.full_garments(folder, "test")
    logits = network.predict(data.pictures, verbose=0)
    right = logits.argmax(1) == data.labels
    surest = 1 / np.exp(logits - logits.max(1, keepdims=True)).sum(1)
    sure = {
        f"{low:.1f}": [round(float(part.mean()), 3) for part in (right[inside], surest[inside])] + [int(inside.sum())]
        for low in (0.1, 0.5, 0.7, 0.9)
        for inside in [(surest >= low) & (surest < {0.1: 0.5, 0.5: 0.7, 0.7: 0.9, 0.9: 1.1}[low])]
    }
    return {
        "parameters": network.count_params(),
        "accuracy": round(float(right.mean()), 4),
        "by_class": {name: round(float(right[data.labels == k].mean()), 3) for k, name in enumerate(data.names)},
        "confidence": round(float(surest.mean()), 4),
        "accuracy, confidence and pictures from a confidence on": sure,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/garment_classifier.weights.h5"))
    parser.add_argument("--measure", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    path = arguments.measure or train(arguments.folder, arguments.out, arguments.epochs, arguments.seed)
    print(json.dumps(measure(arguments.folder, path), indent=1))


if __name__ == "__main__":
    main()
