"""Exercises of chapter 02: the Gram matrix at two sizes, its gradient, two adversarial losses, a pot that stays red."""

from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array, close, compare

# gram-normalization


def gram(f: Any) -> Any:
    """Products of channels averaged over positions: ``FᵀF / P``."""
    rows = np.reshape(f, (-1, f.shape[-1]))
    return rows.T @ rows / len(rows)


_DEALT = ("np.reshape(f, (-1, f.shape[-1]))", "np.reshape(f, (f.shape[-1], -1)).T")  # a reshape in place of a transpose
GRAM_MISTAKES = (
    ("/ len(rows)", "/ rows.size", "you divide by the channels too; the mean is over positions only."),
    ("/ len(rows)", "/ (len(rows) - 1)", "you divide by P - 1, as for a sample variance; a mean divides by P."),
    (
        "rows.T @ rows",
        "(rows - rows.mean(0)).T @ (rows - rows.mean(0))",
        "you subtract the mean of each channel first: that is the covariance. The Gram matrix keeps the means.",
    ),
    (
        "rows.T @ rows",
        "(rows - rows.mean(1)[:, None]).T @ (rows - rows.mean(1)[:, None])",
        "you subtract the mean of each position; the Gram matrix subtracts nothing.",
    ),
    ("rows.T @ rows", "rows.T**2 @ rows**2", "you square the features first; multiply channel by channel as they are."),
    ("rows.T @ rows", "abs(rows).T @ abs(rows)", "you drop the sign of the features; multiply them as they are."),
)


def _gram_shape(attempt: Attempt, **_: Any) -> str | None:
    """One row and one column for each channel."""
    value = attempt(np.random.default_rng(0).normal(size=(3, 4, 2)))
    if np.shape(value) == (12, 12):
        return "your matrix is 12 by 12, one row a position; wanted is one row a channel. Which axis is summed over?"
    if np.shape(value) in ((3, 2, 2), (4, 2, 2)):
        return f"your result has shape {list(np.shape(value))}; rows and columns are both positions: sum over both."
    array(value, "your matrix", (2, 2))
    return None


def _gram_sizes(attempt: Attempt, *, small: Any, large: Any) -> str | None:
    """The same painting at two sizes: about the same matrix."""
    if small is None:
        small = np.random.default_rng(1).normal(0.5, 1, (6, 8, 4))
        large = small.repeat(2, axis=0).repeat(2, axis=1)
    small, large = np.asarray(small, "float64"), np.asarray(large, "float64")
    if small.ndim != 3 or large.ndim != 3 or small.shape[-1] != large.shape[-1] or large.size < 2 * small.size:
        raise SettingsError(
            f"The features at two sizes have the shapes {list(small.shape)} and {list(large.shape)}: give [H, W, C] "
            f"of one layer, the second with at least twice the positions."
        )
    channels = small.shape[-1]
    one, two = (array(attempt(f), "your matrix", (channels, channels)) for f in (small, large))
    with np.errstate(all="ignore"):
        ratio = np.linalg.norm(two) / np.linalg.norm(one)
    sizes = (
        f"at {large.shape[0]} by {large.shape[1]} positions your matrix is {ratio:.2f} times the one "
        f"at {small.shape[0]} by {small.shape[1]}."
    )
    if ratio > 1.4:
        return f"{sizes} How many positions were summed?"
    if not ratio > 0.7:
        return f"{sizes} How often did you divide by the number of positions?"
    return None


def _gram_order(attempt: Attempt, **_: Any) -> str | None:
    """A shuffle of positions changes nothing."""
    rng = np.random.default_rng(2)
    f = rng.normal(size=(4, 5, 3))
    shuffled = rng.permutation(f.reshape(20, 3)).reshape(f.shape)
    before, after = (array(attempt(x), "your matrix", (3, 3)) for x in (f, shuffled))
    if close(before, after):
        return None
    if close(before, _gram_of_dealt(f)):
        return "a reshape to [C, P] deals the numbers out anew and mixes channels; reshape to [P, C], then transpose."
    return "shuffling the positions changes your matrix: it still knows where things were."


