# SPDX-License-Identifier: Apache-2.0
import unittest
import xml.etree.ElementTree as xml

import plot
from result_files import FilesTest, call, failed, row

SVG = "{http://www.w3.org/2000/svg}"
ROWS = (
    row("forward/float32/nchw/a", 2.0, copy_ratio=0.5, copy_ms=1.0),
    row("forward/float32/nchw/b", 1.0, copy_ratio=1.25, copy_ms=1.25),
    row("forward/float16/nhwc/a", 4.0, copy_ratio=0.25, copy_ms=1.0),
    failed("forward/float16/nhwc/b", "5 < 7 & no room"),
)
PEERS = "direction,dtype,layout,id,torch_default_ms,torch_native_ms\nforward,float32,nchw,a,8.0,nan\n"


class Plot(FilesTest):
    def draw(self, *options):
        out = self.folder / "chart.svg"
        source = self.result("bench.json", *ROWS, gpu="A GPU", cuda_toolkit="13.0.88", cold_runs="25")
        code, _, err = call(plot.main, source, "-o", out, *options)
        self.assertEqual((code, err), (0, ""))
        tree = xml.parse(out).getroot()
        return tree, [element.text for element in tree.iter(f"{SVG}text")]

    def bars(self, tree, dtype):
        bars = {}
        for rectangle in tree.iter(f"{SVG}rect"):
            note = rectangle.findtext(f"{SVG}title", "")
            if note.startswith(f"forward/{dtype}/"):
                bars[note.split(":")[0].rsplit("/", 1)[1]] = float(rectangle.get("width"))
        return bars

    def test_bars_are_as_long_as_their_ratios(self):
        tree, words = self.draw()
        bars = self.bars(tree, "float32")
        self.assertAlmostEqual(bars["b"] / bars["a"], 2.5, places=2)
        self.assertLessEqual({"0.50", "1.25", "0.25", "copy speed"}, set(words))

    def test_the_machine_is_named(self):
        _, words = self.draw()
        self.assertTrue(any("A GPU" in word and "CUDA 13.0.88" in word for word in words))

    def test_a_failed_cell_says_why(self):
        self.assertIn("5 < 7 & no room", self.draw()[1])

    def test_groups_are_chosen_by_leading_parts(self):
        tree, words = self.draw("--group", "forward/float16")
        self.assertIn("forward float16 nhwc", words)
        self.assertNotIn("forward float32 nchw", words)
        self.assertEqual(self.bars(tree, "float32"), {})

    def test_peers_are_marked(self):
        tree, words = self.draw("--peers", self.write("peers.csv", PEERS))
        marks = [title.text for title in tree.iter(f"{SVG}title") if "best peer:" in title.text]
        self.assertEqual(marks, ["best peer: 0.12 of copy speed"])
        self.assertIn("best of torch default and torch native", words)

    def test_a_single_bad_cell_draws_too(self):
        source = self.result("bad.json", failed("forward/float32/nchw/a", "no"))
        self.assertEqual(call(plot.main, source, "-o", self.folder / "c.svg")[0], 0)

    def test_bad_input_is_one_line_and_1(self):
        good = self.result("bench.json", *ROWS)
        chart = self.folder / "chart.svg"
        no_column = self.write("no_column.csv", "direction,dtype,id,a_ms\n")
        no_time = self.write("no_time.csv", PEERS + "forward,float32,nchw,b,fast,1\n")
        for arguments, complaint in (
            ((self.folder / "none.json", "-o", chart), "none.json: cannot be read"),
            ((good, "-o", self.folder / "no" / "chart.svg"), "chart.svg: cannot be written"),
            ((good, "-o", chart, "--group", "backward"), "no group is named backward"),
            ((good, "-o", chart, "--peers", self.folder / "none.csv"), "none.csv: cannot be read"),
            ((good, "-o", chart, "--peers", no_column), "no_column.csv:1: column layout: is missing"),
            ((good, "-o", chart, "--peers", no_time), "no_time.csv:3: column torch_default_ms: 'fast' is no time"),
        ):
            code, _, err = call(plot.main, *arguments)
            self.assertEqual((code, err.count("\n")), (1, 1), err)
            self.assertIn(complaint, err)


if __name__ == "__main__":
    unittest.main()
