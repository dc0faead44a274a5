"""Messages of other libraries, shortened to be quoted in ours."""


def first_line(error: Exception) -> str:
    """The first line of a message, at most 200 characters."""
    return str(error).strip().partition("\n")[0][:200]
