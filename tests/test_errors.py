"""What reaches the user, and with which exit status."""

import errno
import os
from pathlib import Path

import pytest

from reidpipe.errors import UserError, reported


def said(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    with pytest.raises(SystemExit) as left, reported():
        raise error
    return left.value.code, capsys.readouterr().err


def test_a_user_error_is_its_parts_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    error = UserError("it is wrong", where="here", expected="a\nb", fix="do this")
    text = (
        "error: it is wrong\n  where:    here\n  expected: a\n            b\n  fix:      do this\n"
    )
    assert said(error, capsys) == (2, text)


def test_an_interruption_has_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(KeyboardInterrupt(), capsys) == (130, "interrupted\n")


def test_a_folder_in_place_of_a_file_is_the_users(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left, reported():
        tmp_path.read_bytes()
    assert left.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith(f"error: a file cannot be used\n  where:    {tmp_path}\n")
    assert os.strerror(21) in text


def test_a_failing_disk_is_no_mistake_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = said(OSError(errno.EIO, "Input/output error", "a.zip"), capsys)
    assert status == 2
    assert text.startswith("error: a file cannot be read\n  where:    a.zip\n")


def test_other_errors_are_ours_and_keep_their_traceback() -> None:
    for error in (OSError("of no file"), ValueError("x"), KeyError("y")):
        with pytest.raises(type(error)), reported():
            raise error


@pytest.mark.parametrize(
    "number",
    sorted(
        {errno.EEXIST, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.EBUSY}
    ),
)
def test_an_error_of_a_file_is_said_with_its_name(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = said(OSError(number, os.strerror(number), "a/b.png"), capsys)
    assert status == 2
    assert "a/b.png" in text
    assert os.strerror(number) in text


def test_a_name_that_is_not_utf_8_can_be_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9.png"))
    with pytest.raises(SystemExit) as left, reported():
        gone.read_bytes()
    assert left.value.code == 2
    capsys.readouterr().err.encode()
