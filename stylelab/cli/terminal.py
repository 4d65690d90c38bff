"""What a command says: lines on stdout, sentences on stderr."""

import sys

from ..errors import StyleLabError


def say(line: str) -> None:
    """Prints on stdout; a sign that it cannot show, as in a file's name, must not end the command with a traceback."""
    encoding = sys.stdout.encoding or "utf-8"
    # At once, so that whoever reads a long batch line by line does not wait for its end.
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def note(line: str) -> None:
    """Prints on stderr what is good to know and no failure."""
    print(f"note: {line}", file=sys.stderr)


def complain(sentence: str) -> None:
    """Prints on stderr what went wrong."""
    print(f"stylelab: {sentence}", file=sys.stderr)


def sentence(error: Exception) -> str | None:
    """What to tell of an error that the user can mend; None of a mistake of ours."""
    if isinstance(error, StyleLabError):
        return str(error)
    # TensorFlow has its own kind, known here by name only: to import it takes seconds.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "the memory ran out; choose a smaller --size."
    return None
