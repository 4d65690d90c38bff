"""Exercises 8.1 and 8.2: the two hinge losses of the game, and the article's sum with each loss's own target."""

from typing import Any

import numpy as np

from stylelab.exercises import Exercise, register
from stylelab.exercises.attempt import Attempt, Mistake, Verdict, array, close, compare

# hinge-losses


def hinge_losses(real: Any, fake: Any) -> Any:
    """What judge and generator minimize (Lim and Ye 2017; Miyato et al. 2018, section 4), for logits of any shape."""
    judge = np.mean(np.maximum(0, 1 - real)) + np.mean(np.maximum(0, 1 + fake))
    generator = -np.mean(fake)
    return judge, generator


_REAL, _FAKE = "np.mean(np.maximum(0, 1 - real))", "np.mean(np.maximum(0, 1 + fake))"
_BOTH = f"{_REAL} + {_FAKE}"
HINGE_MISTAKES: tuple[Mistake, ...] = (
    ("return judge, generator", "return generator, judge", "the two are in the wrong order: the judge's first."),
    (
        _BOTH,
        "np.mean(np.maximum(0, 1 + real)) + np.mean(np.maximum(0, 1 - fake))",
        "both signs are turned: this judge is paid for calling paintings false and generated pictures real.",
    ),
    (_BOTH, f"-({_BOTH})", "this is minus the judge's loss; it minimizes, like the generator."),
    (_BOTH, _REAL, "the generated patches are missing in the judge's loss."),
    (_BOTH, _FAKE, "the real patches are missing in the judge's loss: it never sees a painting, as in the article."),
    (_BOTH, f"{_REAL} - {_FAKE}", "the generated patches' term has the wrong sign; both terms are costs and add up."),
    (_BOTH, f"({_BOTH}) / 2", "you halve the judge's loss; the two means are added."),
    (_BOTH, "np.mean(fake) - np.mean(real)", "the margin is missing: without the maximum it is the Wasserstein loss."),
    (
        _BOTH,
        "np.mean(np.maximum(0, -real)) + np.mean(np.maximum(0, fake))",
        "the margin of 1 is missing inside the maximum.",
    ),
    (
        _BOTH,
        "np.mean(np.logaddexp(0, -real)) + np.mean(np.logaddexp(0, fake))",
        "this is the cross-entropy; the hinge is a maximum and no logarithm.",
    ),
    ("np.maximum(0, 1 - real)", "np.maximum(0, 1 - real) ** 2", "the hinge of the real patches is squared."),
    (
        _BOTH,
        "np.sum(np.maximum(0, 1 - real)) + np.sum(np.maximum(0, 1 + fake))",
        "you take sums; with means a larger picture does not count more.",
    ),
    ("-np.mean(fake)", "np.mean(fake)", "the generator's sign is turned: it wants the logits of its pictures high."),
    (
        "-np.mean(fake)",
        "np.mean(np.maximum(0, 1 - fake))",
        "the generator has no hinge: it is never told to stop at a margin.",
    ),
    (
        "-np.mean(fake)",
        "np.mean(np.maximum(0, -fake))",
        "the generator has no maximum: its slope is the same everywhere.",
    ),
    ("-np.mean(fake)", "np.mean(np.logaddexp(0, -fake))", "this generator's loss belongs to the cross-entropy."),
    ("-np.mean(fake)", "-np.mean(real)", "the generator cannot change the logits of real patches; it needs fake's."),
    ("-np.mean(fake)", "-np.sum(fake)", "the generator's loss is a sum; take the mean."),
    (
        "-np.mean(fake)",
        "-judge",
        "the generator's loss is not minus the judge's: the real patches are no business of it.",
    ),
)


def _pair(value: Any) -> dict[str, np.ndarray]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Verdict("wrong", "return two numbers: the judge's loss, then the generator's.")
    names = ("the judge's loss", "the generator's loss")
    return {name: array(one, name, ()) for name, one in zip(names, value, strict=True)}


def _hinge_formula(attempt: Attempt) -> str | None:
    """Logits on both sides of the margin, and not as many real as generated ones."""
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0.7, 1.5, (2, 3, 4, 1)), rng.normal(-0.4, 1.5, (3, 5, 2, 1))
    return compare(attempt, (real, fake), hinge_losses, HINGE_MISTAKES, _pair)


