"""Kernel Tuner as the reader of our exports: kernel_tuner_reads.py T4.json CACHE.json OBJECTIVE higher|lower BEST

The T4 file must fit the schema that Kernel Tuner brings, and two of its search strategies must run on the cache file in simulation
mode and find the best value. Prints what they found; exit code 1 where something does not hold.
"""
import json
import pathlib
import shutil
import sys
import tempfile

import jsonschema
import kernel_tuner
from kernel_tuner.interface import tune_cache

t4, cache, objective, direction, best = sys.argv[1:]
folder = pathlib.Path(kernel_tuner.__file__).parent / "schema" / "T4" / "1.0.0"
schema = json.loads((folder / "results-schema.json").read_text())
results = json.loads(pathlib.Path(t4).read_text())
jsonschema.validate(results, schema)
print(len(results["results"]), "results fit the schema")

higher = direction == "higher"
for strategy, options in (("random_sample", {"fraction": 1.0}), ("greedy_ils", {})):
    with tempfile.TemporaryDirectory() as working:  # Kernel Tuner may write to its cache
        copy = shutil.copy(cache, working)
        found, _ = tune_cache(str(copy), strategy=strategy, strategy_options=options, objective=objective,
                              objective_higher_is_better=higher, quiet=True)
    values = [result[objective] for result in found if "__error__" not in result]
    reached = max(values) if higher else min(values)
    print(strategy, len(found), "points, best", reached)
    if abs(reached - float(best)) > 1e-9 * abs(float(best)):
        sys.exit(f"{strategy} found {reached}, not {best}")
