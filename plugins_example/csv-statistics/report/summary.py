"""Summarizes one column."""

import statistics


def summarize(values: list[float]) -> dict[str, float | int]:
    """Return count, mean, median, standard deviation of the population, least and greatest value."""
    return {
        "count": len(values),
        "mean": round(statistics.fmean(values), 6),
        "median": statistics.median(values),
        "stdev": round(statistics.pstdev(values), 6),
        "min": min(values),
        "max": max(values),
    }
