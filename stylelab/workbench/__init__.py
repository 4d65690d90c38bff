"""The workbench: a product photo in a style, live, in a notebook or as a page of its own.

In a notebook ``from stylelab import workbench; workbench.app()``; as a page ``make workbench``, which is
``python -m stylelab.workbench``.
"""

from pathlib import Path

from .session import Choices, Made, Preview, Session

__all__ = ["Choices", "Made", "Preview", "Session", "app"]


def app(photo: str | Path = "cactus_pot", *, out: str | Path | None = None, largest_upload: int = 10) -> None:
    """Shows the workbench below the cell.

    Args:
        photo: what is open at the start: a shipped picture's name, or a file.
        out: folder for finished pictures; None: ``workbench`` in the course's ``out`` folder.
        largest_upload: MB that the server takes: 10 unless it was started with another limit, as ``make workbench``
            does. A larger photo is opened by ``photo``.
    """
    from IPython.display import display

    from .view import Workbench

    display(Workbench(Session(None if out is None else Path(out)), photo, largest_upload).root)
