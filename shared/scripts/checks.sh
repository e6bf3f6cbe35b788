# `./ladder test --ci` and `--full`: their parts one after the other, whatever the ones before said; one line a part
# with its time; the whole fails when one of them failed. Sourced by ./ladder.

report=$build/checks
passed=0
failed=0
spent=0

. "$root/shared/scripts/processor_time.sh"
. "$root/shared/scripts/check_record.sh"
. "$root/shared/scripts/check_parts.sh"

note() { printf '%s\n' "$*" >"$report/note"; }

# part NAME FUNCTION: runs the function with its output in a log and prints the outcome; sets $outcome, $seconds and, in
# hundredths of a second of processor time, $used.
part() {
  part_log=$report/$1.log
  rm -f "$report/note" "$report/ran" "$report/left"
  children_time "$report/times"
  used=$children
  began=$(date +%s)
  ("$2") >"$part_log" 2>&1
  if [ $? = 0 ]; then outcome=ok passed=$((passed + 1)); else outcome=FAILED failed=$((failed + 1)); fi
  seconds=$(($(date +%s) - began))
  children_time "$report/times"
  used=$((children - used))
  spent=$((spent + used))
  printf 'part %-10s %5d s, %5d s of processor  %-6s %s\n' "$1" "$seconds" "$(whole_seconds "$used")" "$outcome" \
    "$(cat "$report/note" 2>/dev/null)"
}

# After a part that failed: the end of its log.
show_log() {
  [ "$outcome" = ok ] && return
  echo "--- the end of $part_log"
  tail -n 60 "$part_log"
  echo "---"
}

# list_items WORD FILE: the items of a list, those of one folder together, folded.
list_items() {
  [ -s "$2" ] || return 0
  sort "$2" | awk -v word="$1" '
    {
      folder = match($0, ".*/") ? substr($0, 1, RLENGTH) : ""
      again = NR > 1 && folder == last
      printf "%s%s", NR == 1 ? word ": " : again ? " " : ", ", again ? substr($0, length(folder) + 1) : $0
      last = folder
    }
    END { print "" }' | fold -s -w 110 | sed '1s/^/  /; 2,$s/^/    /'
}

finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}

# full_checks PART...: each whole, its outcome left as a record to be committed.
full_checks() {
  mkdir -p "$report" || return 3
  compiler=
  tests_ran=no
  for name in $part_names; do
    case " $* " in *" $name "*) ;; *) continue ;; esac
    part "$name" "whole_$name"
    show_log
    write_record "$name" "$outcome" "$seconds" "$(whole_seconds "$used")" "$(cat "$report/note" 2>/dev/null)"
    [ "$name" = tests ] && tests_ran=yes
  done
  finish
}

# The unit of every share: what the first part cost when it built from nothing; otherwise what the build's log says that
# building cost, and the tests as they ran now.
set_unit() {
  unit=$used
  if [ "$1" != from_nothing ]; then
    unit=$(($(logged_time "$build/.ninja_log") + $(cat "$report/test_time" 2>/dev/null || echo 0)))
  fi
  [ "$unit" -gt 100 ] || unit=100
}

# part_in_share NAME FUNCTION: with at most its share, and at most what keeps the whole under 2.9 units.
part_in_share() {
  share=$(($(share_of "$1") * unit / 100))
  budget=$share
  left=$((unit * 29 / 10 - spent))
  [ "$budget" -le "$left" ] || budget=$left
  part "$1" "$2"
  list_items "ran" "$report/ran"
  list_items "not run" "$report/left"
  if [ "$used" -gt "$share" ]; then
    echo "  over its share: $(whole_seconds "$used") s of processor, $(whole_seconds "$share") s are its share"
  fi
  show_log
}

ci_checks() {
  have ninja || { say "test --ci needs ninja, which knows what each test is made from"; return 3; }
  mkdir -p "$report" || return 3
  . "$root/shared/scripts/selection.sh"
  . "$root/shared/scripts/program_share.sh"
  . "$root/shared/scripts/check_shares.sh"
  ci_parts
}

ci_parts() {
  compiler=
  turn=$(commit_turn)
  built=from_nothing
  [ -f "$build/.ninja_log" ] && built=before
  part tests whole_tests
  show_log
  set_unit "$built"
  echo "  a first ./ladder test costs $(whole_seconds "$unit") s of processor here; of that the shares; the turn is $turn"
  read_graph >"$report/graph.log" 2>&1
  part_in_share clang share_clang
  part_in_share sanitizers share_sanitizers
  part_in_share format whole_format
  part_in_share tidy share_tidy
  part_in_share mutants share_mutants
  part_in_share tiles share_tiles
  echo "in all $(whole_seconds "$spent") s of processor, $((100 * spent / unit)) % of a first ./ladder test; 300 % is the limit"
  finish
}
