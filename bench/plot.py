#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws copy_ratio of every cell of a result as an SVG: one panel per direction, dtype and layout.

1.0 is the speed of a device-to-device copy that moves the same bytes. With --peers a thin mark shows
where the best of another library's times lies: a CSV with the columns direction, dtype, layout, id and
any number of times in milliseconds, whose names end in _ms.
"""
import argparse
import csv
import math
import sys
from xml.sax.saxutils import escape

import bench_json

COLOURS = {"float32": "#2f6db3", "float16": "#d97b16", "bfloat16": "#23916a", "float64": "#8757b0"}
OTHER_COLOUR = "#5b6670"
PAPER, INK, QUIET, GRID, COPY, PEER, FAILED = "#fbfaf7", "#22272e", "#69717b", "#e3e1da", "#b3261e", "#22272e", "#b3261e"

MARGIN, HEADER, LEGEND = 28, 74, 34
LABELS, BARS, VALUES, GAP = 142, 336, 46, 30  # widths within a panel, and between panels
PANEL_HEAD, ROW, BAR, AXIS = 40, 17, 11, 28  # heights within a panel


class Svg:
    """Collects elements; coordinates in pixels."""

    def __init__(self):
        self.parts = []

    def rectangle(self, x, y, width, height, fill, title="", radius=2):
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" rx="{radius}" fill="{fill}">'
            f"{f'<title>{escape(title)}</title>' if title else ''}</rect>"
        )

    def line(self, x1, y1, x2, y2, colour, width=1.0, dash=""):
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"{dashes}/>'
        )

    def text(self, x, y, words, size=11, colour=INK, anchor="start", weight="400", halo=False):
        # A halo of paper keeps a value readable across a line.
        outline = f' stroke="{PAPER}" stroke-width="4" stroke-linejoin="round" paint-order="stroke"' if halo else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}"{outline}>{escape(words)}</text>'
        )

    def document(self, width, height, title):
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'role="img" font-family="system-ui, -apple-system, \'Segoe UI\', \'DejaVu Sans\', sans-serif">\n'
            f"<title>{escape(title)}</title>\n"
            # A background of its own, so that it reads on a dark page too.
            f'<rect width="{width}" height="{height}" rx="10" fill="{PAPER}"/>\n' + "\n".join(self.parts) + "\n</svg>\n"
        )


def read_peers(path):
    """Returns ({cell key: best milliseconds}, names of the columns of times)."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            times = [name for name in columns if name.endswith("_ms")]
            missing = [name for name in ("direction", "dtype", "layout", "id") if name not in columns]
            if missing or not times:
                raise bench_json.BadFile(f"{path}:1: column {missing[0] if missing else '*_ms'}: is missing")
            best = {}
            for row in reader:
                key = (row["direction"], row["dtype"], row["layout"], row["id"])
                best[key] = min(_times(path, reader.line_num, row, times), default=math.nan)
    except (OSError, UnicodeDecodeError) as error:
        raise bench_json.BadFile(f"{path}: cannot be read: {error}") from error
    return best, times


def _times(path, number, row, columns):
    for column in columns:
        try:
            value = float(row[column] or "nan")
        except (TypeError, ValueError) as error:
            raise bench_json.BadFile(f"{path}:{number}: column {column}: '{row[column]}' is no time") from error
        if math.isfinite(value) and value > 0:
            yield value


def copy_ratio(cell):
    return float(cell.counters.get("copy_ratio", math.nan))


def peer_ratio(cell, peers):
    """Copy speed the peer reaches in this cell, or NaN."""
    return copy_ratio(cell) * cell.ms / peers.get(cell.key, math.nan)


def chosen_groups(cells, wanted):
    """Groups in the file's order; `wanted` holds leading parts of their names."""
    groups = {}
    for cell in cells.values():
        groups.setdefault(cell.group, []).append(cell)
    if not wanted:
        return groups
    prefixes = [tuple(name.split("/")) for name in wanted]
    for prefix in prefixes:
        if not any(group[: len(prefix)] == prefix for group in groups):
            known = ", ".join("/".join(group) for group in groups)
            raise bench_json.BadFile(f"no group is named {'/'.join(prefix)}: there are {known}")
    return {g: c for g, c in groups.items() if any(g[: len(p)] == p for p in prefixes)}


def draw_panel(svg, left, top, group, cells, scale, peers):
    ratios = [copy_ratio(cell) for cell in cells if not cell.error]
    colour = COLOURS.get(group[1], OTHER_COLOUR)
    origin, bottom = left + LABELS, top + PANEL_HEAD + ROW * len(cells)
    x_of = lambda ratio: origin + BARS * min(ratio, scale) / scale  # noqa: E731

    svg.text(left, top + 13, " ".join(group), 14, INK, weight="600")
    svg.text(origin + BARS, top + 13, f"geometric mean {bench_json.geometric_mean(ratios):.2f}", 11, QUIET, "end")
    for step in range(math.floor(scale / 0.25 + 1e-9) + 1):
        tick = 0.25 * step
        if tick != 1:
            svg.line(x_of(tick), top + PANEL_HEAD - 8, x_of(tick), bottom + 4, GRID)
        svg.text(x_of(tick), bottom + 17, f"{tick:g}", 10, QUIET, "middle")
    row_tops = [top + PANEL_HEAD + ROW * number for number in range(len(cells))]
    for y, cell in zip(row_tops, cells):
        draw_bar(svg, origin, y, cell, colour, x_of, peers)
    svg.line(x_of(1), top + PANEL_HEAD - 8, x_of(1), bottom + 4, COPY, 1.2, "4 3")
    for y, cell in zip(row_tops, cells):
        draw_words(svg, origin, y + BAR - 1.5, cell, x_of, peers)
    svg.text(x_of(1), top + PANEL_HEAD - 12, "copy speed", 10, COPY, "middle")


