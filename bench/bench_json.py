# SPDX-License-Identifier: Apache-2.0
"""Reads what dwconv_bench writes: Google Benchmark's JSON, one row per cell, and with --tiles one per cell and tile."""
import json
import math
import statistics
from dataclasses import dataclass, field

MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}


class BadFile(Exception):
    """One line saying which file is wrong and how."""


@dataclass
class Cell:
    """One direction, dtype, layout and shape. Times in milliseconds; NaN where the file has none."""

    key: tuple  # (direction, dtype, layout, shape id)
    ms: float = math.nan
    low: float = math.nan  # most runs lie between low and high
    high: float = math.nan
    counters: dict = field(default_factory=dict)
    error: str = ""

    @property
    def name(self):
        return "/".join(self.key)

    @property
    def group(self):
        return self.key[:3]


def geometric_mean(values):
    values = [value for value in values if value > 0 and math.isfinite(value)]
    return math.exp(statistics.fmean(map(math.log, values))) if values else math.nan


def read(path):
    """Returns (context, {key: Cell}) in the file's order; rows of tiles that were not planned do not count."""
    context, rows = _rows(path)
    planned = {key: found for (key, tile), found in rows.items() if not tile}
    if not planned:
        raise BadFile(f"{path}: no benchmark is named <direction>/<dtype>/<layout>/<shape id>")
    return context, {key: _cell(path, key, planned[key]) for key in planned}


def read_tiles(path, key):
    """Returns (Cell of the planned tile, {tile: Cell}) of one cell; a tile is the seven numbers of its name."""
    _, rows = _rows(path)
    cells = {tile: _cell(path, (*key, *tile), found) for (name, tile), found in rows.items() if name == key}
    if () not in cells:
        raise BadFile(f"{path}: no benchmark is named {'/'.join(key)}")
    planned = cells.pop(())
    return planned, {numbers_of(path, tile[0]): cell for tile, cell in cells.items()}


def numbers_of(path, text):
    """The seven numbers behind "tile:"."""
    numbers = text.partition("tile:")[2].split(",")
    if len(numbers) != 7 or not all(number.isdecimal() for number in numbers):
        raise BadFile(f"{path}: '{text}' names no tile: seven numbers make one")
    return tuple(map(int, numbers))


def _rows(path):
    """Returns (context, {(key, () or ("tile:...",)): rows})."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadFile(f"{path}: is no JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("benchmarks"), list):
        raise BadFile(f"{path}: is no Google Benchmark result: it has no list 'benchmarks'")

    rows = {}
    for row in document["benchmarks"]:
        try:
            parts = tuple(row.get("run_name", row["name"]).split("/"))
        except (AttributeError, KeyError, TypeError) as error:
            raise BadFile(f"{path}: a benchmark has no name") from error
        if len(parts) >= 4:
            tile = tuple(part for part in parts[4:5] if part.startswith("tile:"))
            rows.setdefault((parts[:4], tile), []).append(row)
    return document.get("context", {}), rows


def _cell(path, key, rows):
    failed = [row for row in rows if row.get("error_occurred")]
    if failed:
        return Cell(key, error=str(failed[0].get("error_message", "failed")))
    try:
        runs = [row for row in rows if row.get("run_type", "iteration") == "iteration"]
        median = [row for row in rows if row.get("aggregate_name") == "median"]
        times = [_time(row) for row in runs]
        chosen = (median or runs)[0]
        ms = _time(chosen) if median else statistics.median(times)
    except (IndexError, KeyError, TypeError) as error:
        raise BadFile(f"{path}: {'/'.join(key)} has no time") from error
    low, high = _spread(chosen, times or [ms])
    return Cell(key, ms, low, high, chosen)


def _time(row):
    return float(row["real_time"]) * MILLISECONDS[row.get("time_unit", "ns")]


def _spread(row, times):
    """Quartiles where the row has them: one slow run in 25 should not make every difference noise."""
    for low, high in (("q1_ms", "q3_ms"), ("min_ms", "max_ms")):
        if low in row and high in row:
            return min(float(row[low]), *times), max(float(row[high]), *times)
    return min(times), max(times)
