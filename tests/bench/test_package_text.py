"""package_text.py on small packages that are made here: which files, in which order, and what is refused."""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).with_name("package_text.py")


def files_of(package, count):
    return {f"{package}/part{i}.py": f"# {package} {i}\n".encode() for i in range(count)}


class Texts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def machine(self, name, files):
        """A folder of packages, the files written in the order that they come in."""
        for path, content in files.items():
            (self.folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name / path).write_bytes(content)
        return name

    def run_on(self, machine, *words):
        return subprocess.run([sys.executable, "-B", PROGRAM, *words], cwd=self.folder, capture_output=True, text=True,
                              check=False, env={**os.environ, "PYTHONPATH": str(self.folder / machine)})

    def text(self, machine, *packages):
        done = self.run_on(machine, *packages, "--out", "text")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return (self.folder / "text").read_bytes()

    def refused(self, *words):
        done = self.run_on("here", *words)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1))
        return done.stderr

    def test_the_order_comes_from_the_names_alone(self):
        files = {**files_of("one_pack", 9), **files_of("two_pack", 9)}
        here = self.machine("here", files)
        there = self.machine("there/deeper", dict(reversed(files.items())))
        text = self.text(here, "one_pack", "two_pack")
        in_order = sorted(files, key=lambda name: hashlib.sha256(name.encode()).digest())
        self.assertEqual(text, b"\n".join(files[name] for name in in_order))
        self.assertEqual(self.text(there, "two_pack", "one_pack"), text)
        self.assertEqual(self.text(here, "one_pack", "two_pack", "one_pack"), text)  # named twice, taken once

    def test_files_in_folders_of_a_package_belong_to_it_and_other_kinds_do_not(self):
        self.machine("here", {"pack/deep/er/a.py": b"a = 1\n", "pack/data.txt": b"no\n", "beside/b.py": b"b = 1\n"})
        (self.folder / "here/pack/folder.py").mkdir()
        self.assertEqual(self.text("here", "pack"), b"a = 1\n")

    def test_a_content_is_taken_once_and_what_is_empty_or_no_utf_8_never(self):
        self.machine("here", {"pack/a.py": b"same\n", "other/b.py": b"same\n", "pack/empty.py": b"",
                              "pack/blank.py": b" \n", "pack/latin.py": b"# \xe4\n"})
        self.assertEqual(self.text("here", "pack", "other"), b"same\n")
        self.machine("here", {"pack/umlaut.py": "# ä\n".encode()})
        self.assertIn("# ä\n".encode(), self.text("here", "pack", "other"))

    def test_what_the_text_is_made_of_is_printed(self):
        self.machine("here", {"pack/a.py": b"a" * 2_000_000, "other/b.py": b"b" * 300_000})
        done = self.run_on("here", "pack", "other", "--out", "text")
        self.assertEqual(done.stdout, "text: pack of no version 2.0 MB, other of no version 0.3 MB\n")

    def test_what_is_no_package_here_ends_with_exit_code_2_and_leaves_nothing(self):
        self.machine("here", {"pack/a.py": b"a = 1\n", "module.py": b"m = 1\n"})
        for name in ("no_such_package", "no_such.package", "module", ""):
            says = f"package_text: {name}: no such package here\n"
            self.assertEqual(self.refused("pack", name, "--out", "new"), says)
            self.assertFalse((self.folder / "new").exists())

    def test_a_file_that_cannot_be_written_ends_with_exit_code_2(self):
        self.machine("here", {"pack/a.py": b"a = 1\n"})
        self.assertIn("none/new", self.refused("pack", "--out", "none/new"))


if __name__ == "__main__":
    unittest.main()