def draw_bar(svg, origin, y, cell, colour, x_of, peers):
    ratio, peer = copy_ratio(cell), peer_ratio(cell, peers)
    if not math.isfinite(ratio):
        return
    notes = f"{cell.name}: {cell.ms:.4f} ms, {ratio:.2f} of copy speed"
    if math.isfinite(peer):
        notes += f", {ratio / peer:.1f}x the best peer"
    svg.rectangle(origin, y, x_of(ratio) - origin, BAR, colour, notes)
    if math.isfinite(peer):
        # The paper around it keeps the mark visible on a bar.
        svg.rectangle(x_of(peer) - 1.9, y - 2, 3.8, BAR + 4, PAPER, radius=0)
        svg.rectangle(x_of(peer) - 0.9, y - 2, 1.8, BAR + 4, PEER, f"best peer: {peer:.2f} of copy speed", 0)


def draw_words(svg, origin, baseline, cell, x_of, peers):
    svg.text(origin - 8, baseline, cell.key[3], 11, INK, "end")
    ratio, peer = copy_ratio(cell), peer_ratio(cell, peers)
    if not math.isfinite(ratio):
        svg.text(origin + 4, baseline, shortened(cell.error or "no copy_ratio"), 10, FAILED, halo=True)
        return
    after = x_of(ratio)
    if math.isfinite(peer) and after - 4 < x_of(peer) < after + 32:  # the mark stands where the value would
        after = x_of(peer)
    svg.text(after + 5, baseline, f"{ratio:.2f}", 10, INK, halo=True)


def shortened(text, most=58):
    return text if len(text) <= most else text[: most - 1] + "\u2026"


def draw_legend(svg, x, y, groups, peer_columns):
    for dtype in dict.fromkeys(group[1] for group in groups):
        svg.rectangle(x, y - 9, 22, BAR, COLOURS.get(dtype, OTHER_COLOUR))
        svg.text(x + 28, y, dtype, 11, INK)
        x += 28 + 7.2 * len(dtype) + 18
    if peer_columns:
        svg.rectangle(x, y - 11, 1.8, BAR + 4, PEER, radius=0)
        names = " and ".join(name.removesuffix("_ms").replace("_", " ") for name in peer_columns)
        best = "best of " if len(peer_columns) > 1 else ""
        svg.text(x + 8, y, f"{best}{names}", 11, INK)


def subtitle(context):
    parts = [
        str(context["gpu"]) if "gpu" in context else "",
        f"CUDA {context['cuda_toolkit']}" if "cuda_toolkit" in context else "",
        f"dwconv {context['dwconv_version']}" if "dwconv_version" in context else "",
        f"median of {context['cold_runs']} runs, L2 flushed" if "cold_runs" in context else "",
    ]
    return " \u00b7 ".join(part for part in parts if part)


def chart(context, groups, peers, peer_columns):
    """The SVG's text. Panels lie in rows: one per direction and dtype, its layouts side by side."""
    rows = {}
    for group, cells in groups.items():
        rows.setdefault(group[:2], []).append((group, cells))
    panel = LABELS + BARS + VALUES
    columns = max(map(len, rows.values()))
    width = 2 * MARGIN + columns * panel + (columns - 1) * GAP
    ratios = [copy_ratio(cell) for cells in groups.values() for cell in cells]
    scale = max(1.05, *(min(ratio, 1.5) for ratio in ratios if math.isfinite(ratio)), 0)

    svg, top = Svg(), HEADER + LEGEND
    for row in rows.values():
        for column, (group, cells) in enumerate(row):
            draw_panel(svg, MARGIN + column * (panel + GAP), top, group, cells, scale, peers)
        top += PANEL_HEAD + ROW * max(len(cells) for _, cells in row) + AXIS + 16
    title = "Depthwise convolution as a share of copy speed"
    svg.text(MARGIN, 38, title, 18, INK, weight="600")
    svg.text(MARGIN, 60, subtitle(context), 12, QUIET)
    draw_legend(svg, MARGIN, HEADER + 14, groups, peer_columns)
    return svg.document(width, top + 4, title)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", metavar="BENCH.json")
    parser.add_argument("-o", "--output", required=True, metavar="CHART.svg")
    parser.add_argument("--group", action="append", metavar="NAME",
                        help="only this one, such as forward/float16/nchw or forward/float16; may be repeated")
    parser.add_argument("--peers", metavar="FILE.csv", help="another library's times")
    options = parser.parse_args(arguments)
    try:
        context, cells = bench_json.read(options.bench)
        groups = chosen_groups(cells, options.group)
        peers, peer_columns = read_peers(options.peers) if options.peers else ({}, [])
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(chart(context, groups, peers, peer_columns))
    except bench_json.BadFile as error:
        print(f"plot.py: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"plot.py: {options.output}: cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
