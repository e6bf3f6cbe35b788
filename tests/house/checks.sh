#!/bin/sh
# What `./ladder test --ci` chooses and when it stops, on a small repository of its own, with pretended costs; and the
# records of --full. usage: checks.sh SOURCE_DIR WORK_DIR
set -u

source_dir=$1
work_dir=$2
failures=0
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
rm -rf "$work_dir"
mkdir -p "$work_dir"
work_dir=$(cd "$work_dir" && pwd -P)

root=$work_dir/project
build=$root/build
jobs=2
part_names=$(sed -n 's/^part_names="\(.*\)"$/\1/p' "$source_dir/ladder")
mkdir -p "$root/shared" "$build"
cp -r "$source_dir/shared/scripts" "$root/shared/"
for script in requirements build checks selection program_share check_shares; do . "$root/shared/scripts/$script.sh"; done
command -v git >/dev/null || { echo "SKIPPED: git is not installed, by which the checks choose"; exit 0; }
mkdir -p "$report"

# same WHAT WANTED GOT
same() {
  [ "$2" = "$3" ] && return
  failures=$((failures + 1))
  printf 'FAILED: %s: wanted "%s", got "%s"\n' "$1" "$2" "$3"
}
# has WHAT TEXT OUTPUT
has() { case $3 in *"$2"*) ;; *) same "$1" "... $2 ..." "$3" ;; esac; }
words() { tr '\n' ' ' | sed 's/ $//'; }
commit() { git -C "$root" add -A && git -C "$root" -c user.name=x -c user.email=x@x commit -q --no-gpg-sign -m "$1"; }
head_of() { git -C "$root" rev-parse HEAD; }

# --- Which items come first.
for file in a b c d e f; do echo "#include \"$file.hpp\"" >"$root/$file.cpp" && echo "int $file;" >"$root/$file.hpp"; done
echo '#include "e.hpp"' >>"$root/d.hpp"
echo /build >"$root/.gitignore"
git init -q "$root" && commit first || exit 1
first=$(head_of)
first_turn=$(commit_turn)
echo "int more;" >>"$root/e.hpp"
commit second
same "the turn is the number of commits" "1 2" "$first_turn $(commit_turn)"
same "what changed since a commit" "e.hpp" "$(changed_files "$first" | words)"
same "nothing is known of a commit that is not here" "" "$(changed_files 1234567890123456789012345678901234567890)"
includes >"$work_dir/includes"
same "a header concerns who includes it, at any distance" "d.cpp d.hpp e.cpp e.hpp" \
  "$(echo e.hpp | concerned "$work_dir/includes" | sort | words)"
same "the lines turn with the commit" "d e f a b c|b c d e f a" \
  "$(printf '%s\n' a b c d e f | rotated 1 | words)|$(printf '%s\n' a b c d e f | rotated 2 | words)"
same "each line comes once, whatever the turn" "a b c d e f" "$(printf '%s\n' a b c d e f | rotated 268435455 | sort | words)"
turns=$(for turn in 1 2 3 4 5 6 7 8 9; do printf '%s\n' a b c d e f | rotated $turn | head -n 1; done | sort -u | words)
same "nine commits begin everywhere" "a b c d e f" "$turns"
printf '%s\n' d.cpp e.cpp >"$work_dir/concerned"
same "what changed comes first, and both parts turn" "e.cpp d.cpp c.cpp f.cpp a.cpp b.cpp" \
  "$(printf '%s\n' a.cpp b.cpp c.cpp d.cpp e.cpp f.cpp | in_order 1 "$work_dir/concerned" | words)"
: >"$work_dir/concerned"
same "without a change there is only the turn" "d e f a b c" \
  "$(printf '%s\n' a b c d e f | in_order 1 "$work_dir/concerned" | words)"
git clone -q --depth 1 "file://$root" "$work_dir/shallow"
same "a shallow clone turns by the commit's hash" "$((0x$(head_of | cut -c 1-7)))" "$(root=$work_dir/shallow; commit_turn)"

