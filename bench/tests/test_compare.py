# SPDX-License-Identifier: Apache-2.0
import unittest

import compare
from result_files import FilesTest, call, failed, row

CELL = "forward/float32/nchw/"


class Compare(FilesTest):
    def words(self, old, new, *options):
        code, out, _ = call(compare.main, self.result("old.json", *old), self.result("new.json", *new), "--all", *options)
        lines = out.split("\n\n")[0].splitlines()[1:]
        return code, {line.split()[0].rsplit("/", 1)[1]: line.split("  ")[-1].strip() for line in lines}

    def test_a_cell_is_same_faster_slower_or_noise(self):
        def spread(ms, share):
            return {"q1_ms": ms * (1 - share), "q3_ms": ms * (1 + share), "min_ms": 0.0, "max_ms": 99.0}

        def rows(times, share):
            return [row(CELL + name, ms, **spread(ms, share)) for name, ms in times.items()]

        old = rows({"same": 1.0, "faster": 1.0, "slower": 1.0}, 0.01) + rows({"noise": 1.0}, 0.2)
        new = rows({"same": 1.02, "faster": 0.5, "slower": 1.5}, 0.01) + rows({"noise": 1.1}, 0.2)
        code, words = self.words(old, new)
        self.assertEqual(words, {name: name for name in ("same", "faster", "slower", "noise")})
        self.assertEqual(code, 0)

    def test_the_threshold_is_the_callers(self):
        _, words = self.words([row(CELL + "a", 1.0)], [row(CELL + "a", 1.02)], "--threshold", "0.01")
        self.assertEqual(words, {"a": "slower"})

    def test_min_and_max_serve_without_quartiles(self):
        _, words = self.words([row(CELL + "a", 1.0, min_ms=0.9, max_ms=1.3)], [row(CELL + "a", 1.2, min_ms=1.1, max_ms=1.3)])
        self.assertEqual(words, {"a": "noise"})

    def test_repetitions_serve_without_counters(self):
        def repeated(*times):
            median = {**row(CELL + "a", sorted(times)[1]), "run_type": "aggregate", "aggregate_name": "median"}
            return [row(CELL + "a", ms) for ms in times] + [median]

        self.assertEqual(self.words(repeated(1, 2, 3), repeated(2.5, 3, 4))[1], {"a": "noise"})
        self.assertEqual(self.words(repeated(1, 2, 3), repeated(4, 5, 6))[1], {"a": "slower"})

    def test_units_are_converted(self):
        _, words = self.words([row(CELL + "a", 1.0)], [{**row(CELL + "a", 1000.0), "time_unit": "us"}])
        self.assertEqual(words, {"a": "same"})

    def test_cells_of_one_file_and_failures_are_told(self):
        old = [row(CELL + "gone", 1.0), row(CELL + "broke", 1.0), failed(CELL + "mended", "no")]
        new = [row(CELL + "came", 1.0), failed(CELL + "broke", "wrong"), row(CELL + "mended", 1.0)]
        code, words = self.words(old, new, "--fail-if-slower")
        self.assertEqual(words, {"gone": "only old", "came": "only new", "broke": "failed", "mended": "mended"})
        self.assertEqual(code, 2)

    def test_only_planned_tiles_count(self):
        tile = row(CELL + "a/tile:1,7,7,9,7,7,0", 0.1)
        self.assertEqual(self.words([row(CELL + "a", 1.0)], [row(CELL + "a", 1.0), tile])[1], {"a": "same"})

    def test_means_are_geometric(self):
        old = self.result("old.json", row(CELL + "a", 4.0), row(CELL + "b", 1.0))
        new = self.result("new.json", row(CELL + "a", 1.0), row(CELL + "b", 1.0))
        self.assertIn("2.000x  1 faster, 0 slower, 1 same, 0 noise", call(compare.main, old, new)[1])

    def test_a_change_of_machine_is_noted(self):
        old = self.result("old.json", row(CELL + "a", 1.0), gpu="one")
        new = self.result("new.json", row(CELL + "a", 1.0), gpu="other")
        self.assertIn("note: gpu was one, is other\n", call(compare.main, old, new)[1])

    def test_a_bad_file_is_one_line_and_1(self):
        good = self.result("good.json", row(CELL + "a", 1.0))
        timeless = {"name": CELL + "a", "run_type": "iteration"}
        bad = {
            str(self.folder / "none.json"): "cannot be read",
            self.write("text.json", "hello"): "is no JSON",
            self.write("list.json", "[]"): "is no Google Benchmark result",
            self.result("empty.json"): "no benchmark is named",
            self.result("other.json", row("BM_other", 1.0)): "no benchmark is named",
            self.result("nameless.json", {"real_time": 1}): "has no name",
            self.result("timeless.json", timeless): "has no time",
        }
        for path, complaint in bad.items():
            code, _, err = call(compare.main, good, path)
            self.assertEqual(code, 1, path)
            self.assertEqual(err.count("\n"), 1, err)
            self.assertIn(f"{path}: ", err)
            self.assertIn(complaint, err)


if __name__ == "__main__":
    unittest.main()
