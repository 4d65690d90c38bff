"""Exercises of chapter 07: the best discriminator and what the game is worth with it, and KID without its bias."""

from functools import partial
from typing import Any

import numpy as np
from scipy.special import rel_entr, xlogy

from stylelab.exercises import Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array, close, compare

# optimal-judge


def best_judge(p: Any, q: Any) -> Any:
    """``D = p / (p + q)`` and the value of the game with it (Goodfellow et al. 2014, proposition 1 and eq. 1)."""
    total = p + q
    d = np.where(total > 0, p / np.where(total > 0, total, 1), 0.5)
    value = np.sum(xlogy(p, d) + xlogy(q, 1 - d))
    return d, value


_D = "np.where(total > 0, p / np.where(total > 0, total, 1), 0.5)"
_V, _SUM = "xlogy(p, d) + xlogy(q, 1 - d)", "np.sum(xlogy(p, d) + xlogy(q, 1 - d))"
JUDGE_MISTAKES = (
    (_V, "xlogy(p, d)", "the second term of your V is missing: the generated ones count as well."),
    (_V, "xlogy(p, d) + xlogy(q, d)", "your V has log D in both terms; of generated ones D says 1 - D."),
    (
        _V,
        "xlogy(q, d) + xlogy(p, 1 - d)",
        "your V has real and generated exchanged, as the article's section 4.2: p goes with log D.",
    ),
    (_V, "xlogy(p, d) - xlogy(q, 1 - d)", "the second term of your V has the wrong sign; both are added."),
    (_SUM, f"-{_SUM}", "this is the discriminator's loss; V has the opposite sign."),
    (_SUM, f"np.mean({_V})", "you take the mean over the points; p and q are weights already, so sum."),
    (_SUM, f"{_SUM} / np.log(2)", "your logarithms have base 2; V has natural ones."),
    (_SUM, f"{_SUM} + 2 * np.log(2)", "your V is 2 JS; the game is worth 2 JS - 2 log 2."),
    (_SUM, f"{_SUM} / 2 + np.log(2)", "your V is JS itself; the game is worth 2 JS - 2 log 2."),
    (_D, "q / total", "your D is q / (p + q): it says 1 to what the generator makes; it shall say 1 to real ones."),
    (_D, "p / q", "your D is p / q, which can be any size; a probability lies between 0 and 1."),
    (_D, "np.log(p / q)", "your D is log(p / q), the best logit; D is its sigmoid, p / (p + q)."),
    (_D, "1.0 * (p > q)", "your D says only which of the two is larger; the best one says by how much."),
    (_D, "p * 1.0", "your D is p itself: where real ones are likely. How likely are the others there?"),
    (_D, "p - q", "your D is p - q; set the derivative of p log D + q log(1 - D) to zero."),
)


def _judge_parts(value: Any, shape: tuple[int, ...], names: tuple[str, ...] = ("D", "V")) -> dict[str, np.ndarray]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Verdict("wrong", f"wanted are two things, D and V: return d, value; yours is a {type(value).__name__}.")
    parts = {"D": (value[0], shape), "V": (value[1], ())}
    return {f"your {name}": array(parts[name][0], f"your {name}", parts[name][1]) for name in names}


def _densities(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p, q = rng.gamma(1.0, 1.0, (2, count)) + 0.02
    return p / p.sum(), q / q.sum()


def _judge_formula(attempt: Attempt) -> str | None:
    """D first: with a wrong one V may be no number, and that is not what is to be said."""
    p, q = _densities(0, 7)
    for names in (("D",), ("D", "V")):
        said = compare(attempt, (p, q), best_judge, JUDGE_MISTAKES, partial(_judge_parts, shape=p.shape, names=names))
        if said:
            return said
    return None


def _judge_where_nothing_is(attempt: Attempt) -> str | None:
    """Points where one of the two is zero, and one where both are."""
    p, q = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.0, 0.25, 0.75, 0.0])
    d, value = _judge_parts(attempt(p, q), p.shape).values()
    if not close(d[:3], [1, 2 / 3, 0]) or not 0 <= d[3] <= 1:
        return f"for p = {p.tolist()} and q = {q.tolist()} your D is {np.round(d, 3).tolist()}; wanted: p / (p + q)."
    m = (p + q) / 2
    wanted = (rel_entr(p, m) + rel_entr(q, m)).sum() - 2 * np.log(2)
    if not close(value, wanted):
        return f"where p or q is zero your V is {value:.4f}, not {wanted:.4f}; 0 log 0 counts as 0."
    return None