def _gram_of_dealt(f: np.ndarray) -> np.ndarray:
    """The Gram matrix of a map that was reshaped to ``[C, P]`` with its channels last: a well-known slip."""
    rows = f.reshape(f.shape[-1], -1).T
    return rows.T @ rows / len(rows)


def _gram_formula(attempt: Attempt, **_: Any) -> str | None:
    rng = np.random.default_rng(3)
    for shape in (5, 7, 3), (6, 4, 8):

        def parts(value: Any, channels: int = shape[-1]) -> dict[str, np.ndarray]:
            return {"your matrix": array(value, "your matrix", (channels, channels))}

        message = compare(attempt, (rng.normal(0.5, 1, shape),), gram, GRAM_MISTAKES, parts)
        if message:
            return message
    return None


register(
    Exercise(
        name="gram-normalization",
        chapter="02",
        task="Write gram(f) -> [C, C] for features f of shape [H, W, C], so that one painting has nearly the same "
        "matrix at every size.",
        hints=(
            "Two sizes of one painting differ in the number of positions. What must not grow with it?",
            "Make a matrix with one row for each position: np.reshape(f, (-1, f.shape[-1])).",
            "rows.T @ rows sums over positions. Divide the sum by their number, H times W.",
        ),
        checks=(_gram_shape, _gram_order, _gram_sizes, _gram_formula),
        right="a mean over positions forgets where things were and how many pixels there are; what is left is style.",
        answer=gram,
        mistakes=GRAM_MISTAKES,
        given={"small": None, "large": None},
    )
)

# gram-gradient


def gram_gradient(f: Any, a: Any) -> Any:
    """The gradient of ``|G(f) - a|² / |a|²`` by the features: ``4 / (P |a|²) F (G - a)``."""
    rows = np.reshape(f, (-1, f.shape[-1]))
    gram = rows.T @ rows / len(rows)
    slope = 4 / len(rows) * rows @ (gram - a) / np.sum(a**2)
    return np.reshape(slope, f.shape)


GRADIENT_MISTAKES = (
    ("4 / len", "2 / len", "you have half of it: F stands in G twice, and both of them move."),
    ("4 / len", "1 / len", "you have a quarter of it: the square brings a 2, and F stands in G twice."),
    (
        "4 / len(rows)",
        "4",
        "your gradient is {ratio:.0f} times too large: G is a mean over P positions, so each has 1/P of it.",
    ),
    ("4 / len(rows)", "4 / len(rows) ** 2", "you divide by P twice; the other one is in G already."),
    ("4 / len(rows)", "4 / rows.size", "you divide by the channels too; only the number of positions is in G."),
    (" / np.sum(a**2)", "", "the size of the target is missing: the loss is relative, divided by |a|²."),
    ("np.sum(a**2)", "np.sum(gram**2)", "you divide by the size of G; the loss divides by that of the target a."),
    ("np.sum(a**2)", "np.sqrt(np.sum(a**2))", "you divide by |a|; the loss divides by its square."),
    ("np.sum(a**2)", "np.sum(a) ** 2", "you divide by the square of the sum; |a|² is the sum of the squares."),
    ("np.sum(a**2)", "np.mean(a**2)", "you divide by the mean square of a; |a|² is the sum of the squares."),
    ("gram - a", "a - gram", "the sign is turned: this points downhill, and a gradient points uphill."),
    ("gram - a", "gram", "the target is missing from the difference G - a: your gradient does not vanish there."),
    (
        "gram = rows.T @ rows / len(rows)",
        "gram = rows.T @ rows",
        "inside G the sum over positions is not divided by P.",
    ),
    ("rows @ (gram - a)", "rows @ (gram - a) ** 2", "the difference is squared; one power is gone when you derive."),
    ("rows @ (gram - a)", "rows @ np.abs(gram - a)", "you take the difference without its sign."),
    (*_DEALT, "the reshape to [C, P] deals the numbers out in another order; reshape to [P, C]."),
    (
        "gram - a",
        "np.diag(np.diag(gram - a))",
        "only the diagonal of G - a is in your gradient; the products of two channels count as well.",
    ),
)


