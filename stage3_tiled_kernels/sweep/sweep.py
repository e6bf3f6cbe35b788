#!/usr/bin/env python3
"""Compiles and measures configurations of stage 3's kernels, and keeps what came out.

    sweep.py compile PLAN.json... --bundle DIR     here: one cubin a configuration, with the compiler's report
    sweep.py static OPERATION --arch N NAME=VALUE...   here: one configuration's registers, spills and shared memory
    sweep.py run --bundle DIR --out DIR            on a machine with a GPU and PyTorch: checks, then times each
    ladder spak ingest DIR --into ITEMS.jsonl      here again: appends the results to knowledge/items/

A plan names an operation (a module in works/) and lists configurations:

    {"operation": "gemm", "arch": 90, "works": ["8192^3 NT"],
     "configurations": [{"rows": 128, "columns": 256, "inner": 64, "warps": 8, "occupancy": 1, "why": "..."}]}

A value that is a list stands for each of its members, so one entry can be a grid. Every configuration ends as an
item, also those that do not compile, do not launch or are wrong. Exit codes: 0 done, 2 bad input, 3 this machine cannot.
"""
import argparse
import datetime
import importlib
import itertools
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))


def fail(message, code=2):
    print(f"sweep: {message}", file=sys.stderr)
    sys.exit(code)


def work_module(operation):
    if not (HERE / "works" / f"{operation}.py").is_file():
        known = sorted(p.stem for p in (HERE / "works").glob("[a-z]*.py"))
        fail(f"there is no operation '{operation}' (known: {', '.join(known)})")
    return importlib.import_module(f"works.{operation}")


def expanded(configuration):
    """The grid that a configuration with lists stands for."""
    keys = list(configuration)
    values = [v if isinstance(v, list) else [v] for v in configuration.values()]
    return [dict(zip(keys, choice)) for choice in itertools.product(*values)]


# ---- compile ------------------------------------------------------------------------------------------------------


def tool(environment, *flags):
    """What the environment variable names, else what the toolchain script prints for these flags."""
    if os.environ.get(environment):
        return os.environ[environment]
    found = subprocess.run(["sh", str(ROOT / "shared/scripts/cuda_toolchain.sh"), *flags], capture_output=True, text=True)
    if found.returncode != 0:
        fail(found.stderr.strip().splitlines()[-1], 3)
    return found.stdout.strip()


def resources(cubin, cuobjdump):
    """{kernel: {registers, stack, shared, local, threads}} as the compiler reports them."""
    usage = subprocess.run([cuobjdump, "-res-usage", cubin], capture_output=True, text=True).stdout
    elf = subprocess.run([cuobjdump, "-elf", cubin], capture_output=True, text=True).stdout
    report = {}
    for name, numbers in re.findall(r"Function (\S+):\s*\n\s*(.*)", usage):
        facts = {k.lower(): int(v) for k, v in re.findall(r"(REG|STACK|SHARED|LOCAL):(\d+)", numbers)}
        section = elf.split(f"\n.nv.info.{name}\n", 1)[-1]  # not its line in the list of sections
        threads = re.search(r"EIATTR_REQNTID\s+Format:\s*\S+\s+Value:\s*(0x[0-9a-f]+)", section)
        facts["threads"] = int(threads.group(1), 16) if threads else 0
        report[name] = facts
    return report


def compile_group(items, arch, bundle, tools):
    """Compiles the items, which have one text, once: what differs between them is given at the launch."""
    first = items[0]
    compile_one(first, arch, bundle, tools)
    for item in items[1:]:
        item.update({k: first[k] for k in ("cubin", "compile_failure", "resources") if k in first})


def compile_one(item, arch, bundle, tools):
    stem = item["cubin"] = item["id"]
    source = bundle / f"{stem}.cu"
    source.write_text(item["source"])
    command = [tools["nvcc"], "-std=c++20", "-O3", "-enable-tile", f"-arch=sm_{arch}", "-tilecubin",
               f"-DLADDER_TILE_ARCHITECTURES={arch}", "-I", str(ROOT), "-DFMT_USE_CONSTEXPR=1", str(source), "-o",
               str(bundle / f"{stem}.cubin")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        failure = (done.stderr or done.stdout).strip() if done.returncode != 0 else None
    except subprocess.TimeoutExpired:
        failure = "the compiler ran for more than 300 s"
    if failure is not None:
        item["compile_failure"] = next((l for l in failure.splitlines() if "error" in l.lower()), failure[:300])[:300]
    else:
        item["resources"] = resources(str(bundle / f"{stem}.cubin"), tools["cuobjdump"])


def toolkit(nvcc):
    text = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout
    return re.search(r"V(\d+\.\d+\.\d+)", text).group(1)


def read_plan(path):
    try:
        plan = json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}")
    missing = [key for key in ("operation", "arch", "works", "configurations") if key not in plan]
    if missing:
        fail(f"{path}: the plan lacks {', '.join(missing)}")
    unknown = [work for work in plan["works"] if work not in work_module(plan["operation"]).WORKS]
    if unknown:
        fail(f"{path}: {plan['operation']} has no work '{unknown[0]}' (known: {', '.join(work_module(plan['operation']).WORKS)})")
    return plan


