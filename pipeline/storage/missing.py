"""Whether a database is there to be read. Imports nothing heavy."""

from pathlib import Path


def why_missing(path: Path) -> str:
    """Why the file is not there, and what to do, for the user; empty if there is something."""
    if path.exists():
        return ""
    above = next(above for above in path.absolute().parents if above.exists())
    if not above.is_dir():
        return f"{above} is not a directory; choose another with --data-dir"
    return f"there is no {path} yet; a pipeline creates it when it runs"