def _gradient_inputs(shape: tuple[int, int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, and another picture's Gram matrix as the target."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.3, 1, shape), gram(rng.normal(-0.4, 1.2, (6, 7, shape[-1])))


def _slopes(f: np.ndarray, a: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient by central differences of the loss itself: what no algebra can get wrong."""

    def loss(x: np.ndarray) -> float:
        return float(np.sum((gram(x) - a) ** 2) / np.sum(a**2))

    found = np.zeros(f.shape)
    for index in np.ndindex(f.shape):
        moved = np.zeros(f.shape)
        moved[index] = step
        found[index] = (loss(f + moved) - loss(f - moved)) / (2 * step)
    return found


def _gradient_formula(attempt: Attempt) -> str | None:
    """Against the formula, which names the mistake, and against differences of the loss, which know no formula."""
    for shape, seed in ((4, 5, 3), 3), ((3, 2, 4), 4):
        f, a = _gradient_inputs(shape, seed)

        def parts(value: Any, shape: tuple[int, ...] = shape) -> dict[str, np.ndarray]:
            return {"your gradient": array(value, "your gradient", shape)}

        message = compare(attempt, (f, a), gram_gradient, GRADIENT_MISTAKES, parts)
        if message:
            return message
        if not np.allclose(attempt(f, a), _slopes(f, a), rtol=1e-4, atol=1e-6):
            return "your gradient is not the slope of the loss: compare it with (L(f + h) - L(f - h)) / (2 h)."
    return None


def _gradient_vanishes(attempt: Attempt) -> str | None:
    """At the target itself there is nothing to change."""
    f, _ = _gradient_inputs((4, 5, 3), 5)
    size = np.abs(array(attempt(f, gram(f)), "your gradient", f.shape)).max()
    return None if size < 1e-9 else f"where G is the target already, your gradient is {size:.1g} and not zero."


register(
    Exercise(
        name="gram-gradient",
        chapter="02",
        task="Write gram_gradient(f, a) -> the gradient of |G(f) - a|² / |a|² by the features f [H, W, C], "
        "where a [C, C] is the painting's Gram matrix. The result has the shape of f.",
        hints=(
            "Section 2.4 has it line by line; the target a is a constant.",
            "The outer square gives 2 (G - a) / |a|². In G each feature stands twice, and G has a 1/P.",
            "With rows of shape [P, C]: 4 / (P |a|²) times rows @ (G - a), reshaped to the shape of f.",
        ),
        checks=(_gradient_formula, _gradient_vanishes),
        right="one matrix, G - a, for every position: style has a direction to go and no place to be.",
        answer=gram_gradient,
        mistakes=GRADIENT_MISTAKES,
    )
)

# adversarial-pair


def adversarial(real: Any, fake: Any) -> Any:
    """The discriminator's and the non-saturating generator's loss, from logits, both to be minimized."""
    discriminator = np.mean(np.logaddexp(0, -real)) + np.mean(np.logaddexp(0, fake))
    generator = np.mean(np.logaddexp(0, -fake))
    return discriminator, generator


_D, _G = "np.mean(np.logaddexp(0, -real)) + np.mean(np.logaddexp(0, fake))", "np.mean(np.logaddexp(0, -fake))"
PAIR_MISTAKES = (
    ("return discriminator, generator", "return generator, discriminator", "the two are in the other order."),
    (
        _D,
        "np.mean(np.logaddexp(0, real)) + np.mean(np.logaddexp(0, -fake))",
        "real and generated are swapped in the discriminator's loss: it would learn to call the painting a fake.",
    ),
    (
        _D,
        "np.mean(np.logaddexp(0, -fake)) - np.mean(np.logaddexp(0, real))",
        "this is the article's loss (its section 4.2): swapped and with the wrong sign, it has no minimum.",
    ),
    (
        _D,
        f"-({_D})",
        "the discriminator's loss has the sign of the value function, which it maximizes; here it is minimized.",
    ),
    (_D, "np.mean(np.logaddexp(0, -real))", "the generated pictures are missing from the discriminator's loss."),
    (_D, "np.mean(np.logaddexp(0, fake))", "the real pictures are missing from the discriminator's loss."),
    (_D, f"({_D}) / 2", "the discriminator's loss is half of it; add the two means."),
    (
        _D,
        "np.mean(np.concatenate([np.logaddexp(0, -real), np.logaddexp(0, fake)]))",
        "you take one mean over both batches; take a mean of each, so that neither batch outweighs the other.",
    ),
    (
        _D,
        _D.replace("np.mean", "np.sum"),
        "the discriminator's loss is a sum and grows with the batch; take means.",
    ),
    (_D, _D.replace("fake", "-fake"), "the sign of the generated logits is turned in the discriminator's loss."),
    (_D, _D.replace("-real", "real"), "the sign of the real logits is turned in the discriminator's loss."),
    (
        _G,
        "-np.mean(np.logaddexp(0, fake))",
        "the generator's loss is the saturating one: where the discriminator is sure, its slope is zero.",
    ),
    (_G, "np.mean(np.logaddexp(0, fake))", "this generator wants to be found out: its loss falls with the logit of D."),
    (_G, f"-{_G}", "the generator's loss has the wrong sign: minimized, it would lower its logits."),
    (_G, f"{_G} + np.mean(np.logaddexp(0, real))", "no real picture comes from the generator; its loss has only fake."),
    (_G, _G.replace("np.mean", "np.sum"), "the generator's loss is a sum and grows with the batch; take the mean."),
    (_G, "-np.mean(fake)", "the generator's loss is that of Wasserstein and hinge; wanted is -log sigmoid(fake)."),
)


def _two(value: Any) -> dict[str, np.ndarray]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        what = f"{len(value)} values" if isinstance(value, tuple | list) else f"one {type(value).__name__}"
        raise Verdict("wrong", f"you returned {what}; return two: the discriminator's loss, the generator's loss.")
    names = ("the discriminator's loss", "the generator's loss")
    return {name: array(part, name, ()) for part, name in zip(value, names, strict=True)}


def _pair_formula(attempt: Attempt) -> str | None:
    """On batches of different length, so that sums and joint means differ from means."""
    rng = np.random.default_rng(6)
    real, fake = rng.normal(1, 2, 7), rng.normal(-0.5, 2, 5)
    return compare(attempt, (real, fake), adversarial, PAIR_MISTAKES, _two)


def _pair_is_stable(attempt: Attempt) -> str | None:
    """Logits of a sure discriminator, which log(sigmoid(x)) does not survive."""
    real, fake = np.array([1000.0, -1000.0]), np.array([-1000.0, 1000.0])
    value = attempt(real, fake)
    for part, name in zip(value, ("the discriminator's loss", "the generator's loss"), strict=True):
        if not np.isfinite(np.asarray(part, dtype=np.float64)):
            return f"at logits of ±1000 {name} is {float(part)}: sigmoid rounds to 0 or 1 there, so use softplus."
    for (name, got), wanted in zip(_two(value).items(), adversarial(real, fake), strict=True):
        if not close(got, wanted):
            return f"at logits of ±1000 {name} is {got:.4g} and should be {wanted:.4g}: a bound cuts it."
    return None


register(
    Exercise(
        name="adversarial-pair",
        chapter="02",
        task="Write adversarial(real, fake) -> (discriminator's loss, generator's loss) from logits: cross-entropy "
        "for the discriminator, the non-saturating loss for the generator. Both are means, both are to be minimized, "
        "and both are right at logits of ±1000.",
        hints=(
            "Which of the two losses must fall when a real logit rises? And which when a fake one rises?",
            "With D = sigmoid(logit): -log D = softplus(-logit) and -log(1 - D) = softplus(logit).",
            "softplus(x) = log(1 + e^x) is np.logaddexp(0, x), which no logit overflows.",
            "D: mean softplus(-real) + mean softplus(fake). G: mean softplus(-fake).",
        ),
        checks=(_pair_formula, _pair_is_stable),
        right="the discriminator wants real up and fake down, the generator wants fake up: two losses and no third.",
        answer=adversarial,
        mistakes=PAIR_MISTAKES,
    )
)

# pot-stays-red


def kept_red(photo: np.ndarray, painting: np.ndarray, pot: np.ndarray) -> np.ndarray:
    """One of many answers: a strong style everywhere, the photo's own pixels in the pot.

    Another is the chapter's objective with all three weights, such as 1, 1 and 0.3.
    """
    from stylelab.optimize import Optimize
    from stylelab.stylizers import KeepProduct

    return KeepProduct(Optimize(steps=100), pot).stylize(photo[None], painting)[0]


def _picture(attempt: Attempt, shape: tuple[int, ...]) -> np.ndarray:
    value = np.asarray(attempt())
    value = value[0] if value.ndim == 4 and len(value) == 1 else value
    picture = array(value, "your picture", shape)
    low, high = picture.min(), picture.max()
    if low < -1e-3 or high > 1 + 1e-3:
        raise Verdict("wrong", f"your picture runs from {low:.2f} to {high:.2f}; wanted is 0..1.")
    return np.clip(picture, 0, 1).astype("float32")


def _stays_red(
    attempt: Attempt,
    *,
    content: np.ndarray,
    style: np.ndarray,
    pot: np.ndarray,
    style_bound: float,
    content_bound: float,
    color_bound: float,
) -> str | None:
    """The style is there, the picture is still the photo, the pot has its color: all three measured."""
    from stylelab import metrics

    shape = np.shape(content)
    if np.shape(pot) != (*shape[:2], 1) or not np.any(np.asarray(pot) >= 0.5):
        raise SettingsError(
            f"The pot has shape {list(np.shape(pot))} and {np.sum(pot):.0f} marked pixels: give a mask of shape "
            f"[{shape[0]}, {shape[1]}, 1] with 1 where the product is."
        )
    picture = _picture(attempt, shape)
    size = max(shape[:2])
    style_distance = metrics.style_distance(picture, style, size)
    content_distance = metrics.content_distance(picture, content, size)
    color = metrics.color_difference(picture, content, pot)
    styled, red = style_distance <= style_bound, color <= color_bound
    if content_distance > content_bound:
        verdict = "This is hardly the photo any more: which of the three weights holds it together?"
    elif styled and red:
        return None
    elif styled:
        verdict = "The style is there and the pot has lost its color. Which of the three losses sees a mean color?"
    elif red:
        verdict = "The pot is red and the style is missing. Which weight can rise and leave the pot alone?"
    else:
        verdict = "Neither is there yet; begin with the weights of section 2.10 and change one at a time."
    return (
        f"style distance {style_distance:.3f} (at most {style_bound:.3f}), "
        f"content distance {content_distance:.2f} (at most {content_bound:.2f}), "
        f"color difference in the pot {color:.1f} (at most {color_bound:.1f}). {verdict}"
    )


register(
    Exercise(
        name="pot-stays-red",
        chapter="02",
        task="Bring the painting's style onto the photo and leave the pot its color, with any weights and means you "
        "like. Check the picture that comes out: ex.check(lambda: result).",
        hints=(
            "Style and content pull along one curve. The third loss has a curve of its own.",
            "With a content weight of 1, lower the style weight until the pot is red; then raise the adversarial one.",
            "The weights 1, 1 and 0.3 are near a good place. A mask (stylizers.KeepProduct) is a way of its own.",
        ),
        checks=(_stays_red,),
        right="the waves are there and the pot is still the pot that is for sale.",
        answer=kept_red,
        given={
            "content": REQUIRED,
            "style": REQUIRED,
            "pot": REQUIRED,
            "style_bound": 0.15,
            "content_bound": 1.2,
            "color_bound": 17.0,
        },
        takes_value=True,
    )
)
