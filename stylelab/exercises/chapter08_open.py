"""Exercise 8.3, open: a decoder nearer to the painter than AdaIN's, at less cost to the photo than the shipped one."""

from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict

GAIN, PRICE = 0.4, 0.6  # shares of what the network of 8.8 gains in style, and of what it pays in content


def half_way(before: Any, after: Any) -> Any:
    """One of many answers, and one that trains nothing: the mean of both networks' numbers."""
    from stylelab.adain import Decoder

    mixed = Decoder()
    mixed.set_weights([(one + other) / 2 for one, other in zip(before.get_weights(), after.get_weights(), strict=True)])
    return mixed


def _measured(decoder: Any, photo: np.ndarray, painting: np.ndarray) -> tuple[float, float]:
    """Style and content distance of the photo as the decoder paints it."""
    from stylelab import metrics
    from stylelab.gans.adversarial_style import contact

    picture, size = contact(decoder, [photo], painting)[0], max(photo.shape[:2])
    return metrics.style_distance(picture, painting, size), metrics.content_distance(picture, photo, size)


def _on_a_budget(
    attempt: Attempt, *, before: Any, after: Any, photo: str, painting: str, size: int, gain: float, price: float
) -> str | None:
    """On a photo that neither network saw: at least part of the gain in style, at most part of the price in content."""
    from stylelab import datasets, samples
    from stylelab.adain import Decoder

    # A network is a function too, though not the one that returns it.
    network = attempt.function if isinstance(attempt.function, Decoder) else attempt()
    if not isinstance(network, Decoder):
        raise Verdict("wrong", f"this is of type {type(network).__name__}; give a decoder, such as game.sampler.")
    if not all(np.isfinite(weight).all() for weight in network.get_weights()):
        raise Verdict("wrong", "the decoder has numbers that are not finite: the training ran away.")
    pictures = [datasets.middle_square(samples.load(name), size) for name in (photo, painting)]
    (style, content), (first, cheap), (best, dear) = (_measured(one, *pictures) for one in (network, before, after))
    if not (best < first and cheap < dear):
        raise SettingsError(
            f"Between the two networks there is no budget: style {first:.3f} and {best:.3f}, content {cheap:.2f} and "
            f"{dear:.2f}; give AdaIN's decoder as before and the painter's as after."
        )
    style_bound, content_bound = first - gain * (first - best), cheap + price * (dear - cheap)
    painted, kept = style <= style_bound, content <= content_bound
    if painted and kept:
        return None
    if painted:
        verdict = "The painter is there, and the photo pays too much. Which weight holds the photo?"
    elif kept:
        verdict = "The photo is safe, and the painter is not there yet. Which weight brings him, and how many steps?"
    else:
        verdict = "Neither is there; begin with the numbers of the two networks and go half the way."
    return (
        f"style distance {style:.3f} (at most {style_bound:.3f}), content distance {content:.2f} "
        f"(at most {content_bound:.2f}). {verdict}"
    )


register(
    Exercise(
        name="painter-on-a-budget",
        chapter="08",
        task="Give a decoder, trained with weights of your own or made from the two that ship, that is closer to the "
        "painter than AdaIN's and keeps more of a held-out photo than the network of 8.8: at least the share gain "
        f"({GAIN}) of that network's gain in style, at most the share price ({PRICE}) of its price in content. "
        "Check it: ex.check(decoder).",
        hints=(
            "rehearsed((l1, l2, l3), seed, steps) trains from AdaIN's numbers on; game.sampler is the result.",
            "A larger l1 brings the style, a larger l2 keeps the photo. Look at both numbers that the check reports.",
            "No time to train? between(share) mixes the numbers of both networks: try shares around a half.",
        ),
        checks=(_on_a_budget,),
        right="between a network for every painting and one for a single painter lies a dial, and you have set it.",
        answer=half_way,
        given={
            "before": REQUIRED,
            "after": REQUIRED,
            "photo": "cactus_pot",
            "painting": "vangogh_auvers_street",
            "size": 192,
            "gain": GAIN,
            "price": PRICE,
        },
        takes_value=True,
        open=True,
    )
)
