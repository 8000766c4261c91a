"""Reads the numeric columns of a CSV text."""

import csv


def read_columns(text: str, delimiter: str) -> dict[str, list[float]]:
    """Return the values of each column that has only numbers; empty cells are left out."""
    rows = list(csv.DictReader(text.splitlines(), delimiter=delimiter))
    names = rows[0].keys() if rows else ()
    columns = {name: [row[name] for row in rows if row[name]] for name in names if name}
    numeric = {name: _numbers(cells) for name, cells in columns.items()}
    return {name: values for name, values in numeric.items() if values}


def _numbers(cells: list[str]) -> list[float]:
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        return []
