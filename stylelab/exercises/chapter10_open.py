"""The open exercise of chapter 10: a page of new chairs, near to the real ones, different, and no copies."""

from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array

PAGE = "your page"


def new_chairs(drawn: Any, real: Any, count: int = 24) -> Any:
    """One of many answers: of many drawn pictures, one after the other the one that brings the set nearest."""
    from stylelab import metrics

    ours, theirs = metrics.vgg_features(drawn), metrics.vgg_features(real)
    alike = (ours @ ours.T / ours.shape[1] + 1) ** 3
    near = ((ours @ theirs.T / ours.shape[1] + 1) ** 3).mean(1)
    chosen: list[int] = []
    for size in range(count):
        # KID as far as a choice changes it: alike among themselves is bad, near to the real ones good.
        cost = 2 * alike[:, chosen].sum(1) / max(1, size) - 2 * near
        cost[chosen] = np.inf
        chosen.append(int(cost.argmin()))
    return drawn[chosen]


def far(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distances of all rows of two sets, ``[N, M]``."""
    return np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0))


def _page(attempt: Attempt, *, real: Any, count: int, kid_bound: float, diversity_bound: float) -> str | None:
    """Near, different, and no copies: all measured in the same features."""
    from stylelab import metrics

    real = np.asarray(real)
    if real.ndim != 4 or len(real) < 20 or count < 2:
        raise SettingsError("Give at least 20 real pictures [N, H, W, 3], and a page of at least 2.")
    page = array(attempt(), PAGE, (count, *real.shape[1:]))
    if page.min() < -1e-3 or page.max() > 1 + 1e-3:
        raise Verdict("wrong", f"{PAGE} runs from {page.min():.2f} to {page.max():.2f}; wanted is 0..1.")
    ours = metrics.vgg_features(np.clip(page, 0, 1).astype("float32"))
    theirs = metrics.vgg_features(real)
    kid = metrics.kid(theirs, ours, subsets=2).value
    diversity = metrics.collapse(ours, theirs).diversity
    # Half of what lies between a real picture and its nearest other one; equal ones (mirror images) do not count.
    between = far(theirs, theirs)
    between[between < 0.1 * np.median(between)] = np.inf
    nearest = far(ours, theirs).min(1)
    copies = int((nearest < 0.5 * np.median(between.min(1))).sum())
    if copies:
        verdict = "Those are pictures that the network was trained on, or nearly; a page of them is no new page."
    elif kid <= kid_bound and diversity >= diversity_bound:
        return None
    elif diversity >= diversity_bound:
        verdict = "They differ, and are not what the shop has. Draw more than you need, and choose."
    elif kid <= kid_bound:
        verdict = "They are like the shop's, and too much alike. Is psi too small, or one style in all of them?"
    else:
        verdict = "Neither is there yet. Begin with game.sample(200, seed=...) and choose from it."
    return (
        f"{copies} of {count} are copies (at most 0), KID {kid:.2f} (at most {kid_bound:.2f}), diversity "
        f"{diversity:.2f} (at least {diversity_bound:.2f}). {verdict}"
    )


register(
    Exercise(
        name="new-chairs",
        chapter="10",
        task="Make a page of 24 pictures [24, 64, 64, 3] in 0..1: near to the real ones in KID, about as different "
        "from each other, and none of them a copy. Check the page: ex.check(page).",
        hints=(
            "Pictures of game.sample are no copies. What can you do with more of them than you need?",
            "Of 200 pictures take those that bring the set nearer to the real one, one after the other.",
            "KID in features: kernel (x.y/d + 1)^3, mean over pairs of ours, less twice the mean with the real ones.",
        ),
        checks=(_page,),
        right="choosing is half of generating: the network proposes, and a measure that you understand disposes.",
        answer=new_chairs,
        # The shipped network, psi = 1: 24 pictures as they come have a KID of 0.23 to 0.46 and a diversity of 0.80 to
        # 0.92; 24 of 96, chosen by the answer, 0.09 to 0.13 and 0.91 to 0.97. Training pictures under noise of 0.03:
        # 0.14 and 0.90, and 24 copies; means of two of them: 0.29 and 0.75.
        given={"real": REQUIRED, "count": 24, "kid_bound": 0.18, "diversity_bound": 0.9},
        takes_value=True,
        open=True,
    )
)
