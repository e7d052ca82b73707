#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Searches tiles of the window family's kernel for one shape, in nchw: what plan/window_tiles.hpp is made from.

Candidates of every kind are spread over what is possible, as many as --budget says, and measured by one run of
dwconv_bench beside the planned tile. With --write-tiles they are only written, for a run on another machine:

  dwconv_bench --shapes=FILE --tiles=TILES.csv --benchmark_filter=/ID/ --benchmark_out=FILE.json

whose result --json reads.
"""
import argparse
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import astuple, dataclass

import bench_json
import compare

COLUMNS = ("planes", "rows", "columns", "steps", "rows_per_thread", "piece_columns", "piece_rows")
ELEMENT_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}

# Columns of a shapes file that tiles depend on.
SIZES = ("n", "c", "h", "w", "kh", "kw", "sh", "sw", "pad_top", "pad_bottom", "pad_left", "pad_right", "dh", "dw", "multiplier")

# Pieces (columns, rows) that window_pieces in kernels/window/policy.hpp has for any filter. The benchmark leaves out
# those that it has not for this one.
PIECES = {4: ((7, 0), (5, 0), (3, 0), (15, 0), (7, 7)), 2: ((6, 0),), 8: ((3, 0),)}

# What is tried.
WALKS = range(4, 29)  # rows a thread, in one chunk
STRIPS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)  # rows of a tile, in chunks
STEPS = range(4, 17)  # of a chunk
PLANES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128)
WINDOWS = (16, 24, 32, 48, 64, 80, 96, 112, 128)  # threads along a part of a row

# What the kernels and the device set. The benchmark knows better and leaves out what this lets pass.
MOST_THREADS, LANES, SHARED_BYTES, COPY_BYTES = 128, 32, 227 * 1024, 16


class BadRequest(Exception):
    """One line saying what of the command line cannot be done."""


@dataclass(frozen=True)
class Tile:
    """A line of --tiles."""

    planes: int
    rows: int
    columns: int
    steps: int
    walk: int  # rows a thread
    piece_columns: int
    piece_rows: int

    @property
    def threads(self):
        return self.planes * divide_up(self.columns, self.piece_columns) * divide_up(self.rows, self.walk)

    @property
    def lanes(self):
        return divide_up(self.threads, LANES) * LANES


class Shape:
    """A row of a shapes file, as far as tiles go."""

    def __init__(self, path, row):
        try:
            size = {name: int(row[name]) for name in SIZES}
            self.stride, self.filter_height = size["sh"], size["kh"]
            self.input_width = size["w"]
            self.planes = size["n"] * size["c"] * size["multiplier"]
            span = (size["kh"] - 1) * size["dh"] + 1, (size["kw"] - 1) * size["dw"] + 1
            self.height = (size["h"] + size["pad_top"] + size["pad_bottom"] - span[0]) // size["sh"] + 1
            self.width = (size["w"] + size["pad_left"] + size["pad_right"] - span[1]) // size["sw"] + 1
        except KeyError as error:
            raise bench_json.BadFile(f"{path}: column {error.args[0]}: is missing") from error
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise bench_json.BadFile(f"{path}: shape {row.get('id')}: {error}") from error
        if min(self.planes, self.height, self.width) < 1:
            raise bench_json.BadFile(f"{path}: shape {row['id']}: y is empty")

    def steps_for(self, rows):
        return rows + divide_up(self.filter_height, self.stride) - 1


def divide_up(value, divisor):
    return -(-value // divisor)


def even_parts(whole, sizes):
    """Sizes of equal parts of `whole` that are about as large as `sizes`."""
    return sorted({divide_up(whole, divide_up(whole, size)) for size in sizes})


def read_shape(path, wanted):
    """Returns (header and row of the shape as text, Shape)."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = [row for row in reader if row.get("id") == wanted]
    except (OSError, UnicodeDecodeError) as error:
        raise bench_json.BadFile(f"{path}: cannot be read: {getattr(error, 'strerror', error)}") from error
    if not rows:
        raise bench_json.BadFile(f"{path}: no shape has the id '{wanted}'")
    shape = Shape(path, rows[0])
    return "\n".join([",".join(("id", *SIZES)), ",".join(rows[0][name] for name in ("id", *SIZES)), ""]), shape


