#!/bin/sh
# A queue that ends when its processor time is spent. FOLDER/items has one item a line: what it should
# cost, in hundredths of a second, then its words. Each item is COMMAND with these words; as many run at
# once as there are processors.
#
#   sh shared/scripts/queue.sh FOLDER BUDGET COMMAND...
#
# Leaves FOLDER/outcomes (lines of item number, hundredths of a second, ok, FAILED or left) and prints what the items
# printed. Exit codes: 0 every item that ran succeeded, 1 one failed, or none ran.
set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 3
. "$here/processor_time.sh"

# affordable FOLDER BUDGET NUMBER: whether an item may start: what those before it cost, or should cost, and itself stay
# within the budget. The items that are done say by how much the estimates are wrong. The first item always may, so that
# none is too dear for ever: the rotation brings each to the front.
affordable() {
  awk -v budget="$2" -v number="$3" '
    FILENAME == ARGV[1] { cost[$1] = $2; ran[$1] = $3 != "left"; next }
    FNR <= number { estimate[FNR] = $1 }
    END {
      for (i = 1; i < number; ++i) if (i in cost && ran[i]) { actual += cost[i]; expected += estimate[i] }
      scale = expected > 0 ? actual / expected : 1
      for (i = 1; i < number; ++i) total += i in cost ? cost[i] : scale * estimate[i]
      exit !(number == 1 || total + scale * estimate[number] <= budget)
    }' "$1/outcomes" "$1/items"
}

# run_item NUMBER FOLDER BUDGET COMMAND...
run_item() {
  number=$1
  folder=$2
  if ! affordable "$folder" "$3" "$number"; then
    echo "$number 0 left" >>"$folder/outcomes"
    return
  fi
  shift 3
  words=$(sed -n "${number}s/^[^ ]* //p" "$folder/items")
  # shellcheck disable=SC2086  # the item's words
  if "$@" $words </dev/null >"$folder/$number.out" 2>&1; then outcome=ok; else outcome=FAILED; fi
  children_time "$folder/$number.times"
  echo "$number $children $outcome" >>"$folder/outcomes"
  { echo "=== $words: $outcome, $(whole_seconds "$children") s of processor"; cat "$folder/$number.out"; } >"$folder/$number.log"
  cat "$folder/$number.log"
  rm -f "$folder/$number.out" "$folder/$number.times"
}

if [ "${1-}" = --item ]; then
  shift
  run_item "$@"
  exit
fi
if [ $# -lt 3 ] || [ ! -f "$1/items" ]; then
  echo "usage: sh shared/scripts/queue.sh FOLDER BUDGET COMMAND..." >&2
  exit 2
fi
folder=$1
: >"$folder/outcomes"
awk '{ print NR }' "$folder/items" |
  xargs -I NUMBER -P "${LADDER_JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}" sh "$0" --item NUMBER "$@"
# What failed once more, at the end of the log, where it is seen.
for number in $(awk '$3 == "FAILED" { print $1 }' "$folder/outcomes"); do cat "$folder/$number.log"; done
grep -q ' ok$' "$folder/outcomes" && ! grep -q ' FAILED$' "$folder/outcomes"
