"""After a run that was killed and resumed: are the steps that it did twice the same, bit for bit?

    python3 tests/stage4/repeated_steps.py RUN.jsonl      what both calls of `ladder train --json-lines` wrote

Losses and norms are written so that reading gives the same double again. Exit codes: 0 the same, 1 not, or no step was done
twice, 2 bad usage.
"""
import json
import sys


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    first, twice, different = {}, 0, []
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:  # the line that the kill cut off
                continue
            if entry["kind"] != "step":
                continue
            figures = (entry["loss"], entry.get("gradient_norm"))
            if entry["step"] in first:
                twice += 1
                if first[entry["step"]] != figures:
                    different.append(entry["step"])
            first[entry["step"]] = figures
    if different:
        print(f"{len(different)} of {twice} steps differ, the first of them {different[0]}")
        return 1
    print(f"{twice} steps were done twice, before the kill and after: the same losses and norms, bit for bit")
    return 0 if twice else 1


if __name__ == "__main__":
    sys.exit(main())
