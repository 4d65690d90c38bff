"""What the tests of exercises share."""

from stylelab import course


def message(name, answer, **given):
    """The sentence by which an exercise refuses a wrong answer."""
    result = course.exercise(name, **given).check(answer)
    assert result.status == "wrong", result
    return result.message