# --- The queue. Costs are pretended: the outcomes of earlier items are written down beforehand.
queue=$work_dir/queue
mkdir -p "$queue"
run_queue() { output=$(sh "$root/shared/scripts/queue.sh" "$queue" "$@" 2>&1); code=$?; }
outcomes() { sort -n "$queue/outcomes" | cut -d ' ' -f 1,3 | words; }
printf '100 %s\n' true true false true >"$queue/items"
run_queue 100000 env
same "one item that fails fails the part, and the others run" "1|1 ok 2 ok 3 FAILED 4 ok" "$code|$(outcomes)"
printf '100 %s\n' true true true >"$queue/items"
run_queue 100000 env
same "items that succeed" "0|1 ok 2 ok 3 ok" "$code|$(outcomes)"
run_queue -1 env
same "without a budget the first runs, none else" "0|1 ok 2 left 3 left" "$code|$(outcomes)"
: >"$queue/items"
run_queue 100000 env
same "nothing to run is a failure" 1 "$code"
# item BUDGET NUMBER OUTCOMES...: whether the item starts after these outcomes.
item() {
  printf '100 true\n100 true\n100 true\n100 true\n' >"$queue/items"
  item_budget=$1
  number=$2
  shift 2
  printf '%s\n' "$@" >"$queue/outcomes"
  sh "$root/shared/scripts/queue.sh" --item "$number" "$queue" "$item_budget" env >/dev/null
  sed -n "s/^$number [0-9]* //p" "$queue/outcomes"
}
same "what fits starts" ok "$(item 300 3 "1 100 ok" "2 100 ok")"
same "the budget stops it" left "$(item 299 3 "1 100 ok" "2 100 ok")"
same "what was dearer than guessed makes the rest dearer" left "$(item 700 3 "1 300 ok" "2 300 ok")"
same "what was cheaper makes the rest cheaper" ok "$(item 60 3 "1 20 ok" "2 20 ok")"
same "what still runs counts as guessed" "ok left" "$(item 300 3 "2 100 ok") $(item 299 3 "2 100 ok")"
same "what was left costs nothing" ok "$(item 200 4 "1 100 ok" "2 0 left" "3 0 left")"

# --- Batches of test executables: objects count once, and not when they are there already.
mkdir -p "$graph" "$work_dir/batches"
printf '%s\n' "core.o 400" "a.o 100" "b.o 100" "big.o 5000" >"$graph/costs"
printf 'test_%s 95\n' a b big >"$graph/test_costs"
printf '%s\n' "a core.o" "a a.o" "b core.o" "b b.o" "big core.o" "big big.o" >"$graph/outputs"
printf '%s test_%s\n' a a b b big big >"$work_dir/batches/programs"
printf '0 %s\n' big a b >"$work_dir/batches/items"
: >"$work_dir/batches/made"
: >"$work_dir/batches/taken"
scale=1
same "what does not fit is passed over" "600 a 200 b" "$(next_batch "$work_dir/batches" 900 9 | words)"
same "one at the most" "5500 big" "$(next_batch "$work_dir/batches" 9000 1 | words)"
echo "core.o 1" >"$work_dir/batches/made"
same "an object that is there costs nothing" "200 a 200 b" "$(next_batch "$work_dir/batches" 400 9 | words)"
echo a >"$work_dir/batches/taken"
scale=2
same "what was taken is not taken again, at this flavour's price" "400 b" "$(next_batch "$work_dir/batches" 900 9 | words)"

# The share as a whole, where every batch costs its estimate times a factor and leaves no objects.
: >"$work_dir/batches/made"
printf '0 %s\n' big a b >"$work_dir/batches/items"
ran_with() { # ran_with BUDGET GUESS FACTOR
  (
    echo 0 >"$clock"
    children_time() { children=$(cat "$clock"); }
    logged_costs() { :; }
    run_batch() {
      price=$(awk -v scale="$scale" '{ t += $1 / scale } END { print t * '"$factor"' }' "$1/batch")
      echo $(($(cat "$clock") + price)) >"$clock"
    }
    factor=$3
    program_share "$work_dir/batches" "$1" preset folder "$2" && words <"$work_dir/batches/taken"
  )
}
clock=$work_dir/clock
same "the first may be a third dearer than the budget" "big" "$(ran_with 4200 1 1)"
same "the first is one that fits" "a b" "$(ran_with 2000 1 1)"
same "a flavour that is dearer than guessed ends sooner" "a" "$(ran_with 2000 1 3)"
same "something runs, however little there is" "a" "$(ran_with 10 1 1)"
same "with enough everything runs" "big a b" "$(ran_with 100000 1 1)"

# --- The parts: every one runs, and what took more than its share says so. The clock is pretended.
clock=$work_dir/clock
children_time() { children=$(cat "$clock"); }
takes() { echo $(($(cat "$clock") + $1)) >"$clock"; }
read_graph() { :; }
echo 0 >"$clock"
whole_tests() { takes 10000; }
share_clang() { echo "$budget" >"$work_dir/clang_budget"; takes 4000; echo "the log of clang"; return 1; }
share_sanitizers() { takes 6500; note "half of it"; printf 'one\ntwo\n' >"$report/ran"; printf 'a/b\na/c\n' >"$report/left"; }
whole_format() { takes 100; }
share_tidy() { takes 3000; }
share_mutants() { takes 15000; }
share_tiles() { echo "$budget" >"$work_dir/tiles_budget"; takes 1; }
output=$(ci_parts)
same "a failed part fails the whole" 1 $?
same "the last line counts the parts" "6 passed, 1 failed" "$(printf '%s\n' "$output" | tail -n 1)"
same "a share goes by the first part's time" 2500 "$(cat "$work_dir/clang_budget")"
same "what the parts before took too much is taken from the last" -9600 "$(cat "$work_dir/tiles_budget")"
has "a part over its share says so" "over its share: 40 s of processor, 25 s are its share" "$output"
same "parts within their share do not" 2 "$(printf '%s\n' "$output" | grep -c 'over its share')"
has "a failed part shows its log" "the log of clang" "$output"
has "what ran is listed" "ran: one two" "$output"
has "what did not run is listed" "not run: a/b c" "$output"
has "the note stands behind the outcome" "ok     half of it" "$output"

