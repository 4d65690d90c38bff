"""Who sees what: the styles of each customer group with their shares, and one visitor's place among them for ever.

The place is a hash. So there is no table to keep, lose or leak, every server gives the same answer, and an auditor
computes it again with nothing but SHA-256. What visitors do with a picture is the business of ``experiment``.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stylelab.errors import SettingsError

SUSPECT = 0.001  # Fabijan et al. 2019, "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments"


def place(experiment: str, visitor: str, salt: str = "") -> float:
    """Where a visitor stands in an experiment: the first 53 bits of SHA-256 of ``salt/experiment/visitor`` (UTF-8).

    Uniform over visitors; unrelated between experiments, since the name is hashed too. The salt is the shop's
    secret: with it nobody outside can work out, or choose, who sees what.

    Args:
        experiment: its name; never used again for another one, or the same people would meet again in one arm.
        visitor: a pseudonym, such as the random number in a cookie, and never a name or an address.
        salt: any text without a slash.
    Returns:
        In [0, 1).
    Raises:
        SettingsError: an empty name or visitor, or a slash where it would make two visitors one.
    """
    for what, text in (("experiment", experiment), ("visitor", visitor), ("salt", salt)):
        if not isinstance(text, str) or not (text or what == "salt"):
            raise SettingsError(f"The {what} is {text!r}: give text that is not empty, as the shop's log has it.")
        if "/" in text and what != "visitor":
            raise SettingsError(f"The {what} {text!r} has a slash, which separates it from the visitor: leave it out.")
    digest = hashlib.sha256(f"{salt}/{experiment}/{visitor}".encode(errors="surrogatepass")).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


@dataclass(frozen=True)
class Policy:
    """Which styles each group sees, and in which shares: a test where there are several, a decision where there is one.

    Attributes:
        name: of the experiment; a part of every visitor's hash.
        shares: group -> style -> share of its visitors. The shares of a group sum to 1; the order counts, for the
            first style takes the first part of [0, 1). While the last style's share grows, who saw it goes on to.
        salt: the shop's secret, see :func:`place`.
    Raises:
        SettingsError: a group without styles, or shares that are no shares.
    """

    name: str
    shares: Mapping[str, Mapping[str, float]]
    salt: str = ""

    def __post_init__(self) -> None:
        place(self.name, "anybody", self.salt)
        if not self.shares:
            raise SettingsError(f'Policy "{self.name}" has no group: give {{"Footwear": {{"plain": 1}}}} or the like.')
        for group, shares in self.shares.items():
            values = [float(share) for share in shares.values()]
            if not all(share >= 0 for share in values) or not abs(sum(values) - 1) < 1e-9:
                raise SettingsError(
                    f'The shares of group "{group}" are {values}: they must not be negative and must sum to 1.'
                )

    def style(self, group: str, visitor: str) -> str:
        """The style that this visitor sees, today and whenever she comes again.

        Raises:
            SettingsError: the policy does not know the group, or the visitor is empty.
        """
        if group not in self.shares:
            raise SettingsError(f'Policy "{self.name}" has no group "{group}": it has {", ".join(self.shares)}.')
        styles = [style for style, share in self.shares[group].items() if share > 0]
        ends = np.cumsum([self.shares[group][style] for style in styles])
        at = int(np.searchsorted(ends, place(self.name, visitor, self.salt), side="right"))
        return styles[min(at, len(styles) - 1)]  # the last end may be 1 less a rounding

    @property
    def digest(self) -> str:
        """SHA-256 of name, salt and shares: a record that carries it can be held against the policy later."""
        shares = [[group, list(styles.items())] for group, styles in self.shares.items()]
        return hashlib.sha256(json.dumps([self.name, self.salt, shares]).encode()).hexdigest()

    def record(self, group: str, visitor: str) -> dict[str, object]:
        """One decision as a log keeps it: who, by which policy, at which place, and so which style."""
        return {
            "policy": self.name,
            "digest": self.digest,
            "group": group,
            "visitor": visitor,
            "place": place(self.name, visitor, self.salt),
            "style": self.style(group, visitor),
        }


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> float:
    """How probable counts as uneven as these are if visitors were assigned by the shares (Pearson's chi-square).

    Below ``SUSPECT`` something loses or doubles visitors of one arm, and no result of the experiment can be trusted.

    Args:
        counts: *visitors* of each arm: views of one person are not independent.
        shares: planned, summing to 1.
    Returns:
        The p-value.
    Raises:
        SettingsError: lengths that differ, nobody counted, or shares that are no shares.
    """
    from scipy.stats import chisquare

    seen, planned = np.asarray(counts, "float64"), np.asarray(shares, "float64")
    if seen.ndim != 1 or seen.shape != planned.shape or len(seen) < 2:
        raise SettingsError(f"There are {seen.size} counts and {planned.size} shares: give one of each for every arm.")
    if not (seen >= 0).all() or not seen.sum() > 0 or not (planned > 0).all() or not abs(planned.sum() - 1) < 1e-9:
        raise SettingsError(f"Counts {seen.tolist()} with shares {planned.tolist()}: shares are positive and sum to 1.")
    return float(chisquare(seen, seen.sum() * planned).pvalue)
