"""HTTP transport: sends requests, reads responses, and raises Micro's errors for failures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    ResponseError,
    SSLError,
)

from micro.client.errors import NoAnswer, ServiceUnreachable, error_of
from micro.config.redaction import masked_urls
from micro.correlation import http_headers
from micro.errors import ConfigError

_CONNECT_SECONDS = 10.0
# Read timeout of an event stream, in which a service sends something at least every 15 seconds.
_SILENCE_SECONDS = 40.0
_MOST_REDIRECTS = 5
_MOST_IDLE_CONNECTIONS = 32
_KEY_HEADER = "X-API-Key"
_GATEWAY_TROUBLE = (502, 503, 504)
# Codes of errors with which the service itself refuses a run, before the plugin is called.
_REFUSALS = {
    "unauthorized",
    "forbidden",
    "method-not-allowed",
    "request-entity-too-large",
    "unsupported-media-type",
    "too-many-requests",
    "service-unavailable",
}
_BROKER_HINT = "; to run plugins through a broker, use micro.api.endpoints.Requests"
_NOT_SENT = (NewConnectionError, ConnectTimeoutError, ProxyError, LocationValueError)


class HttpTransport:
    """Requests to one base URL; safe to share between threads.

    ``timeout`` is how many seconds a response may take (None: no limit). Raises ConfigError for a bad URL.
    """

    def __init__(self, url: str, api_key: str | None, timeout: float | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ConfigError(_expected(url))
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self._timeout = timeout
        self._headers = {"Accept": "application/json", "User-Agent": "micro-client"}
        if api_key:
            self._headers[_KEY_HEADER] = api_key
        if user := _user(url):
            self._headers |= urllib3.make_headers(basic_auth=user)
        self._pool = _make_pool(parts.scheme, parts.hostname)

    def close(self) -> None:
        """Close the kept connections; the next request opens a new one."""
        self._pool.clear()

    def send(
        self,
        method: str,
        path: str,
        *,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """Return the response, whatever its status; raise ServiceUnreachable if there is none."""
        kind = {"Content-Type": "application/json"} if body is not None else {}
        read = _SILENCE_SECONDS if stream else self._timeout
        try:
            return self._pool.request(
                method,
                self.url + path,
                body=body,
                headers={**self._headers, **http_headers(), **kind, **(headers or {})},
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=read),
                preload_content=not stream,
            )
        except HTTPError as err:
            raise self._trouble(err) from err

    def content(self, response: urllib3.BaseHTTPResponse, *, ran: bool = False) -> Any:
        """Return the JSON of a successful response; raise the error that any other response describes.

        If a plugin ``ran``, error codes that are not Micro's are taken for the plugin's.
        """
        status = response.status
        if status == HTTPStatus.NO_CONTENT:
            return None
        try:
            content = json.loads(response.data)
        except ValueError as err:
            raise self._stranger(status) from err
        if status < HTTPStatus.BAD_REQUEST:
            return content
        if not isinstance(content, dict) or not isinstance(content.get("error"), str):
            raise self._stranger(status)
        raise error_of(content, status, ran=ran and content.get("code") not in _REFUSALS)

    def _trouble(self, err: Exception) -> ServiceUnreachable:
        if isinstance(err, MaxRetryError) and isinstance(err.reason, ResponseError):
            return ServiceUnreachable(f"{self.url} redirects in a circle; is the URL right?", sent=True)
        if isinstance(err, MaxRetryError) and err.reason:
            err = err.reason
        if isinstance(err, ReadTimeoutError):
            return NoAnswer(f"{self.url} did not answer in time; submit() is for runs that take long")
        cause = masked_urls(str(err))
        if isinstance(err, SSLError):
            return ServiceUnreachable(
                f"No secure connection to {self.url} ({cause}); is it https? SSL_CERT_FILE names its CA"
            )
        sent = not isinstance(err, _NOT_SENT)
        what = "broke off" if sent else "cannot be reached"
        return ServiceUnreachable(f"{self.url} {what} ({cause}); does Micro run there, with -G?", sent)

    def _stranger(self, status: int) -> ServiceUnreachable:
        """Return the error for a response that is not Micro's, but a proxy's or another server's."""
        hint = "does Micro run behind it?" if status in _GATEWAY_TROUBLE else "is the URL right?"
        error = ServiceUnreachable(f"{self.url} answered {status}, and not as Micro does; {hint}", sent=True)
        error.status = status
        return error


def _expected(url: str) -> str:
    hint = "" if url.lower().startswith(("http:", "https:")) or "://" not in url else _BROKER_HINT
    return f"Expected a URL such as http://host:8000 or https://host/path, found {masked_urls(url)!r}{hint}"


def _make_pool(scheme: str, host: str) -> urllib3.PoolManager:
    # False: do not retry, and raise the original exception. Secrets are not sent on to another host.
    retries = urllib3.Retry(
        total=None,
        connect=False,
        read=False,
        other=False,
        redirect=_MOST_REDIRECTS,
        remove_headers_on_redirect=[*urllib3.Retry.DEFAULT_REMOVE_HEADERS_ON_REDIRECT, _KEY_HEADER],
    )
    proxy = getproxies().get(scheme)
    if not proxy or proxy_bypass(host):
        return urllib3.PoolManager(maxsize=_MOST_IDLE_CONNECTIONS, retries=retries)
    url = proxy if "://" in proxy else f"http://{proxy}"
    user = _user(url)
    headers = urllib3.make_headers(proxy_basic_auth=user) if user else None
    return urllib3.ProxyManager(url, proxy_headers=headers, maxsize=_MOST_IDLE_CONNECTIONS, retries=retries)


def _user(url: str) -> str | None:
    """Return the ``name:password`` in the URL; None if it has none."""
    parts = urlsplit(url)
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
