"""Why an operation cannot be carried out."""


class AdminError(Exception):
    """What is asked for makes no sense, or cannot be done now; the message says what to do."""
