"""Java, as the engines run in it."""

from pathlib import Path


def java(jars: Path, megabytes: int, main: str, *arguments: str) -> list[str]:
    """The command that runs the main class of these jars with so much memory, from their archive if there is one."""
    archive = archive_of(jars)
    return [
        "java",
        f"-Xmx{megabytes}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        *([f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        "-cp",
        f"{jars}/*",
        main,
        *arguments,
    ]


def archive_of(jars: Path) -> Path:
    """Where their classes are, if at all, as Java has them in memory (class data sharing).

    Java ignores one that another version has made.
    """
    return jars.with_name("classes.jsa")
