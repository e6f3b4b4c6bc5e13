"""Why a call did not get through is said in words, whatever was raised."""

from __future__ import annotations

import errno
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from bot.unreachable import why

HERE = ConnectionKey("dify.example.com", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            aiohttp.ClientConnectorDNSError(HERE, OSError(-2, "Name or service not known")),
            "the name dify.example.com is not known to DNS",
        ),
        (
            aiohttp.ClientConnectorError(HERE, OSError(errno.ECONNREFUSED, "refused")),
            "nothing listens there (connection refused)",
        ),
        (
            aiohttp.ClientConnectorCertificateError(HERE, ssl.CertificateError("self signed")),
            "the certificate of dify.example.com is not trusted",
        ),
        (
            aiohttp.ClientConnectorSSLError(HERE, OSError(1, "wrong version number")),
            "no TLS with dify.example.com; does its address begin with the right scheme?",
        ),
        (
            aiohttp.ClientProxyConnectionError(HERE, OSError(errno.ECONNREFUSED, "refused")),
            "the proxy dify.example.com cannot be reached",
        ),
        (aiohttp.ConnectionTimeoutError(), "no answer in time"),
        (TimeoutError(), "no answer in time"),
        (aiohttp.ServerDisconnectedError(), "the other side closed the connection"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "x"), "the other side closed the connection"),
        (aiohttp.ClientPayloadError("secret"), "the answer broke off"),
        (OSError(errno.ENOBUFS, "x"), "no buffer space available"),
        (aiohttp.ClientError("secret"), "what came back is not HTTP"),
        (OSError("secret"), "no connection"),
    ],
)
def test_what_happened_is_said_without_the_name_of_a_class(error: Exception, said: str) -> None:
    assert why(error) == said
