#!/bin/sh
# The program's own source as one text to train on: sh shared/scripts/source_text.sh COMMIT prints the C++ and CUDA
# sources of shared/ and the stages as they were at COMMIT, in the order of their paths, each behind a line with its path.
#
# Left out, so that it stays near Shakespeare's size: the rooms that measure, compare and report (baseline, cli, parity,
# records, report, speed, spak); and base/text_table.cpp, whose comment alone is not plain ASCII.
#
# shared/data/ladder_source.txt was made of 03184a89c7b5dbb746e47bd9be41a7774ff929bd and stays: losses can be compared only
# on the same text. tests/data holds its hash.
set -eu

[ $# = 1 ] || { echo "usage: sh shared/scripts/source_text.sh COMMIT" >&2; exit 2; }
cd "$(dirname "$0")/../.."
git rev-parse --quiet --verify "$1^{commit}" >/dev/null || { echo "source_text.sh: git knows no commit '$1' here" >&2; exit 2; }

git ls-tree -r --name-only "$1" |
  grep -E '^(shared|stage[0-4]_[a-z0-9_]*)/.*\.(hpp|cpp|cuh?)$' |
  grep -vE '^shared/((baseline|cli|parity|records|report|speed|spak)/|base/text_table\.cpp$)' |
  LC_ALL=C sort |
  while IFS= read -r path; do
    echo "// ==== $path ===="
    git cat-file blob "$1:$path"
  done
