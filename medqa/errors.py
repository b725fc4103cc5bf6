"""The two ways a run can end badly; the command line turns each into one line on stderr and an exit code."""


class MedqaError(Exception):
    """Bad usage, configuration or input (exit 2).

    The message says what was wanted, what was found and what to do, in one line.
    """

    exit_code = 2


class GateFailed(MedqaError):
    """A check that was asked for did not hold (exit 1), e.g. ``eval compare --fail-on-regression``."""

    exit_code = 1
