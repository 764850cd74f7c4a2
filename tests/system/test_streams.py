"""Standard streams that are closed, broken, or show few characters, as processes of their own have them."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from pipeline.system.streams import encoded, is_utf8, json_for

SAY = "import sys; from pipeline.system import streams; streams.settle(); streams.leave(lambda: {})"


def run(command: str, redirections: str = "", **variables: str) -> subprocess.CompletedProcess[bytes]:
    script = SAY.format(command)
    shell = f'exec "$0" -c "$1" {redirections}'
    return subprocess.run(
        ["/bin/sh", "-c", shell, sys.executable, script], capture_output=True, env=variables, check=False
    )


@pytest.mark.parametrize(
    "encoding", ["ascii", "latin-1", "iso-8859-15", "cp437", "koi8-r", "utf-8", "utf-16", "ascii:strict"]
)
@pytest.mark.parametrize("text", ["a – b … c × d · é", "日本 \\U0001f680 \\ud83d", "plain"])
def test_whatever_is_said_is_shown_in_any_encoding(encoding: str, text: str) -> None:
    result = run(f"print('{text}') or 3", PYTHONIOENCODING=encoding)
    assert (result.returncode, result.stderr) == (3, b"")
    result.stdout.decode(encoding.partition(":")[0])
    if encoding == "ascii":
        assert result.stdout.strip() in (b"a - b ... c x d - e", b"?? ? ?", b"plain")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_one_that_nobody_reads(closed: str) -> None:
    """And its number is not a database's."""
    command = "print('x') or print('y', file=sys.stderr) or open('/dev/zero').fileno()"
    result = run(command, closed)
    assert result.returncode > 2
    assert b"Traceback" not in result.stderr


def test_a_full_disk_is_said_in_a_sentence() -> None:
    result = run("print('x') or 0", ">/dev/full")
    assert result.returncode == 1
    assert result.stderr == b"fintrends-tui: the output cannot be written: No space left on device\n"
    assert run("streams.complain('x') or 7", "2>/dev/full").returncode == 7


@pytest.mark.parametrize(
    "command", ["print('x') or 0", "print('x' * 99999) or 0", "[print(i) for i in range(99999)] and 0"]
)
def test_a_reader_that_has_gone_ends_it_in_silence(command: str) -> None:
    piped = '{ "$0" -c "$1"; echo $? >&2; } | true'
    result = subprocess.run(
        ["/bin/sh", "-c", piped, sys.executable, f"import time; time.sleep(0.2); {SAY.format(command)}"],
        capture_output=True,
        check=False,
    )
    assert result.stderr == b"141\n"


def test_json_is_the_same_document_in_every_encoding() -> None:
    text = json.dumps({"a – b": '日本 \U0001f680 é \\ "x"'}, ensure_ascii=False)
    for encoding in ("ascii", "latin-1", "utf-8"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        stream.write(json_for(text, stream))  # which is strict
        stream.flush()
        assert json.loads(stream.buffer.getvalue()) == json.loads(text)
    assert json_for(text, io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == text


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "rot13"])
def test_what_goes_past_the_stream_is_encoded_as_it_would(encoding: str) -> None:
    stream = SimpleNamespace(encoding=encoding)
    line = encoded("running · 3 é \ud800", stream)
    assert line == (
        "running · 3 é ?".encode()
        if encoding == "utf-8"
        else {"latin-1": "running · 3 é ?".encode("latin-1")}.get(encoding, b"running - 3 e ?")
    )


def test_names_of_utf8() -> None:
    assert is_utf8("UTF8") and is_utf8("utf-8") and not is_utf8("ascii") and not is_utf8(None) and not is_utf8("x")