def one_chunk(shape, piece):
    """Kinds of tiles that are staged at once: whole planes, strips of one plane, windows of its rows."""
    columns, rows = piece
    walks = [min(rows, shape.height)] if rows else even_parts(shape.height, WALKS)
    planes, strips, windows = [], [], []
    for walk in walks:
        for count in PLANES:
            planes.append(Tile(count, shape.height, shape.width, shape.steps_for(shape.height), walk, *piece))
        for down in range(1, divide_up(shape.height, walk) + 1):
            height = min(walk * down, shape.height)
            strip = Tile(1, height, shape.width, shape.steps_for(height), walk, *piece)
            if height < shape.height:
                strips.append(strip)
            for width in even_parts(shape.width, [across * columns for across in WINDOWS]):
                # A warp has a lane for each row.
                staged = (strip.rows - 1) * shape.stride + shape.filter_height
                if width < shape.width and staged <= LANES:
                    windows.append(Tile(1, strip.rows, width, strip.steps, walk, *piece))
    return planes, strips, windows


def in_chunks(shape, piece, element_bytes):
    """Kinds of tiles that pass through in chunks: of full rows, of windows of them. Threads take all rows."""
    if piece[1]:
        return [], []
    full, windows = [], []
    multiple = COPY_BYTES // element_bytes
    for rows in even_parts(shape.height, STRIPS):
        for steps in STEPS:
            if steps % multiple or steps >= shape.steps_for(rows):
                continue
            for planes in PLANES:
                if planes <= LANES:
                    full.append(Tile(planes, rows, shape.width, steps, rows, *piece))
            for width in even_parts(shape.width, [across * piece[0] for across in WINDOWS]):
                if width < shape.width and steps * shape.stride <= LANES:
                    windows.append(Tile(1, rows, width, steps, rows, *piece))
    return full, windows