def _hinge_rests(attempt: Attempt) -> str | None:
    """A judge that is right by more than the margin has nothing to pay; the generator still has."""
    judge, generator = _pair(attempt(np.full((2, 3), 1.5), np.full((4,), -2.5))).values()
    if judge != 0:
        return f"a judge that is right by more than the margin should pay 0, not {float(judge):.3g}."
    return None if close(generator, 2.5) else "with all generated logits at -2.5 the generator's loss is 2.5."


register(
    Exercise(
        name="hinge-losses",
        chapter="08",
        task="Write hinge_losses(real, fake) -> (the judge's loss, the generator's loss) for arrays of logits of any "
        "shape, not necessarily the same; both are to be minimized.",
        hints=(
            "The judge wants real logits above 1 and generated ones below -1, and pays for what is missing.",
            "What is missing to a margin is np.maximum(0, ...). Take the mean over each array and add.",
            "The generator has no margin: -np.mean(fake).",
        ),
        checks=(_hinge_formula, _hinge_rests),
        right="who is right by the margin is left alone, and the generator is never told that it is good enough.",
        answer=hinge_losses,
        mistakes=HINGE_MISTAKES,
    )
)

# repaired-sum


def generator_loss(painted: Any, photo: Any, painting: Any, fake: Any, weights: Any) -> Any:
    """``λ1 L_S + λ2 L_C + λ3 L_A``, each with its own target: features ``[H, W, C]`` of one layer, logits ``fake``."""

    def gram(f: Any) -> Any:
        rows = np.reshape(f, (-1, f.shape[-1]))
        return rows.T @ rows / len(rows)

    style = np.sum((gram(painted) - gram(painting)) ** 2) / np.sum(gram(painting) ** 2)
    content = np.sum((painted - photo) ** 2) / np.sum(photo**2)
    adversarial = -np.mean(fake)
    return weights[0] * style + weights[1] * content + weights[2] * adversarial


_STYLE = "np.sum((gram(painted) - gram(painting)) ** 2) / np.sum(gram(painting) ** 2)"
_CONTENT = "np.sum((painted - photo) ** 2) / np.sum(photo**2)"
_SUM = "weights[0] * style + weights[1] * content + weights[2] * adversarial"
SUM_MISTAKES: tuple[Mistake, ...] = (
    (
        _CONTENT,
        "np.sum((painted - painting) ** 2) / np.sum(painting**2)",
        "the painting is the target of both losses, the article's z: its minimum is a copy of the painting.",
    ),
    (
        _STYLE,
        "np.sum((gram(painted) - gram(photo)) ** 2) / np.sum(gram(photo) ** 2)",
        "the photo is the target of both losses: its minimum is the photo.",
    ),
    (
        f"{_STYLE}\n    content = {_CONTENT}",
        "np.sum((gram(painted) - gram(photo)) ** 2) / np.sum(gram(photo) ** 2)\n"
        "    content = np.sum((painted - painting) ** 2) / np.sum(painting**2)",
        "the two targets are exchanged: style belongs to the painting, content to the photo.",
    ),
    ("-np.mean(fake)", "np.mean(fake)", "the adversarial term has the wrong sign: the logits should rise."),
    (
        "-np.mean(fake)",
        "np.mean(np.maximum(0, 1 + fake))",
        "this adversarial term is the judge's; the generator's is minus the mean logit.",
    ),
    ("-np.mean(fake)", "np.mean(np.maximum(0, 1 - fake))", "the generator's side of the hinge loss has no margin."),
    ("-np.mean(fake)", "-np.sum(fake)", "the adversarial term is a sum over the patches; take the mean."),
    (_SUM, "style + content + adversarial", "the three weights are not used."),
    (
        _SUM,
        _SUM.replace("weights[0] * style", "weights[1] * style").replace(
            "weights[1] * content", "weights[0] * content"
        ),
        "the weights of style and content are exchanged: the order is style, content, adversarial.",
    ),
    (_SUM, "weights[0] * style + weights[1] * content", "the adversarial term is missing in the sum."),
    (_SUM, f"-({_SUM})", "this is to be maximized, as the article writes once; the generator minimizes."),
    (
        _STYLE,
        "np.sum((painted - painting) ** 2) / np.sum(painting**2)",
        "the style term compares features at their places; compare Gram matrices, which have none.",
    ),
    (
        "rows.T @ rows / len(rows)",
        "rows @ rows.T / len(rows)",
        "your Gram matrix is positions by positions; wanted is channels by channels, F^T F / P.",
    ),
    (_STYLE, "np.sum((gram(painted) - gram(painting)) ** 2)", "the style term is not divided by its target's size."),
    (_CONTENT, "np.sum((painted - photo) ** 2)", "the content term is not divided by its target's size."),
    (
        _STYLE,
        _STYLE.replace("/ np.sum(gram(painting) ** 2)", "/ np.sum(gram(painted) ** 2)"),
        "the style term is divided by the size of the result; the target's is fixed and cannot be made large.",
    ),
    (
        _CONTENT,
        "np.mean(np.abs(painted - photo)) / np.mean(np.abs(photo))",
        "the content term has absolute values, not squares.",
    ),
)
SIZE_MISTAKES: tuple[Mistake, ...] = (
    (
        "rows.T @ rows / len(rows)",
        "rows.T @ rows",
        "with a larger painting the style term changes: divide each Gram matrix by its number of positions.",
    ),
)
NAME = "your loss"


