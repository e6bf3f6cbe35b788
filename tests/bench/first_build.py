#!/usr/bin/env python3
"""What a newcomer's first build costs at two commits, in processor time, on this machine and in this hour.

    python3 tests/bench/first_build.py OLD NEW [ROUNDS]    (python3 -u to watch it; ROUNDS is 1 unless given)

In each round every commit gets a fresh clone in an empty folder, with no compiler cache: `./ladder info`, which builds
the program, then `./ladder test`, which builds and runs the quick tests. Counted is the processor time of all processes
below, which another machine or another hour would change: only the ratio travels. Leaves
tests/bench/results/first-build.json.
"""
import datetime
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALLS = {"info": ["./ladder", "info"], "test": ["./ladder", "test"]}


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def processor_seconds(command, folder):
    """Of a command that must succeed, with everything that it starts."""
    environment = {**os.environ, "CCACHE_DISABLE": "1"}
    environment.pop("LADDER_DATA", None)
    began = children_seconds()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return children_seconds() - began


def measure(commit):
    """One fresh clone: the seconds of each call, and what the program says of machine and build."""
    with tempfile.TemporaryDirectory() as place:
        clone = pathlib.Path(place) / "gpt-ladder"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        subprocess.run(["git", "-C", str(clone), "checkout", "--quiet", commit], check=True)
        seconds = {name: processor_seconds(command, clone) for name, command in CALLS.items()}
        info = pathlib.Path(place) / "info.json"
        subprocess.run(["build/ladder", "info", "--json", str(info)], cwd=clone, check=True, stdout=subprocess.DEVNULL)
        return seconds, json.loads(info.read_text())


def median(seconds, commit, name):
    return statistics.median(run[name] for run in seconds[commit])


def table(old, new, seconds):
    lines = [f"{'processor seconds':<32}{old[:9]:>10}{new[:9]:>10}{'ratio':>8}"]
    for name, command in CALLS.items():
        before, after = (median(seconds, commit, name) for commit in (old, new))
        what = " ".join(command) + (" in a fresh clone" if name == "info" else " after it")
        lines.append(f"{what:<32}{before:>10.0f}{after:>10.0f}{after / before:>8.2f}")
    return lines


def main(old, new, rounds):
    old, new = (subprocess.run(["git", "-C", str(ROOT), "rev-parse", name], check=True, capture_output=True, text=True)
                .stdout.strip() for name in (old, new))
    seconds, info = {old: [], new: []}, {}
    for _ in range(rounds):
        for commit in (old, new):
            run, info = measure(commit)
            seconds[commit].append(run)
            print(commit[:9], {name: round(value, 1) for name, value in run.items()})
    lines = table(old, new, seconds)
    print("\n".join(lines))
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = {"format": "ladder-record/1", "name": "first-build", "command": f"python3 tests/bench/first_build.py {old[:9]} {new[:9]}",
              "work": f"fresh clones without a compiler cache, in turns, medians of {rounds}", "date": now,
              "machine": info["machine"], "build": info["build"],
              "rows": [{"name": "output", "sources": "", "hash": "",
                        "values": {"lines": lines, "build_seconds": median(seconds, new, "info"),
                                   "test_seconds": median(seconds, new, "test")}}]}
    path = ROOT / "tests/bench/results/first-build.json"
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(record, indent=1) + "\n")
    unfinished.replace(path)  # completely or not at all
    print("recorded", path.relative_to(ROOT))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or (len(sys.argv) == 4 and int(sys.argv[3] if sys.argv[3].isdigit() else 0) < 1):
        sys.exit("usage: python3 tests/bench/first_build.py OLD NEW [ROUNDS]")
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) == 4 else 1)