def may_suit(shape, tile, element_bytes):
    """Whether the benchmark may take it; counts less shared memory than there will be."""
    chunks = 1 if tile.steps >= shape.steps_for(tile.rows) else 2
    staged = tile.rows * shape.stride if chunks == 1 else 2 * tile.steps * shape.stride
    kept = tile.rows if chunks == 1 else 2 * tile.steps
    width = min(tile.columns * shape.input_width // shape.width, shape.input_width)
    least = tile.planes * (staged * width + kept * tile.columns) * element_bytes
    return tile.planes <= shape.planes and tile.threads <= MOST_THREADS and least <= SHARED_BYTES


def spread(items):
    """All of them, in an order whose every beginning is spread over the whole: the middle first, then of halves."""
    ranges, order = [(0, len(items))], []
    for begin, end in ranges:  # grows as it is walked through
        if begin < end:
            middle = (begin + end) // 2
            order.append(items[middle])
            ranges += [(begin, middle), (middle + 1, end)]
    return order


def candidates(shape, element_bytes, budget):
    """At most `budget` tiles, from every kind and piece in turn."""
    kinds = []
    for piece in PIECES[element_bytes]:
        for kind in (*one_chunk(shape, piece), *in_chunks(shape, piece, element_bytes)):
            suitable = [tile for tile in dict.fromkeys(kind) if may_suit(shape, tile, element_bytes)]
            # Where more than half the lanes idle, only if there is nothing better.
            kinds.append(spread([tile for tile in suitable if tile.threads * 2 >= tile.lanes] or suitable))
    chosen = []
    for rank in range(max(map(len, kinds), default=0)):
        chosen += [kind[rank] for kind in kinds if rank < len(kind)]
    return chosen[:budget]


def tiles_text(tiles):
    return "\n".join([",".join(COLUMNS), *(",".join(map(str, astuple(tile))) for tile in tiles), ""])


def measure(options, shape_text, tiles, out):
    """Runs the benchmark once; its result is in `out` afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        shapes, tile_file = pathlib.Path(folder) / "shape.csv", pathlib.Path(folder) / "tiles.csv"
        shapes.write_text(shape_text, encoding="utf-8")
        tile_file.write_text(tiles_text(tiles), encoding="utf-8")
        command = [options.bench, f"--shapes={shapes}", f"--tiles={tile_file}", "--directions=forward",
                   f"--dtypes={options.dtype}", "--layouts=nchw", f"--runs={options.runs}",
                   f"--benchmark_out={out}", "--benchmark_out_format=json"]
        try:
            result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        except OSError as error:
            raise BadRequest(f"{options.bench}: cannot be run: {error.strerror}") from error
    lines = result.stderr.splitlines()
    # With rows that are wrong it exits 1 too, but has a result; those rows are told of later.
    if result.returncode and not (os.path.exists(out) and os.path.getsize(out)):
        raise BadRequest(f"{options.bench}: exit code {result.returncode}: {lines[-1] if lines else 'no word'}")
    for line in lines:
        if "left out" in line:
            print(f"note: {line.partition(': ')[2]}")


def table_line(what, tile, cell):
    ratio = float(cell.counters.get("copy_ratio", "nan"))
    launch = [f"{cell.counters.get(name, float('nan')):.0f}" for name in ("threads", "shared_bytes", "blocks")]
    return f"{what:8s} {cell.ms:9.4f} {ratio:6.2f}  {','.join(map(str, tile)):30s} {launch[0]:>7s} {launch[1]:>7s} {launch[2]:>9s}"


def planned_tile(path, cell):
    """The planned tile, which the row's label tells."""
    label = str(cell.counters.get("label", ""))
    if "tile:" not in label:
        raise bench_json.BadFile(f"{path}: {cell.name} has no planned tile: it is no window kernel's, or --tiles was not given")
    return bench_json.numbers_of(path, label.split()[-1])


def print_best(path, key, keep):
    """Returns how many tiles failed."""
    planned, cells = bench_json.read_tiles(path, key)
    if planned.error:
        raise bench_json.BadFile(f"{path}: {planned.name}: {planned.error}")
    tile_of_plan = planned_tile(path, planned)
    timed = sorted(((tile, cell) for tile, cell in cells.items() if not cell.error), key=lambda pair: pair[1].ms)
    if not timed:
        raise bench_json.BadFile(f"{path}: {planned.name}: no tile has a time")

    print(f"{planned.name}: {len(timed)} tiles; a tile is {','.join(COLUMNS)}")
    print(f"{'':8s} {'ms':>9s} {'ratio':>6s}  {'tile':30s} {'threads':>7s} {'shared':>7s} {'blocks':>9s}")
    for rank, (tile, cell) in enumerate(timed[:keep], 1):
        print(table_line(str(rank), tile, cell))
    print(table_line("planned", tile_of_plan, planned))
    best = timed[0][1]
    word = compare.verdict(planned, best, compare.THRESHOLD)
    print(f"gain {planned.ms / best.ms:.3f}x: {word if word in ('same', 'noise') else f'the best tile is {word}'}")

    failed = [cell for cell in cells.values() if cell.error]
    if failed:
        print(f"tune.py: {len(failed)} tiles failed: {failed[0].name}: {failed[0].error}", file=sys.stderr)
    return len(failed)


def at_least_one(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' must be at least 1")
    return value


def parser():
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--id", required=True, help="of the shape")
    made.add_argument("--dtype", choices=ELEMENT_BYTES, default="float32", help="(default float32)")
    made.add_argument("--shapes", metavar="FILE", help="CSV that has the shape")
    made.add_argument("--bench", metavar="PROGRAM", help="dwconv_bench")
    made.add_argument("--keep", type=at_least_one, default=10, help="tiles to print (default 10)")
    made.add_argument("--budget", type=at_least_one, default=400, help="tiles to try (default 400)")
    made.add_argument("--runs", type=at_least_one, default=25, help="timed runs per tile (default 25)")
    made.add_argument("-o", "--output", metavar="FILE.json", help="keep the result")
    made.add_argument("--write-tiles", metavar="FILE.csv", help="write the candidates and measure nothing")
    made.add_argument("--json", metavar="FILE", help="read this result and measure nothing")
    return made


def tune(options):
    key = ("forward", options.dtype, "nchw", options.id)
    if options.json:
        return print_best(options.json, key, options.keep)
    if not options.shapes or not (options.bench or options.write_tiles):
        raise BadRequest("--shapes and --bench are needed, or --shapes and --write-tiles, or --json")
    shape_text, shape = read_shape(options.shapes, options.id)
    tiles = candidates(shape, ELEMENT_BYTES[options.dtype], options.budget)
    if not tiles:
        raise BadRequest(f"no tile suits {options.id}")
    if options.write_tiles:
        with open(options.write_tiles, "w", encoding="utf-8") as file:
            file.write(tiles_text(tiles))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        out = options.output or os.path.join(folder, "result.json")
        measure(options, shape_text, tiles, out)
        return print_best(out, key, options.keep)


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        return 1 if tune(options) else 0
    except (bench_json.BadFile, BadRequest) as error:
        print(f"tune.py: {error}", file=sys.stderr)
    except OSError as error:
        print(f"tune.py: {error.filename}: cannot be written: {error.strerror}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os._exit(0)
