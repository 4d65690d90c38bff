"""What StyleLab says when something is wrong: one sentence with what, where and what to do.

The CLI prints the sentence and exits 2; a batch records it and goes on.
"""


class StyleLabError(Exception):
    """Base of every error that a user can mend: one sentence, never a traceback."""


class ImageError(StyleLabError):
    """A picture that cannot be read, written or used; names the file or the argument."""


class SettingsError(StyleLabError):
    """An argument out of its range, or a name that does not exist."""


class WeightsError(StyleLabError):
    """Weights that are missing, damaged, or cannot be downloaded."""


class ResourceError(StyleLabError):
    """A run that would not fit into this machine's memory or disk."""
