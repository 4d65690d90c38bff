"""Exercises of chapter 06: a contrastive loss, an adapter merged into its kernel, a style in a few hundred numbers."""

from typing import Any

import numpy as np
from scipy.special import logsumexp

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array, close, compare

# contrastive-loss


def contrastive(z: Any, temperature: float) -> Any:
    """NT-Xent (Chen et al. 2020, eq. 1) of ``[2N, D]``, whose rows 2i and 2i + 1 are two views of one picture."""
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    similarity = z @ z.T / temperature
    np.fill_diagonal(similarity, -np.inf)
    rows = np.arange(len(z))
    partner = rows ^ 1
    return np.mean(logsumexp(similarity, axis=1) - similarity[rows, partner])


_UNIT = "z / np.linalg.norm(z, axis=1, keepdims=True)"
_SUM, _PAIR = "logsumexp(similarity, axis=1)", "similarity[rows, partner]"
CONTRASTIVE_MISTAKES = (
    (_UNIT, "z * 1.0", "the rows are not divided by their lengths: similarity is a cosine."),
    (_UNIT, "z / np.linalg.norm(z)", "you divide by the length of the whole matrix; each row has its own."),
    (_UNIT, "z / np.linalg.norm(z, axis=0)", "you divide columns by their lengths; a row is what stands for a view."),
    (" / temperature", "", "the temperature is missing: it divides the cosines."),
    (" / temperature", " * temperature", "you multiply by the temperature; it divides the cosines."),
    (
        "    np.fill_diagonal(similarity, -np.inf)\n",
        "",
        "each view is compared with itself; leave the diagonal out.",
    ),
    ("-np.inf", "0", "the diagonal is set to 0, and exp(0) still counts; set it to minus infinity."),
    ("rows ^ 1", "(rows + 1) % len(z)", "row 1's partner is not row 2: the pairs are 0 and 1, 2 and 3, ..."),
    ("rows ^ 1", "(rows + len(z) // 2) % len(z)", "the pairs are 0 and 1, 2 and 3, ..., not i and N + i."),
    ("np.mean(", "np.sum(", "you take the sum over the views; take the mean."),
    (f"{_SUM} - {_PAIR}", f"{_PAIR} - {_SUM}", "the sign is turned: the loss is minus a log probability."),
    (f"{_SUM} - {_PAIR}", f"-{_PAIR}", "the sum over all others is missing: what keeps different pictures apart?"),
    (f"np.mean({_SUM} - {_PAIR})", f"np.mean(({_SUM} - {_PAIR})[::2])", "each pair counts in one direction only."),
    (
        f"{_SUM} - {_PAIR}",
        f"np.exp({_PAIR} - {_SUM})",
        "this is the probability; the loss is minus its logarithm.",
    ),
)


def _one_number(value: Any) -> dict[str, np.ndarray]:
    return {"your loss": array(value, "your loss", ())}


def _contrastive_formula(attempt: Attempt) -> str | None:
    """Rows of different lengths, and pairs that are alike but not equal."""
    rng = np.random.default_rng(0)
    z = (np.repeat(rng.normal(size=(5, 6)), 2, axis=0) + rng.normal(size=(10, 6))) * rng.uniform(0.5, 2, (10, 1))
    return compare(attempt, (z, 0.4), contrastive, CONTRASTIVE_MISTAKES, _one_number)


def _contrastive_is_stable(attempt: Attempt) -> str | None:
    """At a low temperature exp overflows float32 and, lower still, float64."""
    z = np.repeat(np.eye(3), 2, axis=0)
    got = attempt(z, 1e-3)
    return None if close(got, 0) else f"at a temperature of 0.001 your loss is {float(got):.4g}; is exp in range?"


register(
    Exercise(
        name="contrastive-loss",
        chapter="06",
        task="Write contrastive(z, temperature) -> NT-Xent of projections z [2N, D], of which rows 2i and 2i + 1 are "
        "two views of one picture: a mean over all 2N rows, right at low temperatures too.",
        hints=(
            "Cross-entropy of a question with 2N - 1 answers: which of the other rows is my other view?",
            "Divide each row by its length; z @ z.T / temperature are the logits; a row is no answer to itself.",
            "Partners are np.arange(len(z)) ^ 1. scipy.special.logsumexp takes -inf and does not overflow.",
        ),
        checks=(_contrastive_formula, _contrastive_is_stable),
        right="without labels the pictures themselves ask the questions; what the views share is what is learned.",
        answer=contrastive,
        mistakes=CONTRASTIVE_MISTAKES,
    )
)

