# SPDX-License-Identifier: Apache-2.0
import unittest

import tune
from result_files import FilesTest, call, failed, row

HEADER = "id,n,c,h,w,kh,kw,sh,sw,pad_top,pad_bottom,pad_left,pad_right,dh,dw,multiplier\n"
SHAPES = HEADER + "a,2,3,30,50,3,3,1,1,1,1,1,1,1,1,1\nwide,1,2,90,2000,3,3,1,1,1,1,1,1,1,1,1\nflat,1,1,2,2,9,9,1,1,0,0,0,0,1,1,1\n"
CELL = "forward/float32/nchw/a"
LAUNCH = {"threads": 64, "shared_bytes": 4096, "blocks": 12, "copy_ratio": 0.5}


def planned(ms, tile="1,30,50,32,8,7,0", **more):
    return row(CELL, ms, label=f"window tile:{tile}", **LAUNCH, **more)


def tile(numbers, ms, **more):
    return row(f"{CELL}/tile:{numbers}", ms, label=f"window tile:{numbers}", **LAUNCH, **more)


class Best(FilesTest):
    def tune(self, *rows, options=()):
        return call(tune.main, "--json", self.result("tiles.json", *rows), "--id", "a", *options)

    def test_the_best_come_first_and_the_planned_one_last(self):
        code, out, err = self.tune(planned(2.0), tile("1,30,50,32,4,7,0", 3.0), tile("2,30,50,32,8,5,0", 1.0),
                                   tile("1,8,50,4,8,3,0", 1.5), options=("--keep", 2))
        self.assertEqual((code, err), (0, ""))
        lines = out.splitlines()
        self.assertEqual(lines[0].split(";")[0], f"{CELL}: 3 tiles")
        self.assertEqual([line.split()[0] for line in lines[2:5]], ["1", "2", "planned"])
        self.assertEqual([line.split()[3] for line in lines[2:5]], ["2,30,50,32,8,5,0", "1,8,50,4,8,3,0", "1,30,50,32,8,7,0"])
        self.assertEqual(lines[2].split(), ["1", "1.0000", "0.50", "2,30,50,32,8,5,0", "64", "4096", "12"])
        self.assertEqual(lines[5], "gain 2.000x: the best tile is faster")

    def test_a_gain_may_be_none_or_noise(self):
        spread = {"q1_ms": 0.5, "q3_ms": 2.5}
        for best, more, words in ((0.99, {}, "gain 1.010x: same"), (0.8, spread, "gain 1.250x: noise"),
                                  (1.5, {}, "gain 0.667x: the best tile is slower")):
            out = self.tune(planned(1.0, **more), tile("1,30,50,32,4,7,0", best, **more))[1]
            self.assertEqual(out.splitlines()[-1], words)

    def test_tiles_that_failed_are_told_and_1(self):
        code, out, err = self.tune(planned(2.0), tile("1,30,50,32,4,7,0", 1.0), failed(f"{CELL}/tile:2,30,50,32,4,7,0", "wrong"))
        self.assertEqual(code, 1)
        self.assertEqual(err, f"tune.py: 1 tiles failed: {CELL}/tile:2,30,50,32,4,7,0: wrong\n")
        self.assertIn("gain 2.000x", out)