# --- The records of whole parts.
faults() { record_faults "$records/$1.json" | words; }
write_record mutants ok 418 790 'a "quoted" \ note of '"$root/shared/x.cpp"
same "what is written is right" "" "$(faults mutants)"
has "a note has no path of this machine" 'a \"quoted\" \\ note of shared/x.cpp' "$(cat "$records/mutants.json")"
same "its commit is the last whole run's" "$(head_of)" "$(recorded_commit mutants)"
same "a part without a record has no commit" "" "$(recorded_commit tidy)"
echo "int edited;" >>"$root/a.cpp"
write_record tidy ok 1 1 ""
same "a dirty checkout is no commit's whole run" "|" "$(faults tidy)|$(recorded_commit tidy)"
write_record clang FAILED 1 1 ""
has "a failed part's record is refused" "wanted   \"outcome\": \"ok\"" "$(faults clang)"
sed 's/mutants/mutant/' "$records/mutants.json" >"$records/mutant.json"
has "a part that does not exist is refused" "wanted   \"part\"" "$(faults mutant)"
cp "$records/mutants.json" "$records/slow.json"
has "another part's record is refused" "another part's record" "$(faults slow)"
head -n 5 "$records/mutants.json" >"$records/format.json"
has "half a record is refused" "wanted 12 lines" "$(faults format)"
sed 's/"cores": 2/"cores": two/' "$records/mutants.json" >"$records/tiles.json"
has "a word for a number is refused" "line 7" "$(faults tiles)"
full_output=$(whole_tests() { takes 200; note "all"; }; whole_tidy() { takes 300; return 1; }; full_checks tidy tests)
same "a failed part fails the full run" 1 $?
same "and is counted" "1 passed, 1 failed" "$(printf '%s\n' "$full_output" | tail -n 1)"
has "its record says so" '"outcome": "FAILED"' "$(cat "$records/tidy.json")"
has "a record has its times" '"processor_seconds": 2,' "$(cat "$records/tests.json")"

# --- A share from end to end: a record, a change after it, and the files' presence as what is checked.
rm -f "$records"/*
commit third
third=$(head_of)
write_record tidy ok 1 1 ""
echo "int again;" >>"$root/e.hpp"
commit fourth
share_of_files() { # share_of_files BUDGET
  echo 0 >"$clock"
  budget=$1
  turn=1
  prepare tidy
  concerned "$work_dir/includes" <"$work/changed" | sed 's/^/10 /' >"$work/concerned"
  printf '10 %s\n' a.cpp b.cpp c.cpp d.cpp e.cpp f.cpp | line_up
  (cd "$root" && time_box test -f >/dev/null)
  echo "$?|$(cat "$report/note")|$(words <"$report/ran")|$(words <"$report/left")"
}
since_third="changed since $(printf '%.10s' "$third")"
same "a share with room" "0|6 of 6, of them 2 of the 2 that $since_third|e.cpp d.cpp c.cpp f.cpp a.cpp b.cpp|" \
  "$(share_of_files 100000)"
same "a share without" "0|1 of 6, of them 1 of the 2 that $since_third|e.cpp|d.cpp c.cpp f.cpp a.cpp b.cpp" \
  "$(share_of_files -1)"
rm "$root/e.cpp"
same "a share in which an item fails" "1|1 of 6, of them 1 of the 2 that $since_third|e.cpp|d.cpp c.cpp f.cpp a.cpp b.cpp" \
  "$(share_of_files -1)"

# --- The records of this repository, as committed: a run whose record is not committed yet may have failed.
count=0
committed=$(git -C "$source_dir" ls-tree --name-only HEAD tests/bench/results/checks/ 2>/dev/null)
for path in $committed; do
  git -C "$source_dir" show "HEAD:$path" >"$work_dir/${path##*/}"
  same "the record $path" "" "$(record_faults "$work_dir/${path##*/}" | words)"
  count=$((count + 1))
done

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "the checks chose, stopped and recorded as they should; $count committed records"
