#!/usr/bin/env python3
"""Gives run records the hash of their sources by today's rule, once, after the rule changed.

    restamp_records.py OLD_TREE NEW_TREE

The old rule hashed paths and #include lines, so that a file that only moved made every record stale. For each row this
program first proves the old hash against OLD_TREE, the checkout that the record was fresh in. Only then does it write the
new hash, of NEW_TREE, which must differ from OLD_TREE in nothing that is hashed; a row that it cannot prove keeps its
hash, which no tree has, and stays stale. Rows that a GPU ran get the set without the CPU models.
"""
import json
import pathlib
import re
import sys

CODE = {".cpp", ".hpp", ".cu", ".cuh", ".py"}
MODEL = ["shared/activation_plan", "shared/batch", "shared/dtype_convert", "shared/microgpt", "shared/ops", "shared/ops_engine"]
STAGE2 = ["stage2_naive_cuda", "!stage2_naive_cuda/make_ops.cpp", "!stage2_naive_cuda/ops_cuda.hpp",
          "!stage2_naive_cuda/ceilings.cu"]
STAGE3 = ["stage3_tiled_kernels", "!stage3_tiled_kernels/make_ops.cpp", "!stage3_tiled_kernels/ops_tile.hpp",
          "!stage3_tiled_kernels/ladder", "!stage3_tiled_kernels/sweep"]
ON_GPU = ["shared/simt/cuda_runtime", "shared/simt/hints", "shared/simt/launch", "shared/simt/stream"]
KERNELS = ["stage3_tiled_kernels/" + name for name in ("kernels", "configs", "configs.hpp", "one_launch")]
OLD_SETS = {"interpreter": ["shared/baseline/microgpt.py"], "stage0": ["stage0_scalar_autograd"],
            "stage3-kernels": KERNELS, "stage1": ["stage1_cpu_tensor"] + MODEL,
            "stage2": ["stage2_naive_cuda", "shared/simt"] + MODEL,
            "stage3": ["stage3_tiled_kernels", "shared/simt", "shared/tile"] + MODEL}
NEW_SETS = {"interpreter": OLD_SETS["interpreter"], "stage0": OLD_SETS["stage0"], "stage3-kernels": KERNELS,
            "stage1": OLD_SETS["stage1"], "stage2": STAGE2 + ["shared/simt"] + MODEL,
            "stage3": STAGE3 + ["shared/simt", "shared/tile"] + MODEL, "stage2-gpu": STAGE2 + ON_GPU + MODEL,
            "stage3-gpu": STAGE3 + ON_GPU + ["shared/tile/grid", "shared/tile/launch"] + MODEL}


class Fnv:
    def __init__(self):
        self.value = 0xCBF29CE484222325

    def add(self, what):
        for byte in what.to_bytes(8, "little") if isinstance(what, int) else what:
            self.value = ((self.value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF


def files_of(tree, entry, suffixes):
    path = tree / entry
    if path.is_dir():
        files = [f for f in path.rglob("*") if f.is_file() and f.suffix in suffixes and "__pycache__" not in f.parts]
    else:
        files = [tree / (entry + end) for end in ("", ".hpp", ".cpp") if (tree / (entry + end)).is_file()]
    return sorted(f.relative_to(tree).as_posix() for f in files)


TOKEN = re.compile(rb"//[^\n]*|/\*.*?(?:\*/|\Z)|\"(?:\\.|[^\"\\\n])*(?:\"|\n|\Z)|'(?:\\.|[^'\\\n])*(?:'|\n|\Z)|\s+|.", re.S)
INCLUDE = re.compile(rb"^[ \t]*#[ \t]*include[^\n]*", re.M)


def code_of(text, without_includes):
    if without_includes:
        text = INCLUDE.sub(b"", text)
    code = bytearray()
    for match in TOKEN.finditer(text):
        token = match.group()
        if token[:2] in (b"//", b"/*") or token.isspace():
            if code and code[-1:] != b" ":
                code += b" "
        else:
            code += token
    return bytes(code)


def content(tree, name, without_includes):
    data = (tree / name).read_bytes()
    return code_of(data, without_includes) if pathlib.Path(name).suffix in CODE - {".py"} else data


def entries_of(sets, name):
    return list(dict.fromkeys(entry for part in name.split("+") for entry in sets[part]))


def old_hash(tree, name):
    result = Fnv()
    for entry in entries_of(OLD_SETS, name):
        for file in files_of(tree, entry, CODE | {".txt"}):
            data = content(tree, file, False)
            result.add(file.encode())
            result.add(len(data))
            result.add(data)
    return f"{result.value:016x}"


def new_hash(tree, name):
    files, left_out = set(), set()
    for entry in entries_of(NEW_SETS, name):
        (left_out if entry[0] == "!" else files).update(files_of(tree, entry.lstrip("!"), CODE))
    result = Fnv()
    for data in sorted(content(tree, file, True) for file in files - left_out):
        result.add(len(data))
        result.add(data)
    return f"{result.value:016x}"


def new_set(row, on_gpu):
    if not on_gpu or row["values"].get("emulated", False):
        return row["sources"]
    return "+".join(part + "-gpu" if part in ("stage2", "stage3") else part for part in row["sources"].split("+"))


def main(old_tree, new_tree):
    proven = unproven = 0
    for path in sorted((new_tree / "tests/bench/results").glob("*.json")):
        record = json.loads(path.read_text())
        for row in record["rows"]:
            if not row["sources"]:
                continue
            if old_hash(old_tree, row["sources"]) != row["hash"]:
                unproven += 1
                print(f"not proven, stays stale: {path.name}, row '{row['name']}'")
                continue
            proven += 1
            row["sources"] = new_set(row, "gpu" in record["machine"])
            row["hash"] = new_hash(new_tree, row["sources"])
        path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    print(f"{proven} rows proven and stamped, {unproven} not")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: restamp_records.py OLD_TREE NEW_TREE")
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
