"""A time-out for the requests of one thread.

torchvision and most data sets' own code download with `urllib.request.urlopen` and name no
time-out, so a server that never answers would keep them waiting for ever. The default that Python
has for this, `socket.setdefaulttimeout`, changes every connection of the process. `urllib` passes
each request through the handlers of its opener; the one here acts on those of a single thread.
"""

import contextlib
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.request import Request

_this_thread = threading.local()


@contextlib.contextmanager
def request_timeout(seconds: float) -> Iterator[None]:
    """Let requests of this thread through `urllib` that name no time-out fail without an answer.

    Args:
        seconds: How long a connection may be silent, before the first byte and after any other.
    """
    _add_handler()
    before = getattr(_this_thread, "seconds", None)
    _this_thread.seconds = seconds
    try:
        yield
    finally:
        _this_thread.seconds = before


class _Timeout(urllib.request.BaseHandler):
    def http_request(self, request: Request) -> Request:
        seconds = getattr(_this_thread, "seconds", None)
        # Where the caller names none, urllib puts a bare object that means the default.
        named = request.timeout is None or isinstance(request.timeout, (int, float))
        if seconds is not None and not named:
            request.timeout = seconds
        return request

    https_request = ftp_request = http_request


def _add_handler() -> None:
    # An opener that somebody else has installed stays in use.
    opener: Any = getattr(urllib.request, "_opener", None) or urllib.request.build_opener()
    if not any(isinstance(handler, _Timeout) for handler in opener.handlers):
        opener.add_handler(_Timeout())
    urllib.request.install_opener(opener)
