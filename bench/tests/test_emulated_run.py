# SPDX-License-Identifier: Apache-2.0
"""The whole program on emulated kernels: rows, counters, refusals. Times are not looked at."""
import csv
import math
import pathlib
import tempfile
import unittest

import bench_json
import program


def measured(shapes, *options):
    """Returns the finished process and what bench_json reads of its result."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "result.json"
        result = program.run(f"--shapes={program.SHAPES / shapes}", "--runs=2", f"--benchmark_out={path}",
                             "--benchmark_out_format=json", *options)
        return result, *bench_json.read(path)


def planned_family(dtype, layout, shape):
    """What docs/kernels.md says of the shapes of small.csv."""
    if layout != "nchw":
        return "direct"
    return "toeplitz" if shape == "one_row" and dtype in ("float16", "bfloat16") else "window"


class EmulatedRun(unittest.TestCase):
    def test_every_cell_is_checked_and_has_its_counters(self):
        result, context, cells = measured("small.csv", "--directions=forward", "--benchmark_context=commit=abc")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(program.SHAPES / "small.csv", encoding="utf-8") as file:
            shapes = {row["id"]: row for row in csv.DictReader(file)}
        ids = list(shapes)
        self.assertEqual(list(cells), [("forward", dtype, layout, shape) for dtype in program.DTYPES
                                       for layout in program.LAYOUTS for shape in ids])
        for cell in cells.values():
            self.assertEqual(cell.error, "")
            self.assertEqual(cell.counters["label"], planned_family(*cell.key[1:]))
            for name in ("copy_ratio", "GBps", "TFLOPs", "copy_ms", "min_ms", "q1_ms", "q3_ms", "max_ms"):
                self.assertTrue(math.isfinite(cell.counters[name]), f"{cell.name} {name}")
            self.assertAlmostEqual(cell.counters["copy_ratio"], cell.counters["copy_ms"] / cell.ms)
            order = [cell.counters["min_ms"], cell.counters["q1_ms"], cell.ms, cell.counters["q3_ms"], cell.counters["max_ms"]]
            for smaller, larger in zip(order, order[1:]):
                self.assertLessEqual(smaller, larger * (1 + 1e-9))
        for name in ("gpu", "cuda_driver", "cuda_runtime", "cuda_toolkit", "dwconv_version", "l2_bytes", "sm_clock_mhz"):
            self.assertIn(name, context)
        self.assertEqual((context["cold_runs"], context["outputs_checked"], context["commit"]), ("2", "yes", "abc"))

    def test_useful_work_is_counted_once(self):
        _, _, cells = measured("small.csv", "--directions=forward", "--dtypes=float32", "--layouts=nchw", "--check=0")
        cell = cells["forward", "float32", "nchw", "plain"]
        outputs, taps, seconds = 2 * 3 * 9 * 10, 9, cell.ms * 1e-3
        self.assertAlmostEqual(cell.counters["TFLOPs"] * seconds * 1e12, 2 * outputs * taps, places=3)
        self.assertAlmostEqual(cell.counters["GBps"] * seconds * 1e9, 4 * (2 * outputs + 3 * taps), places=3)

    def test_gradients_are_checked_and_their_bytes_counted(self):
        result, _, cells = measured("small.csv", "--directions=backward_data,backward_filter,backward",
                                    "--dtypes=float32,float16")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(cells), 3 * 2 * 2 * 3)
        for cell in cells.values():
            self.assertEqual(cell.error, "", cell.name)
        outputs, taps = 2 * 3 * 9 * 10, 9
        data = cells["backward_data", "float32", "nchw", "plain"]
        self.assertEqual(data.counters["label"], "window")
        self.assertEqual(cells["backward_data", "float32", "nchw", "strided_dilated"].counters["label"], "direct")
        both = cells["backward", "float32", "nchw", "plain"]
        self.assertEqual(both.counters["label"], "one pass")
        self.assertEqual(cells["backward", "float32", "nhwc", "plain"].counters["label"], "one after the other")
        self.assertAlmostEqual(both.counters["GBps"] * both.ms * 1e-3 * 1e9, 4 * (3 * outputs + 6 * taps), places=3)
        weights = cells["backward_filter", "float32", "nchw", "plain"]
        for cell in (data, weights):  # x and y have the same size here
            self.assertAlmostEqual(cell.counters["GBps"] * cell.ms * 1e-3 * 1e9, 4 * (2 * outputs + 3 * taps), places=3)
            self.assertAlmostEqual(cell.counters["TFLOPs"] * cell.ms * 1e-3 * 1e12, 2 * outputs * taps, places=3)

    def test_a_refused_shape_costs_its_own_row_only(self):
        result, _, cells = measured("refused.csv", "--directions=forward", "--dtypes=float16", "--layouts=nhwc")
        self.assertEqual(result.returncode, 0, result.stderr)
        errors = {key[3]: cell.error for key, cell in cells.items()}
        self.assertRegex(errors["filter_too_large"], "filter.height spans 9")
        self.assertRegex(errors["no_batch"], "batch is 0")
        self.assertRegex(errors["does_not_fit"], "bytes of device memory")
        self.assertEqual(errors["plain"], "")


if __name__ == "__main__":
    unittest.main()