def _number(value: Any) -> dict[str, np.ndarray]:
    return {NAME: array(value, NAME, ())}


def _scene(seed: int, height: int, width: int) -> tuple[Any, Any, Any, Any]:
    """Features of a result, a photo and a painting, not negative as behind a ReLU, and logits."""
    rng = np.random.default_rng(seed)
    shapes = ((5, 4, 3), (5, 4, 3), (height, width, 3))
    painted, photo, painting = (rng.gamma(1.5, size, shape) for shape, size in zip(shapes, (1, 1.3, 0.8), strict=True))
    return painted, photo, painting, rng.normal(-0.5, 1, (2, 3, 3, 1))


def _sum_formula(attempt: Attempt) -> str | None:
    """All in one size first, so that a wrong target is a wrong number and no error; then, which term is wrong?"""
    scene = _scene(1, 5, 4)
    message = compare(attempt, (*scene, (7.0, 2.0, 0.5)), generator_loss, SUM_MISTAKES, _number)
    if not message or not message.startswith(f"{NAME} is not right"):
        return message
    for n, term in enumerate(("style", "content", "adversarial")):
        only = tuple(float(m == n) for m in range(3))
        got, wanted = (float(_number(value)[NAME]) for value in (attempt(*scene, only), generator_loss(*scene, only)))
        if not close(got, wanted):
            return f"with the weights {only} your loss is {got:.4g}, not {wanted:.4g}: look at the {term} term."
    return message


def _sum_of_sizes(attempt: Attempt) -> str | None:
    """A painting of another size than the photo."""
    return compare(attempt, (*_scene(2, 7, 6), (3.0, 1.0, 1.0)), generator_loss, SIZE_MISTAKES, _number)


def _sum_rests(attempt: Attempt) -> str | None:
    """The photo pays no content, the painting no style."""
    _, photo, painting, fake = _scene(3, 5, 4)
    for result, weights, term in ((photo, (0.0, 1.0, 0.0), "content"), (painting, (1.0, 0.0, 0.0), "style")):
        got = float(_number(attempt(result, photo, painting, fake, weights))[NAME])
        if abs(got) > 1e-9:
            return (
                f"the {'photo' if term == 'content' else 'painting'} itself should pay no {term}, yours pays {got:.3g}."
            )
    return None


register(
    Exercise(
        name="repaired-sum",
        chapter="08",
        task="Write generator_loss(painted, photo, painting, fake, weights) -> l1 L_S + l2 L_C + l3 L_A for features "
        "[H, W, C] of one layer and logits fake, weights = (l1, l2, l3): relative Gram error to the painting, relative "
        "squared error to the photo, minus the mean logit.",
        hints=(
            "Two pictures, two targets: what should keep its place, and what should keep its statistics?",
            "Gram matrix: rows = f.reshape(-1, C), then rows.T @ rows / len(rows), which takes any height and width.",
            "Relative: np.sum((a - target)**2) / np.sum(target**2), for features and for Gram matrices.",
            "The adversarial term is -np.mean(fake); add the three with weights[0], weights[1], weights[2].",
        ),
        checks=(_sum_formula, _sum_of_sizes, _sum_rests),
        right="each loss has its own target: now the weights mean something.",
        answer=generator_loss,
        mistakes=SUM_MISTAKES + SIZE_MISTAKES,
    )
)
