"""The lessons: why Residual, why Inception, why 1×1, and what is often said and is not so."""

from explorer import hookimpl


@hookimpl
def register_lessons(register):
    try:
        from explorer.labs import errata, inception, one_by_one, residual
    except ModuleNotFoundError as error:  # they need more than training does, such as scipy
        raise ModuleNotFoundError(str(error), name=error.name) from None
    for lesson in (residual.LESSON, inception.LESSON, one_by_one.LESSON, errata.LESSON):
        register(lesson)
