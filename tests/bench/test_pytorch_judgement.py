"""pytorch_judgement.py on made-up numbers: rules, summaries, what a record holds. Needs no PyTorch."""
import json
import math
import pathlib
import tempfile
import unittest

import pytorch_judgement as judgement

GREEDY = {"same": 50, "of": 50, "passed": True, "excused": False}


def tensor(name, error=1e-3, pytorch=1e-3, **others):
    row = {"tensor": name, "error": error, "scaled": error, "difference": error}
    if pytorch is not None:
        row.update(pytorch=pytorch, pytorch_scaled=pytorch, pytorch_eager=2 * pytorch)
    return {**row, **others}


def outcome(dtype, *rows):
    return judgement.outcome_of(list(rows), dtype, GREEDY)


class Rules(unittest.TestCase):
    def test_groups(self):
        names = {"activation.logits": "logits", "loss": "loss", "activation.embed": "residual stream",
                 "activation.layer0.mlp": "residual stream", "gradient.transformer.wte.weight": "gradients"}
        for name, group in names.items():
            self.assertEqual(judgement.group_of(name), group)

    def test_16_bits_go_by_the_ratio(self):
        self.assertTrue(outcome("fp16", tensor("activation.logits", 1.25e-3))["passed"])
        self.assertFalse(outcome("fp16", tensor("activation.logits", 1.26e-3))["passed"])

    def test_32_bits_go_by_the_element_and_keep_the_ratio(self):
        kept = outcome("fp32", tensor("activation.logits", 9e-5, 3e-5))
        self.assertTrue(kept["passed"])
        self.assertAlmostEqual(kept["groups"]["logits"]["ratio"], 3.0)
        self.assertFalse(outcome("fp32", tensor("activation.logits", 1.1e-4, 1e-3))["passed"])

    def test_how_often_pytorch_misses_the_rule_in_fp32(self):
        rows = [tensor(f"gradient.{i}", 1e-5, pytorch) for i, pytorch in enumerate([2e-4, 1e-5, math.inf])]
        group = outcome("fp32", *rows)["groups"]["gradients"]
        self.assertEqual((group["pytorch_over"], group["over"]), (2, 0))
        self.assertNotIn("pytorch_over", outcome("bf16", *rows)["groups"]["gradients"])

    def test_fp64_has_no_ratio(self):
        kept = outcome("fp64", tensor("activation.logits", 1e-14, None))
        self.assertNotIn("ratio", kept["groups"]["logits"])
        self.assertNotIn("PyTorch's error", "\n".join(judgement.lines_of("random", kept)))

    def test_the_loss_goes_by_the_tolerance_of_the_type(self):
        lucky = tensor("loss", 1e-4, 1e-9)
        for dtype in ("tf32", "bf16", "fp16"):
            kept = outcome(dtype, lucky)
            self.assertTrue(kept["passed"])
            self.assertNotIn("ratio", kept["groups"]["loss"])
        self.assertFalse(outcome("fp16", tensor("loss", 3e-3, 1.0))["passed"])
        self.assertFalse(outcome("fp64", tensor("loss", 1e-9, None))["passed"])

    def test_what_is_not_finite_never_passes(self):
        for bad in (math.inf, math.nan):
            for dtype in judgement.DTYPES:
                self.assertFalse(outcome(dtype, tensor("activation.logits", bad))["passed"])
                self.assertFalse(outcome(dtype, tensor("loss", bad))["passed"])

    def test_an_exact_rival(self):
        self.assertEqual(judgement.ratio_of(0.0, 0.0), 0.0)
        self.assertEqual(judgement.ratio_of(1e-9, 0.0), math.inf)
        self.assertFalse(outcome("bf16", tensor("activation.embed", 1e-9, 0.0))["passed"])


class Kept(unittest.TestCase):
    def test_a_group_keeps_its_worst(self):
        rows = [tensor("gradient.a", 1e-3, 1e-3, difference=7.0), tensor("gradient.b", 3e-3, 2e-3, scaled=0.5)]
        group = outcome("bf16", *rows)["groups"]["gradients"]
        self.assertEqual((group["tensors"], group["ratio_tensor"], group["over"]), (2, "gradient.b", 1))
        self.assertEqual((group["ratio"], group["ratio_eager"]), (1.5, 0.75))
        self.assertEqual((group["scaled"], group["difference"]), (0.5, 7.0))

    def test_no_tensors_by_name_but_those_that_fall_short(self):
        good = outcome("bf16", *[tensor(f"gradient.{i}") for i in range(100)])
        self.assertEqual(good["short"], [])
        bad = outcome("bf16", *[tensor(f"gradient.{i}", 1.0) for i in range(100)])
        self.assertEqual((len(bad["short"]), bad["groups"]["gradients"]["over"]), (judgement.MOST_SHORT, 100))
        self.assertIn("FAILED gradient.0: 1e+03 of 1.25", "\n".join(judgement.lines_of("random", bad)))

    def test_greedy_text_counts(self):
        other = {**GREEDY, "same": 3, "passed": False}
        self.assertFalse(judgement.outcome_of([tensor("activation.logits")], "bf16", other)["passed"])

    def test_a_record_is_strict_json(self):
        facts = {"machine": {"cpu": "c"}, "build": {"commit": "b"}, "sources": {"set": "stage4-gpu", "hash": "0"}}
        rows = [("a", outcome("bf16", tensor("activation.logits", math.inf)))]
        record = judgement.record_of("pytorch-x", "python3", "work", "now", facts, rows)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "pytorch-x.json"
            judgement.write_record(path, record)
            read = json.loads(path.read_text())
            self.assertEqual([item.name for item in path.parent.iterdir()], [path.name])
        self.assertEqual(read["rows"][0]["sources"], "stage4-gpu")
        self.assertEqual(read["rows"][0]["values"]["groups"]["logits"]["ratio"], "inf")
        self.assertFalse(read["rows"][0]["values"]["passed"])


if __name__ == "__main__":
    unittest.main()