def command_compile(options):
    bundle = pathlib.Path(options.bundle)
    plans = [read_plan(path) for path in options.plans]
    bundle.mkdir(parents=True, exist_ok=True)
    tools = {"nvcc": tool("CUDACXX"), "cuobjdump": tool("CUOBJDUMP", "--cuobjdump")}
    items = []
    arch = None
    for plan in plans:
        if arch not in (None, plan["arch"]):
            fail("the plans of one bundle must name one architecture")
        arch = plan["arch"]
        for entry in plan["configurations"]:
            for configuration in expanded(entry):
                why = configuration.pop("why", "")
                items.append({"id": f"{plan['operation']}_{len(items):03}", "operation": plan["operation"],
                              "works": plan["works"], "configuration": configuration, "why": why})
    groups = {}
    for item in items:
        item["source"] = work_module(item["operation"]).source(item["configuration"])
        groups.setdefault(item["source"], []).append(item)
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda group: compile_group(group, arch, bundle, tools), groups.values()))
    for item in items:
        del item["source"]
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    (bundle / "plan.json").write_text(json.dumps(
        {"arch": arch, "toolkit": toolkit(tools["nvcc"]), "commit": commit.stdout.strip(), "items": items}, indent=1))
    shutil.copytree(HERE, bundle / "sweep", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "plans"))
    failed = sum("compile_failure" in item for item in items)
    print(f"sweep: {len(items)} configurations, {failed} did not compile; bundle in {bundle}")


# ---- static -------------------------------------------------------------------------------------------------------


def value_of(text):
    """A configuration's value as a command line gives it: a number, true, false, or a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def command_static(options):
    """Compiles one configuration and prints what the compiler says of its largest kernel, as `ladder spak tune` reads it."""
    module = work_module(options.operation)
    configuration = {name: value_of(value) for name, _, value in (each.partition("=") for each in options.configuration)}
    tools = {"nvcc": tool("CUDACXX"), "cuobjdump": tool("CUOBJDUMP", "--cuobjdump")}
    with tempfile.TemporaryDirectory() as folder:
        item = {"id": "static", "source": module.source(configuration)}
        compile_one(item, options.arch, pathlib.Path(folder), tools)
    if "compile_failure" in item:
        print("__SPAK_TRACE__", json.dumps({"type": "Memory", "outcome": "compile failure", "reason": item["compile_failure"]}))
        return
    kernel, facts = max(item["resources"].items(), key=lambda each: (each[1]["reg"] + each[1]["stack"] / 4, each[1]["shared"]))
    print("__SPAK_TRACE__", json.dumps(
        {"type": "Memory", "kernel": kernel, "registers": facts["reg"], "spilled_bytes": facts["stack"] + facts["local"],
         "shared_bytes": facts["shared"], "threads": facts["threads"],
         # What a thread keeps, wherever it keeps it.
         "thread_bytes": 4 * facts["reg"] + facts["stack"] + facts["local"],
         "architecture": options.arch, "device": f"sm_{options.arch}, not run", "toolkit": toolkit(tools["nvcc"])}))


# ---- run ----------------------------------------------------------------------------------------------------------


def per_unit(operation, work, times):
    """Times of calls as times of the work's units (the steps of a training run), where the operation counts any."""
    units = operation.units(work) if hasattr(operation, "units") else 1
    return {name: [t / units for t in each] for name, each in times.items()}


