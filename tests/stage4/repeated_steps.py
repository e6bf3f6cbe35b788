"""After a run that was killed and resumed: are the steps that it did twice the same, bit for bit?

    python3 tests/stage4/repeated_steps.py RUN.jsonl      what both calls of `ladder train --json-lines` wrote

Losses and norms are written so that reading gives the same double again. Exit codes: 0 the same, 1 not, or no step was done
twice, 2 bad usage.
"""
import argparse
import json
import sys


def steps_of(path):
    """The steps in the order in which they were written: number, loss, norm of the gradients."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:  # the line that the kill cut off
                continue
            if isinstance(entry, dict) and entry.get("kind") == "step":
                yield entry["step"], entry["loss"], entry.get("gradient_norm")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", help="RUN.jsonl")
    options = parser.parse_args()
    first, twice, different = {}, 0, []
    try:
        for step, *figures in steps_of(options.log):
            twice += step in first
            if first.setdefault(step, figures) != figures:
                different.append(step)
    except (OSError, UnicodeDecodeError, KeyError) as problem:
        parser.error(f"{options.log}: is no log of a run: {problem}")
    if different:
        print(f"{len(different)} of {twice} steps differ, the first of them {different[0]}")
        return 1
    if not twice:
        print("no step was done twice")
        return 1
    print(f"{twice} steps were done twice, before the kill and after: the same losses and norms, bit for bit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
