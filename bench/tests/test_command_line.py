# SPDX-License-Identifier: Apache-2.0
"""What the benchmark says before it needs a GPU."""
import unittest

import program

HEADER = "id,n,c,h,w,kh,kw,sh,sw,pad_top,pad_bottom,pad_left,pad_right,dh,dw,multiplier\n"
TILES = "planes,rows,columns,steps,rows_per_thread,piece_columns,piece_rows\n"
ROW = "a,1,2,8,8,3,3,1,1,0,0,0,0,1,1,1\n"


class OneLine(unittest.TestCase):
    def assert_refused(self, result, line):
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, f"dwconv_bench: {line}\n")


class MalformedCsv(OneLine):
    def assert_complains(self, text, where):
        result, path = program.run_on(text)
        self.assert_refused(result, f"{path}:{where}")

    def test_an_empty_file(self):
        self.assert_complains("", "1: column id: the file is empty")

    def test_a_header_alone(self):
        self.assert_complains(HEADER, "2: column id: no shape follows")

    def test_a_header_without_a_column(self):
        self.assert_complains(HEADER.replace(",kw", "") + ROW, "1: column kw: is missing")

    def test_a_header_without_id(self):
        self.assert_complains(HEADER.replace("id,", "") + ROW, "1: column id: is missing")

    def test_a_header_with_a_column_nobody_knows(self):
        self.assert_complains(HEADER.replace("kw", "kz") + ROW, "1: column kz: is none that a shapes file has")

    def test_a_header_with_a_column_twice(self):
        self.assert_complains(HEADER.replace("kw", "kh") + ROW, "1: column kh: is there twice")

    def test_a_row_that_ends_early(self):
        self.assert_complains(HEADER + "a,1,2,8\n", "2: column w: is missing: the row ends before it")

    def test_a_row_that_goes_on(self):
        self.assert_complains(HEADER + ROW + "b" + ROW[1:-1] + ",7\n", "3: column 17: lies past the last column of the header")

    def test_a_word_for_a_number(self):
        self.assert_complains(HEADER + ROW.replace("2", "two"), "2: column c: 'two' is not a whole number")

    def test_a_fraction(self):
        self.assert_complains(HEADER + ROW.replace("2", "2.5"), "2: column c: '2.5' is not a whole number")

    def test_nothing_for_a_number(self):
        self.assert_complains(HEADER + ROW.replace("2", ""), "2: column c: '' is not a whole number")

    def test_a_number_past_64_bits(self):
        self.assert_complains(HEADER + ROW.replace("2", "9" * 20), f"2: column c: '{'9' * 20}' exceeds 64 bits")

    def test_an_id_twice(self):
        self.assert_complains(HEADER + ROW + "\n" + ROW, "4: column id: 'a' is also on line 2")

    def test_an_id_that_would_split_the_name(self):
        self.assert_complains(HEADER + ROW.replace("a", "a/b"),
                              "2: column id: 'a/b' holds more than letters, digits, '_', '.' and '-'")

    def test_no_id(self):
        self.assert_complains(HEADER + ROW.replace("a", ""), "2: column id: is empty")

    def test_no_file(self):
        self.assert_refused(program.run("--shapes=no_such_file.csv"),
                            "no_such_file.csv: cannot be read (--shapes=FILE names another)")


class MalformedTiles(OneLine):
    def assert_complains(self, text, where):
        result, path = program.run_with_tiles(text)
        self.assert_refused(result, f"{path}:{where}")

    def test_an_empty_file(self):
        self.assert_complains("", "1: column planes: the file is empty")

    def test_a_header_alone(self):
        self.assert_complains(TILES, "2: column planes: no tile follows")

    def test_a_header_without_a_column(self):
        self.assert_complains(TILES.replace(",steps", ""), "1: column steps: is missing")

    def test_a_header_with_a_column_nobody_knows(self):
        self.assert_complains(TILES.replace("steps", "stages"), "1: column stages: is none that a tiles file has")

    def test_a_size_that_no_tile_has(self):
        self.assert_complains(TILES + "1,7,7,9,7,7,0\n0,7,7,9,7,7,0\n", "3: column planes: '0' must be from 1 to 65536")
        self.assert_complains(TILES + "1,7,65537,9,7,7,0\n", "2: column columns: '65537' must be from 1 to 65536")
        self.assert_complains(TILES + "1,7,7,9,7,7,-1\n", "2: column piece_rows: '-1' must be from 0 to 65536")

    def test_a_word_for_a_number(self):
        self.assert_complains(TILES + "1,7,all,9,7,7,0\n", "2: column columns: 'all' is not a whole number")

    def test_no_file(self):
        self.assert_refused(program.run("--tiles=no_such_file.csv"), "no_such_file.csv: cannot be read (--tiles=FILE names it)")
        self.assert_refused(program.run("--tiles="), "--tiles: '' must be a file")