# lora-merge


def merged(kernel: Any, a: Any, b: Any, alpha: float) -> Any:
    """The kernel ``[k, k, C_in, C_out]`` with its adapter added: ``W + α / r · A B`` (Hu et al. 2022, section 4.1)."""
    rank = b.shape[0]
    return kernel + alpha / rank * (a @ b)


_PRODUCT = "alpha / rank * (a @ b)"
MERGE_MISTAKES = (
    (f"kernel + {_PRODUCT}", _PRODUCT, "the kernel itself is missing: an adapter is a correction."),
    (_PRODUCT, "(a @ b)", "the factor alpha / rank is missing: yours is {ratio:.2f} times the right size (medians)."),
    (_PRODUCT, "alpha * (a @ b)", "the product is not divided by the rank."),
    (_PRODUCT, "1 / rank * (a @ b)", "alpha is missing."),
    (_PRODUCT, "rank / alpha * (a @ b)", "the factor is upside down: it is alpha / rank."),
    (_PRODUCT, "rank * alpha * (a @ b)", "you multiply by the rank; divide by it."),
    ("kernel + ", "kernel - ", "the adapter is subtracted; add it."),
    ("b.shape[0]", "a.shape[2]", "you divide by the channels that come in; the rank is the short side, b.shape[0]."),
    ("b.shape[0]", "b.shape[1]", "you divide by the filters; the rank is the short side, b.shape[0]."),
    ("b.shape[0]", "a.shape[1]", "you divide by the kernel's own side; the rank is the last axis of a."),
    ("(a @ b)", "(a @ b).mean((0, 1))", "you average over the kernel's positions; each has its own rows in A."),
    ("(a @ b)", "(a[..., :1] @ b[:1])", "only the first of the rank's products is there; sum over all of them."),
)


def _merge_formula(attempt: Attempt) -> str | None:
    rng = np.random.default_rng(1)
    kernel, a, b = (rng.normal(size=shape) for shape in ((3, 3, 5, 6), (3, 3, 5, 2), (2, 6)))
    name = "your kernel"
    args = (kernel, a, b, 7.0)
    return compare(attempt, args, merged, MERGE_MISTAKES, lambda w: {name: array(w, name, kernel.shape)})


def _merge_paints_the_same(attempt: Attempt) -> str | None:
    """One position of a picture through kernel and adapter, one after the other, and through the merged kernel."""
    rng = np.random.default_rng(2)
    kernel, a, b = (rng.normal(size=shape) for shape in ((1, 1, 4, 5), (1, 1, 4, 3), (3, 5)))
    pixel = rng.normal(size=4)
    apart = pixel @ kernel[0, 0] + 6.0 / 3 * (pixel @ a[0, 0]) @ b
    together = pixel @ array(attempt(kernel, a, b, 6.0), "your kernel", kernel.shape)[0, 0]
    return None if close(apart, together) else "a pixel through your kernel is not a pixel through kernel and adapter."


register(
    Exercise(
        name="lora-merge",
        chapter="06",
        task="Write merged(kernel, a, b, alpha) -> the one kernel that does what a frozen kernel [k, k, C_in, C_out] "
        "and its adapter a [k, k, C_in, r], b [r, C_out] do together.",
        hints=(
            "A convolution is linear: two of them on the same picture, added, are one with the sum of the kernels.",
            "a @ b multiplies the last axis of a with the first of b, for each position of the kernel.",
            "The rank is b.shape[0]; the product comes with the factor alpha / rank.",
        ),
        checks=(_merge_formula, _merge_paints_the_same),
        right="merged, an adapter costs nothing when the network paints: it was only a way to train.",
        answer=merged,
        mistakes=MERGE_MISTAKES,
    )
)

# style-budget


