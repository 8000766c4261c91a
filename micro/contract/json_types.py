"""Adds numpy, read-only mappings, views and ranges to pydantic-core's JSON encoder."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping, Set, ValuesView
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

import pydantic_core

# pydantic-core supports these, and deque, since 2.14.
_ADDRESSES = (IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface)
_FINER_THAN_DATETIME = ("ns", "ps", "fs", "as")


def dump(value: object) -> bytes:
    """Encode the value as JSON; NaN and infinity become bare words, which JSON forbids.

    Raises pydantic_core.PydanticSerializationError.
    """
    return pydantic_core.to_json(value, bytes_mode="base64", inf_nan_mode="constants", fallback=plain)


def plain(value: Any) -> Any:
    """Convert the value to types that pydantic-core can encode. Raises TypeError if it cannot."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.generic, numpy.ndarray)):
        return _plain_numpy(numpy, value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (Set, ValuesView, deque, range)):
        return list(value)
    if isinstance(value, _ADDRESSES):
        return str(value)
    if isinstance(value, memoryview):
        return bytes(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _plain_numpy(numpy: Any, value: Any) -> Any:
    kind = value.dtype.kind
    if kind in "mM":
        if numpy.isnat(value).any():
            raise ValueError("NaT")
        if numpy.datetime_data(value.dtype)[0] in _FINER_THAN_DATETIME:
            value = value.astype(f"{kind}8[us]")
    elif kind in "fc":
        # tolist() does not convert a longdouble.
        value = value.astype("f8" if kind == "f" else "c16")
    return value.tolist()
