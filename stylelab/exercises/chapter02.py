"""Exercises of chapter 02: the Gram matrix at two sizes, its gradient, two adversarial losses, a pot that stays red."""

from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array, close, compare, picture_of

# gram-normalization


def gram(f: Any) -> Any:
    """Products of channels averaged over positions: ``FᵀF / P``."""
    rows = np.reshape(f, (-1, f.shape[-1]))
    return rows.T @ rows / len(rows)


_PRODUCT = "rows.T @ rows"
GRAM_MISTAKES = (
    ("/ len(rows)", "/ rows.size", "you divide by the channels too; the mean is over positions only."),
    ("/ len(rows)", "/ (len(rows) - 1)", "you divide by P - 1, as for a sample variance; a mean divides by P."),
    (_PRODUCT, "(x := rows - rows.mean(0)).T @ x", "you subtract the means: that is the covariance. G keeps them."),
    (_PRODUCT, "(x := rows - rows.mean(1)[:, None]).T @ x", "you subtract each position's mean; G subtracts nothing."),
    (_PRODUCT, "rows.T**2 @ rows**2", "you square the features first; multiply channel by channel as they are."),
    (_PRODUCT, "abs(rows).T @ abs(rows)", "you drop the sign of the features; multiply them as they are."),
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
    (*one, channels), (*two, same) = np.shape(small), np.shape(large)
    if len(one) != 2 or len(two) != 2 or channels != same or np.prod(two) < 2 * np.prod(one):
        raise SettingsError(
            f"The features at two sizes have the shapes {[*one, channels]} and {[*two, same]}: give [H, W, C] of one "
            f"layer, the second with at least twice the positions."
        )
    norms = [np.linalg.norm(array(attempt(f), "your matrix", (channels, channels))) for f in (small, large)]
    ratio = norms[1] / norms[0] if norms[0] else np.nan
    sizes = f"at {two[0]} by {two[1]} positions your matrix is {ratio:.2f} times the one at {one[0]} by {one[1]}."
    if 0.7 < ratio < 1.4:
        return None
    many = "How many positions were summed?"
    return f"{sizes} {many if ratio > 1 else 'How often did you divide by the number of positions?'}"


def _gram_order(attempt: Attempt, **_: Any) -> str | None:
    """A shuffle of positions changes nothing."""
    rng = np.random.default_rng(2)
    f = rng.normal(size=(4, 5, 3))
    shuffled = rng.permutation(f.reshape(20, 3)).reshape(f.shape)
    before, after = (array(attempt(x), "your matrix", (3, 3)) for x in (f, shuffled))
    if close(before, after):
        return None
    dealt = f.reshape(3, 20)
    if close(before, dealt @ dealt.T / 20):
        return "a reshape to [C, P] deals the numbers out anew and mixes channels; reshape to [P, C], then transpose."
    return "shuffling the positions changes your matrix: it still knows where things were."


def _gram_formula(attempt: Attempt, **_: Any) -> str | None:
    f = np.random.default_rng(3).normal(0.5, 1, (6, 5, 8))
    return compare(attempt, (f,), gram, GRAM_MISTAKES, lambda g: {"your matrix": array(g, "your matrix", (8, 8))})


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


_PULL, _GRAM, _SIZE = "rows @ (gram - a)", "gram = rows.T @ rows / len(rows)", "np.sum(a**2)"
_DEALT = "reshape(f, (-1, f.shape[-1]))", "reshape(f, (f.shape[-1], -1)).T"  # in place of a transpose
GRADIENT_MISTAKES = (
    ("4 / len", "2 / len", "you have half of it: F stands in G twice, and both of them move."),
    ("4 / len", "1 / len", "you have a quarter of it: the square brings a 2, and F stands in G twice."),
    ("4 / len(rows)", "4", "your gradient is {ratio:.0f} times too large: G is a mean, with 1/P for each position."),
    ("4 / len(rows)", "4 / len(rows) ** 2", "you divide by P twice; the other one is in G already."),
    ("4 / len(rows)", "4 / rows.size", "you divide by the channels too; only the number of positions is in G."),
    (f" / {_SIZE}", "", "the size of the target is missing: the loss is relative, divided by |a|²."),
    (_SIZE, "np.sum(gram**2)", "you divide by the size of G; the loss divides by that of the target a."),
    (_SIZE, "np.sqrt(np.sum(a**2))", "you divide by |a|; the loss divides by its square."),
    (_SIZE, "np.sum(a) ** 2", "you divide by the square of the sum; |a|² is the sum of the squares."),
    (_SIZE, "np.mean(a**2)", "you divide by the mean square of a; |a|² is the sum of the squares."),
    ("gram - a", "a - gram", "the sign is turned: this points downhill, and a gradient points uphill."),
    ("gram - a", "gram", "the target is missing from the difference G - a: your gradient does not vanish there."),
    (_GRAM, "gram = rows.T @ rows", "inside G the sum over positions is not divided by P."),
    (_PULL, "rows @ (gram - a) ** 2", "the difference is squared; one power is gone when you derive."),
    (_PULL, "rows @ np.abs(gram - a)", "you take the difference without its sign."),
    (_PULL, "rows * np.diag(gram - a)", "you use only the diagonal of G - a; the products of two channels count too."),
    (*_DEALT, "the reshape to [C, P] deals the numbers out in another order; reshape to [P, C]."),
)


def _gradient_inputs(shape: tuple[int, int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, and another picture's Gram matrix as the target."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.3, 1, shape), gram(rng.normal(-0.4, 1.2, (6, 7, shape[-1])))


def _gradient_formula(attempt: Attempt) -> str | None:
    f, a = _gradient_inputs((4, 5, 3), 3)
    name = "your gradient"
    return compare(attempt, (f, a), gram_gradient, GRADIENT_MISTAKES, lambda g: {name: array(g, name, f.shape)})


def _gradient_vanishes(attempt: Attempt) -> str | None:
    """At the target itself there is nothing to change."""
    f, _ = _gradient_inputs((4, 5, 3), 5)
    size = np.abs(array(attempt(f, gram(f)), "your gradient", f.shape)).max()
    return None if size < 1e-6 else f"where G is the target already, your gradient is {size:.1g} and not zero."


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
_REAL, _FAKE = _D.split(" + ")
_PRINTED = "np.mean(np.logaddexp(0, -fake)) - np.mean(np.logaddexp(0, real))"
_JOINT = "np.mean(np.append(np.logaddexp(0, -real), np.logaddexp(0, fake)))"
_BACK = "return discriminator, generator"
PAIR_MISTAKES = (
    (_BACK, "return generator, discriminator", "the two losses are in the other order."),
    (_D, _PRINTED.replace(") - ", ") + "), "D's loss has real and fake exchanged: D learns the opposite."),
    (_D, _PRINTED, "D's loss is the article's (its section 4.2): exchanged, with a wrong sign, it has no minimum."),
    (_D, f"-({_D})", "D's loss has the sign of the value function, which D maximizes; here it is minimized."),
    (_D, _REAL, "the fake logits are missing from D's loss."),
    (_D, _FAKE, "the real logits are missing from D's loss."),
    (_D, f"({_D}) / 2", "D's loss is half of it; add the two means."),
    (_D, _JOINT, "D's loss is one mean over both batches; take a mean of each, so that neither outweighs the other."),
    (_D, _D.replace("mean", "sum"), "D's loss is a sum and grows with the batch; take means."),
    (_D, _D.replace("fake", "-fake"), "the sign of the fake logits is turned in D's loss."),
    (_D, _D.replace("-real", "real"), "the sign of the real logits is turned in D's loss."),
    (_G, "-np.mean(np.logaddexp(0, fake))", "G's loss is the saturating one: where D is sure, its slope is zero."),
    (_G, "np.mean(np.logaddexp(0, fake))", "G's loss falls with its logits: this generator wants to be found out."),
    (_G, f"-{_G}", "G's loss has the wrong sign: minimized, it would lower its logits."),
    (_G, f"{_G} + np.mean(np.logaddexp(0, real))", "G's loss has a term in real, which no generator can change."),
    (_G, _G.replace("mean", "sum"), "G's loss is a sum and grows with the batch; take the mean."),
    (_G, "-np.mean(fake)", "G's loss is that of Wasserstein and hinge; wanted is -log sigmoid(fake)."),
)


def _two(value: Any) -> dict[str, np.ndarray]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        what = f"{len(value)} values" if isinstance(value, tuple | list) else f"one {type(value).__name__}"
        raise Verdict("wrong", f"you returned {what}; return two: D's loss, G's loss.")
    return {name: array(part, name, ()) for part, name in zip(value, ("D's loss", "G's loss"), strict=True)}


def _pair_formula(attempt: Attempt) -> str | None:
    """On batches of different length, so that sums and joint means differ from means."""
    rng = np.random.default_rng(6)
    real, fake = rng.normal(1, 2, 7), rng.normal(-0.5, 2, 5)
    return compare(attempt, (real, fake), adversarial, PAIR_MISTAKES, _two)


def _pair_is_stable(attempt: Attempt) -> str | None:
    """Logits of a sure discriminator, which log(sigmoid(x)) does not survive."""
    real, fake = np.array([1000.0, -1000.0]), np.array([-1000.0, 1000.0])
    for name, got, wanted in zip(("D's loss", "G's loss"), attempt(real, fake), adversarial(real, fake), strict=True):
        if not close(got, wanted):
            why = "a bound cuts it" if np.isfinite(got) else "sigmoid is 0 or 1 there, so use softplus"
            return f"at logits of ±1000 {name} is {float(got):.4g} and should be {wanted:.4g}: {why}."
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
    """One of many answers: style everywhere, the photo's pixels in the pot. Another: the weights 1, 1, 0.2."""
    from stylelab.optimize import Optimize
    from stylelab.stylizers import KeepProduct

    return KeepProduct(Optimize(steps=100), pot).stylize(photo[None], painting)[0]


def _stays_red(attempt: Attempt, *, content: Any, style: Any, pot: Any, bounds: tuple[float, ...]) -> str | None:
    """The style is there, the picture is still the photo, the pot has its color: all three measured."""
    from stylelab import metrics

    picture, size = picture_of(attempt, np.shape(content)), max(np.shape(content))
    style_distance = metrics.style_distance(picture, style, size)
    content_distance = metrics.content_distance(picture, content, size)
    color = metrics.color_difference(picture, content, pot)
    style_bound, content_bound, color_bound = bounds
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
            "The weights 1, 1 and 0.2 are near a good place. A mask (stylizers.KeepProduct) is a way of its own.",
        ),
        checks=(_stays_red,),
        right="the waves are there and the pot is still the pot that is for sale.",
        answer=kept_red,
        # Style, content and color at most. At 160 px the weights 1, 1, 0.2 end at 0.11, 0.68, 15.6; 2, 1, 0 at 0.12,
        # 0.60, 19.3; 10, 1, 0.3 at 0.04, 1.14, 34.2; a mask at 0.11, 0.99, 3.1; the photo is at 0.78, 0, 0.
        given={"content": REQUIRED, "style": REQUIRED, "pot": REQUIRED, "bounds": (0.14, 1.2, 17.5)},
        takes_value=True,
        open=True,
    )
)
