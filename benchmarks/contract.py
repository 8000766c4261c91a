"""Measures what it costs to check a call of three typed parameters, and to write a small result.

    python benchmarks/contract.py [--check]

Prints the median processor time of several rounds, which other programs disturb least; with
--check exits with status 1 above ten microseconds.
"""

from __future__ import annotations

import statistics
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

from micro.contract.contract import build_contract
from micro.plugin.pluginbase import PluginBase

LIMIT_MICROSECONDS = 10.0
ROUNDS = 15
CALLS = 5_000


class Greeting(PluginBase):
    """The plugin that is measured."""

    def run(self, name: str, times: int = 1, ratio: float = 0.5) -> dict[str, Any]:
        return {"message": f"Hello {name}", "times": times, "ratio": ratio}


def median_microseconds(call: Callable[[], object]) -> float:
    """Return the median processor time of one call over several rounds."""
    rounds = timeit.repeat(call, timer=time.process_time, number=CALLS, repeat=ROUNDS)
    return statistics.median(rounds) / CALLS * 1e6


def main() -> int:
    contract = build_contract(Greeting)
    params: dict[str, Any] = {"name": "Micro", "times": 3, "ratio": 0.25}
    result = Greeting().run(**params)
    checking = median_microseconds(lambda: contract.check(params))
    print(f"check three parameters  {checking:6.2f} us")
    print(f"write a small result    {median_microseconds(lambda: contract.encode(result)):6.2f} us")
    slow = checking > LIMIT_MICROSECONDS
    if slow:
        print(f"expected at most {LIMIT_MICROSECONDS:.0f} us for the check", file=sys.stderr)
    return int(slow and "--check" in sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(main())
