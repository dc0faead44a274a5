"""Errors of models, and messages of other libraries, shortened to be quoted in ours."""


class MissingEncoder(ValueError):
    """A checkpoint is built on a shared encoder that does not exist; the message names the cure."""


class DeviceError(ValueError):
    """A device that this machine, or this build of torch, does not have; the message names the cure."""


def first_line(error: Exception) -> str:
    """The first line of a message, at most 200 characters."""
    return str(error).strip().partition("\n")[0][:200]
