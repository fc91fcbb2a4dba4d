"""The DICOM receiver: a process of its own that takes C-ECHO and C-STORE (PS3.4, annex B).

`serve` blocks until SIGTERM; `Receiver` runs the same beside something else.
"""

from gateway.receiver.server import Receiver, serve

__all__ = ["Receiver", "serve"]