class Candidates(FilesTest):
    def tiles(self, shape, dtype="float32", budget=400):
        out = self.folder / "tiles.csv"
        code, _, err = call(tune.main, "--shapes", self.write("shapes.csv", SHAPES), "--id", shape, "--dtype", dtype, "--budget",
                            budget, "--write-tiles", out)
        self.assertEqual((code, err), (0, ""))
        header, *lines = out.read_text(encoding="utf-8").splitlines()
        self.assertEqual(header, ",".join(tune.COLUMNS))
        return [tune.Tile(*map(int, line.split(","))) for line in lines]

    def test_they_are_no_more_than_the_budget_and_all_different(self):
        for budget in (1, 50, 400):
            tiles = self.tiles("wide", budget=budget)
            self.assertEqual(len(tiles), budget)
            self.assertEqual(len(set(tiles)), budget)

    def test_a_small_budget_has_every_kind_and_piece(self):
        tiles = self.tiles("wide", budget=60)
        in_chunks = [tile for tile in tiles if tile.steps < tile.rows + 2]
        one_chunk = [tile for tile in tiles if tile.steps == tile.rows + 2]
        self.assertEqual(len(in_chunks) + len(one_chunk), 60)
        for kind in (in_chunks, one_chunk):
            self.assertGreater(len([tile for tile in kind if tile.columns < 2000]), 5)
        self.assertEqual({(tile.piece_columns, tile.piece_rows) for tile in one_chunk}, set(tune.PIECES[4]))
        self.assertGreater(len({tile.planes for tile in self.tiles("a")}), 2)

    def test_they_keep_to_what_kernels_take(self):
        for dtype, multiple in (("float32", 4), ("float16", 8), ("float64", 2)):
            for shape, height, width, planes in (("a", 30, 50, 6), ("wide", 90, 2000, 2)):
                for tile in self.tiles(shape, dtype, 100000):
                    self.assertLessEqual(tile.threads, 128)
                    self.assertLessEqual((tile.rows, tile.columns <= width, tile.planes <= planes), (height, True, True))
                    if tile.steps < tile.rows + 2:
                        self.assertEqual((tile.steps % multiple, tile.walk, tile.piece_rows), (0, tile.rows, 0))
                    if tile.columns < width:
                        self.assertEqual(tile.planes, 1)

    def test_every_beginning_is_spread_over_the_whole(self):
        order = tune.spread(list(range(15)))
        self.assertEqual(sorted(order), list(range(15)))
        self.assertEqual(order[:3], [7, 3, 11])


class Mistakes(FilesTest):
    def test_bad_input_is_one_line_and_1(self):
        shapes = self.write("shapes.csv", SHAPES)
        no_column = self.write("no_column.csv", SHAPES.replace(",kw", ""))
        no_number = self.write("no_number.csv", SHAPES.replace("30", "tall"))
        write = ("--write-tiles", self.folder / "t.csv")
        run = ("--bench", self.folder / "no_bench")

        def result(name, *rows):
            return ("--json", self.result(name, *rows))

        for arguments, complaint in (
            (("--shapes", shapes), "--shapes and --bench are needed"),
            (("--shapes", self.folder / "none.csv", *write), "none.csv: cannot be read"),
            (("--shapes", no_column, *write), "no_column.csv: column kw: is missing"),
            (("--shapes", no_number, *write), "no_number.csv: shape a: invalid literal"),
            (("--shapes", shapes, *write, "--id", "b"), "shapes.csv: no shape has the id 'b'"),
            (("--shapes", shapes, *write, "--id", "flat"), "shapes.csv: shape flat: y is empty"),
            (("--shapes", shapes, "--write-tiles", self.folder / "no" / "t.csv"), "t.csv: cannot be written"),
            (("--shapes", shapes, *run), "no_bench: cannot be run"),
            (("--json", self.folder / "none.json"), "none.json: cannot be read"),
            (result("other.json", row("forward/float16/nchw/a", 1.0)), f"other.json: no benchmark is named {CELL}"),
            (result("plain.json", row(CELL, 1.0, label="window")), "has no planned tile"),
            (result("alone.json", planned(1.0)), "no tile has a time"),
            (result("refused.json", failed(CELL, "too large")), f"{CELL}: too large"),
            (result("name.json", planned(1.0), tile("1,2", 1.0)), "'tile:1,2' names no tile"),
        ):
            code, _, err = call(tune.main, "--id", "a", *arguments)
            self.assertEqual((code, err.count("\n")), (1, 1), f"{arguments}: {err}")
            self.assertTrue(err.startswith("tune.py: "), err)
            self.assertIn(complaint, err)

    def test_what_the_benchmark_complains_of_is_handed_on(self):
        bench = self.write("bench.sh", "#!/bin/sh\necho 'dwconv_bench: no CUDA device' >&2\nexit 77\n")
        (self.folder / "bench.sh").chmod(0o755)
        code, _, err = call(tune.main, "--id", "a", "--shapes", self.write("shapes.csv", SHAPES), "--bench", bench)
        self.assertEqual((code, err), (1, f"tune.py: {bench}: exit code 77: dwconv_bench: no CUDA device\n"))


if __name__ == "__main__":
    unittest.main()
