"""``stylelab train``."""

from typing import Any


def add(commands: Any) -> None:
    """Adds the command to the parser."""
