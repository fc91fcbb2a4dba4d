"""A full disk has a sentence of its own."""

import errno
from pathlib import Path

import pytest

from embedded_xnat.storage.space import check_space, disk_errors
from service_kit.errors import OutOfSpace


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_said_whatever_it_is_called(code: int) -> None:
    with pytest.raises(OutOfSpace), disk_errors():
        raise OSError(code, "as the system says it")


def test_other_troubles_of_a_disk_are_none_of_space() -> None:
    with pytest.raises(OSError, match="as the system says it"), disk_errors():
        raise OSError(errno.EIO, "as the system says it")


def test_a_body_that_is_larger_than_the_free_space_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(OutOfSpace):
        check_space(tmp_path, 2**60)
    check_space(tmp_path, 17)
