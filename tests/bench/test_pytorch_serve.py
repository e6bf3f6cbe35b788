"""pytorch_baseline.py --serve: how it is called and what becomes of an error, with stand-ins for PyTorch; with PyTorch,
where that is installed, what it answers."""
import importlib.util
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

MODULES = ("numpy", "torch", "safetensors")
STAND_INS = {name: mock.MagicMock() for name in (*MODULES, "torch.nn.attention", "pytorch_gpt2")}
with mock.patch.dict(sys.modules, STAND_INS):
    import pytorch_baseline as baseline

PROGRAM = pathlib.Path(baseline.__file__)
SHAPE = {"architecture": "gpt2", "n_layer": 1, "n_head": 2, "n_kv_head": 2, "n_embd": 8, "block_size": 4,
         "vocab_size": 11, "gelu": "tanh", "bias": True, "dropout": 0.5}
STEP = 2 * (SHAPE["block_size"] + 1)  # the tokens of a step of two windows


class WithoutPytorch(unittest.TestCase):
    def test_its_file_takes_the_place_of_the_data_and_must_be_there(self):
        with tempfile.TemporaryDirectory() as folder:
            there = pathlib.Path(folder, "there")
            there.touch()

            def problem(*words):
                return baseline.problem_with(baseline.make_parser().parse_args(["--weights", str(there), *words]))
            self.assertEqual(problem("--serve", str(there)), "")
            self.assertEqual(problem("--serve", f"{there}2"), f"--serve {there}2: no such file")
            self.assertIn("--data is missing", problem())

    def test_what_fails_is_answered_in_one_line(self):
        race = baseline.Race.__new__(baseline.Race)
        race.options = mock.Mock(device="cpu")
        for problem, says in ((RuntimeError("no compiler\nand more"), "no compiler"), (RuntimeError(), "RuntimeError")):
            race.train = mock.Mock(side_effect=problem)
            self.assertEqual(race.answer('{"steps": 2}'), {"problem": says})
            race.train.assert_called_once_with(steps=2)


@unittest.skipUnless(all(map(importlib.util.find_spec, MODULES)), "no PyTorch")
class WithPytorch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        make = ("import json, sys, torch, pytorch_gpt2 as gpt2; torch.manual_seed(1); shape = json.loads(sys.argv[1]); "
                "gpt2.save_model(gpt2.Gpt2(shape, shape['vocab_size']), sys.argv[2], {'model': sys.argv[1]})")
        subprocess.run([sys.executable, "-B", "-c", make, json.dumps(SHAPE), self.folder / "weights"], check=True,
                       cwd=PROGRAM.parent)

    def serve(self, windows, *requests):
        (self.folder / "windows").write_bytes(struct.pack(f"<{len(windows)}i", *windows))
        lines = [json.dumps(dict(zip(("compiled", "dropout", "steps"), request))) for request in requests]
        return subprocess.run([sys.executable, "-B", PROGRAM, "--weights", self.folder / "weights", "--device", "cpu",
                               "--serve", self.folder / "windows", "--batch-size", "2", "--lr", "0.01"],
                              input="".join(f"{line}\n" for line in lines), capture_output=True, text=True, check=False)

    def test_each_request_starts_from_the_initial_weights(self):
        windows = [(7 * i * i + i) % SHAPE["vocab_size"] for i in range(3 * STEP)]
        plain, dropping, one = (False, False, 3), (False, True, 3), (False, False, 1)
        done = self.serve(windows, plain, dropping, one, plain)
        self.assertEqual(done.returncode, 0, done.stderr)
        head, *answers = map(json.loads, done.stdout.splitlines())
        self.assertRegex(head["version"], r"^PyTorch \d")
        first, dropped, short, again = (answer["losses"] for answer in answers)
        self.assertEqual(len(set(first)), 3)
        self.assertEqual(again, first)
        self.assertEqual(short, first[:1])
        self.assertEqual(len(dropped), 3)
        self.assertNotEqual(dropped, first)
        for answer in answers:
            self.assertGreater(answer["seconds"], 0)

    def test_windows_that_do_not_fit_end_with_exit_code_2(self):
        for windows, says in (([0] * (STEP + 1), "is not a whole number of steps"),
                              ([], "is not a whole number of steps"),
                              ([SHAPE["vocab_size"]] * STEP, "holds tokens outside the vocabulary"),
                              ([-1] * STEP, "holds tokens outside the vocabulary")):
            done = self.serve(windows, (False, False, 1))
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1))
            self.assertIn(f"windows: {says}", done.stderr)


if __name__ == "__main__":
    unittest.main()
