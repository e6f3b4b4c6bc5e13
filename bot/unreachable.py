"""Why a call to another server did not get through, in words for whoever runs Keyturn."""

from __future__ import annotations

import errno
import os

import aiohttp

_CLOSED = "the other side closed the connection"
_SAID: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (aiohttp.ClientProxyConnectionError, "the proxy {host} cannot be reached"),
    (aiohttp.ClientConnectorDNSError, "the name {host} is not known to DNS"),
    (aiohttp.ClientConnectorCertificateError, "the certificate of {host} is not trusted"),
    (aiohttp.ClientSSLError, "no TLS with {host}; does its address begin with the right scheme?"),
    (TimeoutError, "no answer in time"),
    (aiohttp.ServerDisconnectedError, _CLOSED),
    (aiohttp.ClientPayloadError, "the answer broke off"),
)
_KNOWN = {
    errno.ECONNREFUSED: "nothing listens there (connection refused)",
    errno.EHOSTUNREACH: "there is no way to that machine (host unreachable)",
    errno.ENETUNREACH: "there is no way to that network (network unreachable)",
    errno.ECONNRESET: _CLOSED,
    errno.EPIPE: _CLOSED,
}


def why(error: Exception) -> str:
    """Say what happened: no addresses with passwords, no class names, no end of a sentence.

    *error* is what aiohttp or the socket below it raised
    (https://docs.aiohttp.org/en/stable/client_reference.html#hierarchy-of-exceptions).
    """
    for kind, said in _SAID:
        if isinstance(error, kind):
            return said.format(host=getattr(error, "host", "the server"))
    if isinstance(error, OSError) and error.errno:
        return _KNOWN.get(error.errno) or os.strerror(error.errno).lower()
    return (
        "what came back is not HTTP" if isinstance(error, aiohttp.ClientError) else "no connection"
    )