register(
    Exercise(
        name="optimal-judge",
        chapter="07",
        task="Write best_judge(p, q) -> (D, V) for two lists of probabilities [K]: the best discriminator's answer at "
        "each of the K points, and the value of the game with it. Some points may have p or q, or both, zero.",
        hints=(
            "At one point the judge chooses one number y and gets p log y + q log(1 - y). Where is its derivative 0?",
            "V is the sum over the points of p log D + q log(1 - D). Where p is zero, its term is zero.",
            "scipy.special.xlogy(p, d) is p log d, with 0 log 0 = 0. Where p + q = 0 any D will do; take 0.5.",
        ),
        checks=(_judge_formula, _judge_where_nothing_is),
        right="the best judge is a ratio of densities, and with it the game measures how far p and q are apart.",
        answer=best_judge,
        mistakes=JUDGE_MISTAKES,
    )
)

# unbiased-kid


def squared_mmd(x: Any, y: Any) -> Any:
    """The unbiased squared MMD with the kernel of KID (Bińkowski et al. 2018, section 4)."""

    def kernel(a: Any, b: Any) -> Any:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def among(k: Any) -> Any:
        return (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))

    return among(kernel(x, x)) + among(kernel(y, y)) - 2 * kernel(x, y).mean()


_PAIRS = "(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))"
_WHOLE = "among(kernel(x, x)) + among(kernel(y, y)) - 2 * kernel(x, y).mean()"
KID_MISTAKES = (
    (_PAIRS, "k.mean()", "each picture is compared with itself too: that is the bias; leave the diagonal out."),
    (_PAIRS, "(k.sum() - np.trace(k)) / len(k) ** 2", "of N pictures there are N (N - 1) pairs, not N²."),
    (_PAIRS, "k.sum() / (len(k) * (len(k) - 1))", "the diagonal is still in the sums; take np.trace off."),
    (_PAIRS, "np.triu(k, 1).sum() / (len(k) * (len(k) - 1))", "you count each pair once and divide by two of each."),
    (_PAIRS, "k.sum() - np.trace(k)", "these are sums; a mean over pairs divides by N (N - 1)."),
    ("** 3", "** 2", "your kernel has the power 2; KID's is cubic."),
    (" + 1)", ")", "the + 1 of the kernel is missing: without it only third moments count."),
    (" / a.shape[1]", "", "the product of the features is not divided by their number d."),
    (" / a.shape[1]", " / len(a)", "you divide by the number of pictures; the kernel divides by that of features."),
    ("- 2 * kernel(x, y)", "- kernel(x, y)", "the mixed term counts twice: x with y, and y with x."),
    ("- 2 * kernel(x, y)", "+ 2 * kernel(x, y)", "the mixed term is subtracted: sets that are alike have 0."),
    ("2 * kernel(x, y).mean()", "2 * among(kernel(x, y)[:len(y), :len(x)])", "no pair of x and y is to be left out."),
    (" + among(kernel(y, y))", "", "the pairs within the second set are missing."),
    (_WHOLE, f"np.sqrt(np.abs({_WHOLE}))", "you take a root: KID is the squared distance."),
    (_WHOLE, f"max(0.0, {_WHOLE})", "you cut it off at 0: an estimate without bias must be allowed to be negative."),
    (_WHOLE, f"abs({_WHOLE})", "you take the absolute value: an estimate without bias may be negative."),
)


def _one_number(value: Any) -> dict[str, np.ndarray]:
    return {"your distance": array(value, "your distance", ())}


def _kid_formula(attempt: Attempt) -> str | None:
    """Two sets of different sizes and sources."""
    rng = np.random.default_rng(0)
    sets = rng.gamma(2.0, 0.5, (9, 5)), rng.gamma(2.0, 0.5, (7, 5)) + 0.6
    return compare(attempt, sets, squared_mmd, KID_MISTAKES, _one_number)


def _kid_of_one_source(attempt: Attempt) -> str | None:
    """Sets of one source whose estimate is below 0; there is one among few, since the mean of all is 0."""
    draws = (np.random.default_rng(seed).gamma(2.0, 0.5, (16, 4)) for seed in range(100))
    sets = next((rows[:8], rows[8:]) for rows in draws if squared_mmd(rows[:8], rows[8:]) < -0.01)
    return compare(attempt, sets, squared_mmd, KID_MISTAKES, _one_number)


register(
    Exercise(
        name="unbiased-kid",
        chapter="07",
        task="Write squared_mmd(x, y) for features x [N, d] and y [M, d]: the mean of k over pairs within x, plus that "
        "within y, minus twice that between them, with k(a, b) = (a.b / d + 1)**3 and no picture paired with itself.",
        hints=(
            "All kernels of two sets at once: a matrix product, divided by d, plus 1, to the third power.",
            "Within a set the diagonal is each picture with itself: take its sum off, and divide by N (N - 1).",
            "(k.sum() - np.trace(k)) / (N * (N - 1)) for both sets, and minus 2 * (x with y).mean().",
        ),
        checks=(_kid_formula, _kid_of_one_source),
        right="its mean over all draws of one source is 0 at any number of pictures, so small sets can be compared.",
        answer=squared_mmd,
        mistakes=KID_MISTAKES,
    )
)