class UnknownFamily(OneLine):
    def test_the_known_ones_are_named(self):
        result = program.run("--family=no_such_family")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^dwconv_bench: --family: 'no_such_family' must be one of .*direct\n$")


class BadOptions(OneLine):
    def test_a_dtype(self):
        self.assert_refused(program.run("--dtypes=float32,int8"),
                            "--dtypes: 'int8' must be one of float32, float16, bfloat16, float64")

    def test_a_layout(self):
        self.assert_refused(program.run("--layouts="), "--layouts: '' must be one of nchw, nhwc")

    def test_runs(self):
        for value in ("0", "many", "3x", "-1"):
            self.assert_refused(program.run(f"--runs={value}"), f"--runs: '{value}' must be from 1 to 10000")

    def test_one_that_nobody_knows(self):
        result = program.run("--no_such_option")
        self.assertEqual(result.returncode, 1)
        self.assertIn("--no_such_option", result.stderr)


class Names(unittest.TestCase):
    def names(self, *options):
        result, _ = program.run_on(HEADER + ROW, "--benchmark_list_tests", *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return ["/".join(name.split("/")[:4]) for name in result.stdout.split()]

    def test_every_dtype_and_layout(self):
        self.assertEqual(self.names("--directions=forward"),
                         [f"forward/{dtype}/{layout}/a" for dtype in program.DTYPES for layout in program.LAYOUTS])

    def test_every_direction(self):
        self.assertEqual(self.names("--dtypes=float32", "--layouts=nchw"),
                         [f"{direction}/float32/nchw/a" for direction in ("forward", "backward_data", "backward_filter", "backward")])

    def test_filters(self):
        self.assertEqual(self.names("--directions=forward", "--dtypes=float16,float64", "--layouts=nhwc"),
                         ["forward/float16/nhwc/a", "forward/float64/nhwc/a"])

    def test_tiles_follow_their_cell(self):
        result, _ = program.run_with_tiles(TILES + "2,8,8,10,4,7,0\n1,8,8,10,8,5,0\n1,8,8,10,8,4,0\n",
                                           f"--shapes={program.SHAPES / 'tiles.csv'}", "--benchmark_list_tests",
                                           "--directions=forward", "--benchmark_filter=/k3/", "--dtypes=float32")
        self.assertEqual(result.returncode, 0, result.stderr)
        names = [name.partition("/iterations")[0] for name in result.stdout.split()]
        self.assertEqual(names, ["forward/float32/nchw/k3", "forward/float32/nchw/k3/tile:1,8,8,10,8,5,0",
                                 "forward/float32/nhwc/k3"])

    def test_columns_in_any_order(self):
        result, _ = program.run_on("multiplier," + HEADER.replace(",multiplier", "") + "1," + ROW[:-3] + "\n",
                                   "--benchmark_list_tests")
        self.assertEqual(result.returncode, 0, result.stderr)


class NoGpu(unittest.TestCase):
    def test_one_line_and_77(self):
        hidden = program.run(f"--shapes={program.SHAPES / 'small.csv'}", CUDA_VISIBLE_DEVICES="-1")
        self.assertEqual(hidden.returncode, 77)
        self.assertEqual(hidden.stderr, "dwconv_bench: no CUDA device: 1 is needed, 0 found\n")
        self.assertEqual(hidden.stdout, "")


if __name__ == "__main__":
    unittest.main()
