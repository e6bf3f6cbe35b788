"""pytorch_parity.py where no PyTorch is asked: what a call is refused for, the ladder's exit codes, who computes in tf32.

Stand-ins take the modules' places, so that it runs everywhere.
"""
import contextlib
import io
import pathlib
import stat
import sys
import tempfile
import unittest
from unittest import mock

STAND_INS = {name: mock.MagicMock() for name in ("torch", "transformers", "safetensors", "safetensors.torch")}
with mock.patch.dict(sys.modules, STAND_INS):
    import pytorch_parity as parity


class Calls(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "text").write_text("a" * 2000)
        self.ladder = self.program("exit 0")

    def program(self, script):
        path = self.folder / "ladder"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def problem(self, *words):
        return parity.problem_with(parity.make_parser().parse_args([str(self.ladder), *words]))

    def test_trained_weights_need_a_step(self):
        trained = ["--weights", "trained", "--text", str(self.folder / "text")]
        self.assertEqual(self.problem(*trained), "")
        for steps in ("0", "-1"):
            self.assertIn(f"--train-steps {steps}: must be 1 or more", self.problem(*trained, "--train-steps", steps))
        self.assertEqual(self.problem("--train-steps", "0"), "")  # of random weights nothing is trained

    def test_the_ladders_exit_code_is_handed_on(self):
        for code, wanted in ((2, 2), (3, 3), (1, 1), (126, 1)):
            options = mock.Mock(ladder=self.program(f"echo why >&2; exit {code}"))
            said = io.StringIO()
            with self.assertRaises(SystemExit) as end, contextlib.redirect_stderr(said):
                parity.run_ladder(options, ["info"])
            self.assertEqual(end.exception.code, wanted)
            self.assertEqual(said.getvalue(), "pytorch_parity: ladder info ...: why\n")


class Tf32(unittest.TestCase):
    def allowed(self):
        backends = parity.torch.backends
        return backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32

    def test_only_pytorch_in_tf32_computes_in_it(self):
        for dtype in ("fp32", "tf32", "bf16"):
            seen = []
            with mock.patch.object(parity, "probe_torch", lambda *_: seen.append(self.allowed())):
                parity.probe_rivals({"eager": mock.MagicMock()}, [1, 2], dtype, "cuda")
            self.assertEqual(seen, [(dtype == "tf32",) * 2])
            self.assertEqual(self.allowed(), (False, False))

    def test_nor_what_follows_a_failure(self):
        def fails(*_):
            raise RuntimeError("out of memory")

        with mock.patch.object(parity, "probe_torch", fails), self.assertRaises(RuntimeError):
            parity.probe_rivals({"eager": mock.MagicMock()}, [1, 2], "tf32", "cuda")
        self.assertEqual(self.allowed(), (False, False))


if __name__ == "__main__":
    unittest.main()
