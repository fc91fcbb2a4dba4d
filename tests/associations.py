"""What DICOM associations leave behind in the process that made them."""

import gc
import threading
import warnings

from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider


def collect_associations() -> None:
    """Wait for the ends of associations and collect their sockets.

    pynetdicom leaves the socket of a refused or aborted association to the garbage collector, whose warning would
    otherwise meet whichever test runs then.
    """
    _wait_for_ends()  # a function of its own: a variable left over here would keep the last of them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _wait_for_ends() -> None:
    for thread in threading.enumerate():
        if isinstance(thread, Association | DULServiceProvider):
            thread.join(10)
