"""A text to train on, where nothing may be downloaded: the Python sources of packages that are installed.

    python3 tests/bench/package_text.py torch transformers sympy --out TEXT

Files come in an order drawn from their names, so that the end of the text, which `ladder prepare` holds out, is of all
packages. Files that are no UTF-8 and copies of one content are left out. Prints what the text is made of.

Exit codes: 0 done, 2 bad usage or input.
"""
import argparse
import hashlib
import importlib.metadata
import importlib.util
import pathlib
import sys


def fail(message):
    print(f"package_text: {message}", file=sys.stderr)
    sys.exit(2)


def folder_of(package):
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # the package that it would be in is not there; no name at all
        found = None
    if found is None or not found.submodule_search_locations:
        fail(f"{package}: no such package here")
    return pathlib.Path(found.submodule_search_locations[0])


def version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of no version"


def files_of(package):
    """Pairs of a name that does not depend on the machine, and a path."""
    root = folder_of(package)
    return [(f"{package}/{path.relative_to(root).as_posix()}", path) for path in root.rglob("*.py") if path.is_file()]


def texts_of(packages):
    """(text, package) in the order of the hashes of their names."""
    files = [(name, path, package) for package in packages for name, path in files_of(package)]
    files.sort(key=lambda file: hashlib.sha256(file[0].encode()).digest())
    seen = set()
    for _, path, package in files:
        content = path.read_bytes()
        if not content.strip() or content in seen:
            continue
        seen.add(content)
        try:
            yield content.decode(), package
        except UnicodeDecodeError:
            pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="+")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    sizes = dict.fromkeys(options.packages, 0)
    parts = []
    for text, package in texts_of(sizes):
        parts.append(text)
        sizes[package] += len(text)
    try:
        options.out.write_text("\n".join(parts), encoding="utf-8", newline="\n")
    except OSError as problem:
        fail(problem)
    made_of = ", ".join(f"{package} {version_of(package)} {size / 1e6:.1f} MB" for package, size in sizes.items())
    print(f"{options.out.name}: {made_of}")


if __name__ == "__main__":
    main()