def run_item(item, work, tensors, want, rivals, module, timer, repeats, seconds):
    """One configuration on one work: the changing part of what is kept."""
    import device
    import torch
    operation = work_module(item["operation"])
    call = operation.call(module, item["configuration"], work, tensors)
    operation.poison(tensors)
    call()
    torch.cuda.synchronize()
    rule = getattr(operation, "error", lambda tensors, name, got, value: device.error_of(got, value))
    errors = {name: rule(tensors, name, operation.result(tensors, name), value) for name, value in want.items()}
    limit = operation.limit(item["configuration"]) if hasattr(operation, "limit") else operation.LIMIT
    outcome = {"max_error": max(errors.values()), "limit": limit, "passed": max(errors.values()) <= limit}
    if not outcome["passed"]:
        finite = math.isfinite(outcome["max_error"])
        return {"outcome": "wrong result", **outcome, "max_error": outcome["max_error"] if finite else None}
    times = per_unit(operation, work, timer.race({"ours": call, **rivals}, repeats))
    outcome.update(device.summary(times["ours"]))
    outcome.update(operation.rates(work, outcome["us"]))
    outcome["rivals"] = {name: {**device.summary(times[name]), **operation.rates(work, device.summary(times[name])["us"])}
                         for name in rivals}
    if seconds > 0:
        held = per_unit(operation, work, timer.sustain({"ours": call, **rivals}, seconds))
        outcome["sustained_s"] = seconds
        outcome["sustained"] = {name: {**device.summary(t), **operation.rates(work, device.summary(t)["us"])}
                                for name, t in held.items()}
        outcome["sustained_clock_sm_mhz"] = device.describe()["clock_sm_mhz"]
    return {"outcome": "measured", **outcome}


def command_run(options):
    import device
    import torch
    bundle, out = pathlib.Path(options.bundle), pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    plan = json.loads((bundle / "plan.json").read_text())
    machine = device.describe()
    if machine["architecture"] != plan["arch"]:
        fail(f"the bundle is for sm_{plan['arch']}, this card is sm_{machine['architecture']}", 3)
    timer = device.Timer()
    works = sorted({(item["operation"], name) for item in plan["items"] for name in item["works"]})
    for operation_name, work_name in works:
        operation = work_module(operation_name)
        work = operation.WORKS[work_name]
        torch.manual_seed(1)
        tensors = operation.tensors(work)
        want = operation.reference(work, tensors)
        rivals = operation.rivals(work, tensors)
        for item in plan["items"]:
            if item["operation"] != operation_name or work_name not in item["works"]:
                continue
            kept = {"type": "Performance", "operation": operation_name, "work": work_name,
                    "configuration": item["configuration"], "why": item["why"], "cold_cache": True,
                    "toolkit": plan["toolkit"], "commit": plan["commit"]}
            if options.label:
                kept["label"] = options.label
            if "compile_failure" in item:
                kept.update(outcome="compile failure", reason=item["compile_failure"])
            else:
                kept["resources"] = list(item["resources"].values())
                try:
                    module = device.Module(str(bundle / f"{item['cubin']}.cubin"), list(item["resources"]))
                    kept.update(run_item(item, work, tensors, want, rivals, module, timer, options.repeats,
                                          options.sustained))
                except device.LaunchError as error:
                    kept.update(outcome="launch failure", reason=str(error))
            kept.update(device.describe(), when=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"))
            print_line(kept)
            with open(out / f"{operation_name}.jsonl", "a") as file:
                file.write(json.dumps(kept) + "\n")
        del tensors, want, rivals
        torch.cuda.empty_cache()


def print_line(kept):
    shown = {k: v for k, v in kept.items() if k in ("us", "tflops", "tbps", "max_error", "reason")}
    rivals = {name: round(r["us"], 1) for name, r in kept.get("rivals", {}).items()}
    print(kept["operation"], kept["work"], kept["configuration"], kept["outcome"], shown, rivals, flush=True)


def main():
    parser = argparse.ArgumentParser(prog="sweep.py", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    compiling = commands.add_parser("compile")
    compiling.add_argument("plans", nargs="+")
    compiling.add_argument("--bundle", required=True)
    compiling.add_argument("--jobs", type=int, default=os.cpu_count())
    static = commands.add_parser("static")
    static.add_argument("operation")
    static.add_argument("configuration", nargs="+", metavar="NAME=VALUE")
    static.add_argument("--arch", type=int, required=True)
    running = commands.add_parser("run")
    running.add_argument("--bundle", required=True)
    running.add_argument("--out", required=True)
    running.add_argument("--repeats", type=int, default=20)
    running.add_argument("--sustained", type=float, default=0, metavar="SECONDS",
                         help="also keep the card busy for so long, for the rate under its power limit")
    running.add_argument("--label", default="", help="a word for all items of this run: 'speed table' is what that table reads")
    options = parser.parse_args()
    {"compile": command_compile, "static": command_static, "run": command_run}[options.command](options)


if __name__ == "__main__":
    main()