def small_style(start: Any, learn: Any) -> Any:
    """One of many answers: the tables of the decoder alone, which are nearest to the picture's colors and strokes."""
    from stylelab import finetune

    network = finetune.with_styles(start, start.styles)
    finetune.only_norm(network)
    tables = [layer for layer in network.layers if layer.trainable]
    for table in tables[:-2]:
        table.trainable = False
    return learn(network)


def _within_budget(
    attempt: Attempt, *, start: Any, painting: Any, photos: Any, limit: int, style_share: float, content_bound: float
) -> str | None:
    """Few numbers differ from the start, and the photos are in the style and still themselves: all measured."""
    from stylelab import metrics
    from stylelab.feedforward import FeedForward, StyleNetwork

    if not len(photos) or not isinstance(start, StyleNetwork) or len(start.styles) != 1:
        raise SettingsError("Give the network of one style that training starts from, and at least one photo.")
    # A network is a function too, though not the one that returns it.
    network = attempt.function if isinstance(attempt.function, StyleNetwork) else attempt()
    if not isinstance(network, StyleNetwork):
        raise Verdict("wrong", f"this is of type {type(network).__name__}; give your trained StyleNetwork.")
    if network.styles != start.styles or network.architecture != start.architecture:
        raise Verdict("wrong", "this network has other styles or sizes; begin with with_styles(start, start.styles).")
    if len(network.weights) != len(start.weights):
        raise Verdict("wrong", "there are adapters in it; merge them: with_styles(network, network.styles).")
    # The photo's own rows, the first, are not part of the style.
    moved = sum(
        int(np.sum((new.numpy() != old.numpy())[1 if new.name in ("scale", "shift") else 0 :]))
        for new, old in zip(network.weights, start.weights, strict=True)
    )

    def painted(one: Any) -> list[np.ndarray]:
        stylizer = FeedForward(network=one)
        return [stylizer.stylize(photo[None], one.styles[0])[0] for photo in photos]

    def distance(pictures: list[np.ndarray]) -> float:
        size = max(np.shape(photos[0]))
        return float(np.mean([metrics.style_distance(picture, painting, size) for picture in pictures]))

    results = painted(network)
    share = distance(results) / distance(painted(start))
    size = max(np.shape(photos[0]))
    pairs = zip(results, photos, strict=True)
    content = float(np.mean([metrics.content_distance(result, photo, size) for result, photo in pairs]))
    if content > content_bound:
        verdict = "These are hardly the photos any more; was the learning rate too high?"
    elif moved == 0:
        verdict = "Nothing was trained."
    elif moved <= limit and share <= style_share:
        return None
    elif share <= style_share:
        verdict = "The style is there, in too many numbers. Which tables can stay as they were?"
    elif moved <= limit:
        verdict = "It is small, and not yet in the style. Are these the tables that matter? Trained enough?"
    else:
        verdict = "Neither is there yet; begin with only_norm, then freeze tables one by one."
    return (
        f"{moved} numbers of the style changed (at most {limit}), style distance {share:.0%} of the start's (at most "
        f"{style_share:.0%}), content distance {content:.2f} (at most {content_bound:.2f}). {verdict}"
    )


register(
    Exercise(
        name="style-budget",
        chapter="06",
        task="Train the new style so that at most 400 of its numbers differ from the start and the style distance to "
        "the painting falls to less than half. Check the trained network: ex.check(network).",
        hints=(
            "only_norm trains all tables of scales and shifts. Is each of them needed?",
            "Set layer.trainable = False for some of the tables, by their place in the network, and compare.",
            "The encoder's tables alone do next to nothing. What is nearest to the pixels that are painted?",
        ),
        checks=(_within_budget,),
        right="most of a style is in the last layers: color and stroke, and little of what a thing is.",
        answer=small_style,
        # At 64 px, 90 steps, a pattern: all 2,272 numbers bring the style distance to 14 % of the start's, the first
        # two tables (256) to 99 %, two blocks (768) to 87 %, the last two (96) to 32 %, both ends (352) to 27 %;
        # content rises from 1.04 to at most 1.85.
        given={
            "start": REQUIRED,
            "painting": REQUIRED,
            "photos": REQUIRED,
            "limit": 400,
            "style_share": 0.5,
            "content_bound": 2.2,
        },
        takes_value=True,
        open=True,
    )
)
