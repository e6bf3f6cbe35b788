"""What pytorch_parity.py makes of its measurements: which rule judges a tensor, what is kept of a type, the run record.

No PyTorch in here, so that test_pytorch_judgement.py runs everywhere. A tensor comes as a dictionary of plain numbers:

    tensor      its name
    error       norm of the difference from the reference over the norm of the reference
    scaled      largest |e| / (|ref| + rms(ref)) of an element
    difference  largest |e| of an element
    pytorch, pytorch_scaled   the first two as PyTorch itself gets them in the same type; not there in fp64
    pytorch_eager             PyTorch's `error` with its eager attention

A result that is not finite is math.inf in all of them.
"""
import json
import math

RATIO = 1.25  # of PyTorch's own error, in types of less than 24 bits
TOLERANCE = {"fp64": 1e-10, "fp32": 1e-4}  # of `scaled`
# The loss is one number, and two lucky ones have a ratio that means nothing: house's tolerance of the type instead.
LOSS_TOLERANCE = {**TOLERANCE, "tf32": 2e-3, "bf16": 1e-2, "fp16": 2e-3}
# Largest differences that the published system allows: a kernel in fp16, and its "expanded parity list".
PUBLISHED = {"kernel_fp16": 1e-2, "expanded": 1e-1}
DTYPES = list(LOSS_TOLERANCE)
GROUPS = ["logits", "residual stream", "gradients", "loss"]
MOST_SHORT = 20  # tensors that a record lists by name


def group_of(tensor):
    if tensor in ("activation.logits", "loss"):
        return tensor.removeprefix("activation.")
    return "gradients" if tensor.startswith("gradient.") else "residual stream"


def ratio_of(error, rival):
    """How often PyTorch's error goes into ours; 0 of an exact result, whatever PyTorch's is."""
    if error == 0.0:
        return 0.0
    return error / rival if rival > 0.0 else math.inf


def rule_of(dtype, group):
    """Which number of a tensor is judged, "scaled" or "ratio", and its limit."""
    if group == "loss":
        return "scaled", LOSS_TOLERANCE[dtype]
    return ("scaled", TOLERANCE[dtype]) if dtype in TOLERANCE else ("ratio", RATIO)


def judged(row, dtype):
    """The number of a tensor that counts, its limit, and whether it is within it. NaN is not."""
    rule, limit = rule_of(dtype, group_of(row["tensor"]))
    value = row["scaled"] if rule == "scaled" else ratio_of(row["error"], row["pytorch"])
    return value, limit, math.isfinite(value) and value <= limit


def group_summary(rows, dtype, group):
    """Of the tensors of one group: the worst of each number, and how many are over the limit."""
    rule, limit = rule_of(dtype, group)
    over = sum(not judged(row, dtype)[2] for row in rows)
    kept = {"tensors": len(rows), "rule": rule, "limit": limit, "scaled": max(row["scaled"] for row in rows),
            "difference": max(row["difference"] for row in rows), "over": over, "passed": over == 0}
    if group == "loss" or any("pytorch" not in row for row in rows):
        return kept
    worst = max(rows, key=lambda row: ratio_of(row["error"], row["pytorch"]))
    kept.update(ratio=ratio_of(worst["error"], worst["pytorch"]), ratio_tensor=worst["tensor"],
                ratio_eager=max(ratio_of(row["error"], row["pytorch_eager"]) for row in rows),
                pytorch_scaled=max(row["pytorch_scaled"] for row in rows))
    if rule == "scaled":
        kept["pytorch_over"] = sum(not row["pytorch_scaled"] <= limit for row in rows)
    return kept


def outcome_of(rows, dtype, greedy):
    """All that is kept of one model, one kind of weights and one type."""
    groups = {}
    for group in GROUPS:
        members = [row for row in rows if group_of(row["tensor"]) == group]
        if members:
            groups[group] = group_summary(members, dtype, group)
    short = [row for row in rows if not judged(row, dtype)[2]]
    return {"dtype": dtype, "groups": groups, "greedy": greedy, "published": PUBLISHED,
            "passed": greedy["passed"] and not short, "short": short[:MOST_SHORT]}


def lines_of(kind, outcome):
    """An outcome for people."""
    dtype, greedy = outcome["dtype"], outcome["greedy"]
    lines = [f"{kind} weights, {dtype}: {'passed' if outcome['passed'] else 'FAILED'}, greedy "
             f"{greedy['same']} of {greedy['of']}{', a tie' if greedy['excused'] else ''}"]
    for name, group in outcome["groups"].items():
        line = f"  {name:<15} tensors {group['tensors']}, worst element {group['scaled']:.3g}"
        if group["rule"] == "scaled":
            line += f" of {group['limit']:g}"
        if "ratio" in group:
            line += f"; worst of PyTorch's error x {group['ratio']:.3f} ({group['ratio_tensor']})"
            line += f", of eager PyTorch's x {group['ratio_eager']:.3f}"
        if "pytorch_over" in group:
            line += f"; PyTorch itself misses {group['pytorch_over']}, worst {group['pytorch_scaled']:.3g}"
        lines.append(f"{line}; largest difference {group['difference']:.3g}")
    for row in outcome["short"]:
        value, limit, _ = judged(row, dtype)
        lines.append(f"  FAILED {row['tensor']}: {value:.3g} of {limit:g}")
    return lines


def finite(value):
    """JSON has no infinities: "inf", "-inf" and "nan", which the table shows as 'not finite'."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def record_of(name, command, work, date, facts, rows):
    """A ladder-record/1. `facts` is what `ladder info --sources SET --json` wrote; `rows` are (name, values)."""
    sources = facts["sources"]
    return {"format": "ladder-record/1", "name": name, "command": command, "work": work, "date": date,
            "machine": facts["machine"], "build": facts["build"],
            "rows": [{"name": row, "sources": sources["set"], "hash": sources["hash"], "values": finite(values)}
                     for row, values in rows]}


def write_record(path, record):
    """Completely or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
    unfinished.replace(path)
