"""The open exercise of chapter 09: a translation that is better than handing the input back."""

from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array


def my_translation(pictures: Any) -> Any:
    """One of many answers: half the CycleGAN's picture, half the input, and the designer's margin around both."""
    from stylelab import gans, images, samples, training

    network = gans.CycleGAN(width=24, blocks=4)
    training.load_weights(network.sampler, samples.weights("cyclegan"))
    mixed = (network.translate(pictures) + pictures) / 2
    small = images.resize(mixed, (56, 56))
    return np.pad(small, [(0, 0), (4, 4), (4, 4), (0, 0)], constant_values=1).clip(0, 1)


def _pictures(attempt: Attempt, inputs: np.ndarray) -> np.ndarray:
    value = np.asarray(attempt(inputs.copy()))
    if value.dtype.kind in "iu":
        raise Verdict("wrong", f"your pictures hold whole numbers ({value.dtype}); divide them by 255.")
    pictures = array(value, "your pictures", inputs.shape)
    low, high = pictures.min(), pictures.max()
    if low < -1e-3 or high > 1 + 1e-3:
        raise Verdict("wrong", f"your pictures run from {low:.2f} to {high:.2f}; wanted is 0..1.")
    return np.clip(pictures, 0, 1).astype("float32")


def _better(attempt: Attempt, *, inputs: Any, targets: Any, least: float, l1_share: float, seed: int = 0) -> str | None:
    """Nearer to the targets than the inputs are: in the mean, with the whole interval, and without a larger L1."""
    from stylelab import metrics

    inputs, targets = (np.asarray(pictures, "float32") for pictures in (inputs, targets))
    if inputs.shape != targets.shape or inputs.ndim != 4 or len(inputs) < 2:
        raise SettingsError("Give at least two inputs and as many targets, [N, H, W, 3] each.")
    pictures = _pictures(attempt, inputs)
    alone = _pictures(attempt, inputs[:1])
    if np.abs(alone[0] - pictures[0]).max() > 0.02:
        raise Verdict("wrong", "a picture's translation depends on its neighbors in the batch; give each its own.")
    exact = np.abs(pictures - targets).max((1, 2, 3)) < 0.02
    if exact.any():
        raise Verdict("wrong", f"{exact.sum()} of your pictures are the answers themselves; translate the inputs.")
    before = metrics.perceptual_distances(inputs, targets)
    gain = metrics.bootstrap_mean(metrics.perceptual_distances(pictures, targets) - before, seed)
    ours, copying = (float(np.abs(p - targets).mean()) for p in (pictures, inputs))
    near, sure, cheap = gain.value <= -least, gain.high < 0, ours <= l1_share * copying
    if np.abs(pictures - inputs).max() < 1e-3:
        verdict = "This is copying."
    elif near and sure and cheap:
        return None
    elif near and sure:
        verdict = "Near enough, and bought with L1: what of it can be had without moving so many pixels?"
    elif near:
        verdict = "The mean is good and not sure: it hangs on a few icons. Look at those that lost most."
    elif cheap:
        verdict = "L1 agrees; the perceptual distance wants more. What has OpenMoji that your pictures lack?"
    else:
        verdict = "Neither is there yet; begin with the margin of 9.1."
    return (
        f"perceptual distance less copying's {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}; at most "
        f"{-least:+.3f}, all of it below 0), L1 {ours:.3f} (at most {l1_share * copying:.3f}). {verdict}"
    )


register(
    Exercise(
        name="better-than-copying",
        chapter="09",
        task="Write my_translation(pictures) -> pictures whose perceptual distance to the other designer's icons is "
        "smaller than copying's by at least 0.05, with the whole interval below 0, and whose L1 is not larger.",
        hints=(
            "Which of the chapter's translations is good in L1, and which in the perceptual distance?",
            "The margin of 9.1 helps both, and comes on top of any network.",
            "A mean of two translations is a translation too: it moves fewer pixels. Then shrink it to 7/8.",
        ),
        checks=(_better,),
        right="better than copying, and sure of it. Say beside the number what you chose it on.",
        answer=my_translation,
        # On the 64 held-back icons, perceptual distance less copying's and L1 (copying 0.224): shrunk copy -0.039 and
        # 0.211; CycleGAN -0.033, 0.251; shrunk with outlines -0.062, 0.257; CycleGAN shrunk -0.062, 0.227; half of
        # each, shrunk -0.070, 0.215.
        given={"inputs": REQUIRED, "targets": REQUIRED, "least": 0.05, "l1_share": 1.0},
        open=True,
    )
)
