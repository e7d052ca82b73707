# SPDX-License-Identifier: Apache-2.0
"""Tiles in the place of planned ones, on emulated kernels: outputs are checked, times are not looked at."""
import os
import unittest

import bench_json
import program
import tune
from result_files import FilesTest, call

SHAPES = program.SHAPES / "tiles.csv"


def measured(out, tiles, *options):
    """Writes the result to `out`; returns the finished process."""
    result, _ = program.run_with_tiles(tune.tiles_text([tune.Tile(*tile) for tile in tiles]), f"--shapes={SHAPES}", "--runs=1", "--directions=forward",
                                       f"--benchmark_out={out}", "--benchmark_out_format=json", *options)
    return result


class Rows(FilesTest):
    def test_a_row_a_tile_that_suits(self):
        tiles = [(2, 14, 29, 16, 7, 7, 0), (1, 14, 29, 99, 99, 5, 0), (1, 14, 29, 4, 1, 3, 0), (1, 14, 29, 16, 14, 5, 0),
                 (1, 14, 29, 16, 7, 4, 0), (64, 14, 29, 16, 7, 7, 0), (1, 14, 29, 6, 14, 3, 0)]
        out = self.folder / "result.json"
        result = measured(out, tiles, "--dtypes=float32", "--layouts=nchw", "--benchmark_filter=/k3/")
        self.assertEqual(result.returncode, 0, result.stderr)
        planned, cells = bench_json.read_tiles(out, ("forward", "float32", "nchw", "k3"))
        # Steps and rows a thread are what follows from the tile.
        self.assertEqual(list(cells), [(2, 14, 29, 16, 7, 7, 0), (1, 14, 29, 16, 14, 5, 0), (1, 14, 29, 4, 14, 3, 0)])
        counters = [(cell.error, cell.counters["threads"], cell.counters["blocks"]) for cell in cells.values()]
        self.assertEqual(counters, [("", 32, 6), ("", 32, 12), ("", 32, 12)])
        for tile, cell in cells.items():
            self.assertEqual(cell.counters["label"], f"window tile:{','.join(map(str, tile))}")
            self.assertGreater(cell.counters["shared_bytes"], 128 + 4 * 14 * 29 // 2)
        self.assertRegex(planned.counters["label"], r"^window tile:\d+(,\d+){6}$")
        self.assertIn("dwconv_bench: forward/float32/nchw/k3: 4 of 7 tiles left out: 1 chunks end within a copy, "
                      "1 larger than y, 1 no kernel for that piece, 1 the same as another\n", result.stderr)

    def test_other_kernels_have_the_planned_row_alone(self):
        out = self.folder / "result.json"
        result = measured(out, [(1, 6, 6, 8, 6, 7, 0)], "--dtypes=float64", "--benchmark_filter=any_filter|nhwc/k3/")
        self.assertEqual(result.returncode, 0, result.stderr)
        _, cells = bench_json.read(out)
        labels = {cell.name: cell.counters["label"] for cell in cells.values()}
        self.assertEqual(labels, {"forward/float64/nchw/any_filter": "window", "forward/float64/nhwc/k3": "direct",
                                  "forward/float64/nhwc/any_filter": "direct"})


class Candidates(unittest.TestCase):
    def test_all_that_the_benchmark_takes_are_computed_right(self):
        # As many as have every piece and kind of tile.
        for dtype, budget in (("float32", 30), ("float64", 10)):
            for shape in ("k3", "k5", "k3_s2", "wide"):
                with self.subTest(dtype=dtype, shape=shape):
                    code, out, err = call(tune.main, "--bench", os.environ["DWCONV_BENCH"], "--shapes", SHAPES, "--id", shape,
                                          "--dtype", dtype, "--budget", budget, "--runs", 1, "--keep", 3)
                    self.assertEqual((code, err), (0, ""))
                    lines = out.splitlines()
                    self.assertRegex("\n".join(lines), rf"forward/{dtype}/nchw/{shape}: \d+ tiles")
                    self.assertRegex(lines[-2], r"^planned ")
                    self.assertRegex(lines[-1], r"^gain ")


if __name__ == "__main__":
    unittest.main()
