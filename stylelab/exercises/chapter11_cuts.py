"""Exercise of chapter 11: what it costs to cut a photo along a line, GrabCut's boundary term."""

from typing import Any

import numpy as np

from stylelab.exercises import Exercise, register
from stylelab.exercises.attempt import Attempt, array, compare

# cut-cost


def cut_cost(rgb: Any, labels: Any, gamma: float) -> Any:
    """GrabCut's boundary term over neighbors side by side and one above the other (Rother et al. 2004, eq. 11)."""
    pairs = [(np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])]
    apart = np.concatenate([np.sum((rgb[b] - rgb[a]) ** 2, -1).ravel() for b, a in pairs])
    cut = np.concatenate([(labels[b] != labels[a]).ravel() for b, a in pairs])
    beta = 1 / np.maximum(2 * np.mean(apart), 1e-12)
    return gamma * np.sum(cut * np.exp(-beta * apart))


_BETA, _COST = "1 / np.maximum(2 * np.mean(apart), 1e-12)", "gamma * np.sum(cut * np.exp(-beta * apart))"
CUT_MISTAKES = (
    (_COST, "gamma * np.sum(cut)", "you count the cut pairs: an edge in the photo must make its cut cheap, by exp."),
    (
        _COST,
        "np.sum(cut * np.exp(-beta * apart))",
        "gamma is missing: it says how much a cut costs against the colors.",
    ),
    (_COST, "gamma * np.mean(cut * np.exp(-beta * apart))", "you take the mean; every cut pair costs: sum them."),
    (_COST, "gamma * np.sum(np.exp(-beta * apart))", "all pairs pay; only those with different labels are cut."),
    (_COST, "gamma * np.sum(~cut * np.exp(-beta * apart))", "you charge the pairs that are not cut."),
    (
        _COST,
        "gamma * np.sum(cut * np.exp(beta * apart))",
        "the sign is missing: an edge in the photo makes the cut cheap.",
    ),
    (
        _COST,
        "gamma * np.sum(cut * np.exp(-beta * np.sqrt(apart)))",
        "the distance is not squared; beta was chosen for its square.",
    ),
    (
        _COST,
        "gamma * np.sum(cut * (1 - np.exp(-beta * apart)))",
        "you have it the wrong way round: flat cuts are cheap.",
    ),
    (_COST, "2 * gamma * np.sum(cut * np.exp(-beta * apart))", "each pair is counted twice, once from either side."),
    (
        _BETA,
        "1 / np.maximum(np.mean(apart), 1e-12)",
        "beta is 1 over twice the mean squared distance: the 2 is missing.",
    ),
    (_BETA, "1.0", "beta is missing: without it the same photo, brighter, is cut elsewhere."),
    (
        _BETA,
        "1 / np.maximum(2 * np.mean(np.sqrt(apart)) ** 2, 1e-12)",
        "beta takes the mean of the squared distances, not the square of their mean.",
    ),
    (
        _BETA,
        "1 / np.maximum(2 * np.mean(apart[cut]), 1e-12)",
        "beta is a constant of the photo: the mean is over all pairs.",
    ),
    (_BETA, "1 / np.maximum(2 * np.sum(apart), 1e-12)", "beta takes the mean over all pairs, and you sum them."),
    (", (np.s_[1:], np.s_[:-1])", "", "pairs one above the other are missing."),
    ("(np.s_[:, 1:], np.s_[:, :-1]), ", "", "pairs side by side are missing."),
)


def _cost(value: Any) -> dict[str, np.ndarray]:
    return {"the cost": array(value, "the cost", ())}


def _photo(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo of two colors and noise, and labels that follow its edge nearly."""
    rng = np.random.default_rng(seed)
    rgb = rng.normal(0.3, 0.08, (9, 11, 3))
    rgb[3:7, 2:8] += (0.3, 0.2, -0.1)
    labels = np.zeros((9, 11), bool)
    labels[2:7, 2:9] = True
    labels[4, 4] = False
    return rgb, labels


def _cut_formula(attempt: Attempt) -> str | None:
    return compare(attempt, (*_photo(1), 30.0), cut_cost, CUT_MISTAKES, _cost)


def _cut_invariants(attempt: Attempt) -> str | None:
    """What needs no formula: nothing cut, names exchanged, another exposure, a flat photo."""
    rgb, labels = _photo(2)

    def cost(rgb: np.ndarray, labels: np.ndarray) -> float:
        return float(array(attempt(rgb, labels, 50.0), "the cost", ()))

    full = cost(rgb, labels)
    if abs(cost(rgb, np.zeros_like(labels))) > 1e-9:
        return "where all pixels have one label nothing is cut, and the cost is 0."
    if not np.isclose(cost(rgb, ~labels), full):
        return "exchange the labels 0 and 1, and the same pairs are cut: the cost must stay."
    if not np.isclose(cost(0.5 * rgb + 0.2, labels), full):
        return "half the contrast on a brighter ground, and your cost is another one; what does beta divide by?"
    flat, one = np.full((4, 5, 3), 0.5), np.zeros((4, 5), bool)
    one[1, 1] = True
    if not np.isclose(cost(flat, one), 200):
        return f"one pixel cut out of a flat photo cuts 4 pairs: 4 x 50 = 200, and not {cost(flat, one):.4g}."
    return None


register(
    Exercise(
        name="cut-cost",
        chapter="11",
        task="Write cut_cost(rgb, labels, gamma) for a photo [H, W, 3] and labels [H, W] of True and False: gamma "
        "times the sum of exp(-beta * squared distance of colors) over the pairs of neighbors, side by side and one "
        "above the other, whose labels differ; beta is 1 over twice the mean squared distance of all such pairs.",
        hints=(
            "Two kinds of pairs: rgb[:, 1:] with rgb[:, :-1], and rgb[1:] with rgb[:-1]; the same for the labels.",
            "Squared distances are summed over the three channels. beta looks at all pairs, the cost at those cut.",
            "gamma * np.sum(cut * np.exp(-beta * apart)) with beta = 1 / max(2 * apart.mean(), 1e-12).",
        ),
        checks=(_cut_formula, _cut_invariants),
        right="cheap along the photo's edges and dear across its flat parts: the cut looks for an outline by itself.",
        answer=cut_cost,
        mistakes=CUT_MISTAKES,
    )
)
