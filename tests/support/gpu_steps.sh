# What the GPU runs of the stages share. Sourced by tests/stage*/gpu_run.sh, which set $summary and $parts.

failures=0

# The last word of a record's name, by which pages find it ("speedup-small-gpu" is speedup-small-h200 or another
# card's): the second word of what the card calls itself, "NVIDIA H100 80GB HBM3".
card=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1 | awk '{ print tolower($2) }' | sed 's/[^a-z0-9].*//')
card=${card:-gpu}

say() { echo "$*" | tee -a "$summary"; }

# try LOG SECONDS NAME COMMAND...: runs the command with its output in LOG, says how it ended.
try() {
  log=$1 limit=$2 name=$3
  shift 3
  echo "=== $name: $*" >>"$log"
  began=$(date +%s)
  timeout "$limit" "$@" >>"$log" 2>&1
  code=$?
  took=$(($(date +%s) - began))
  if [ $code = 0 ]; then say "ok      $name (${took} s)"; else say "FAILED  $name: exit $code (${took} s)"; failures=$((failures + 1)); fi
}

# races LOG SECONDS NAME PROGRAM...: the program under racecheck, which hands on its exit code; hazards are judged by
# races.awk, whose verdict goes to the summary.
races() {
  log=$1 limit=$2 name=$3
  shift 3
  echo "=== $name: $*" >>"$log"
  timeout "$limit" compute-sanitizer --tool racecheck --report-api-errors no --print-limit 100000 "$@" >"$log.races" 2>&1
  program=$?
  verdict=$(awk -f tests/support/races.awk "$log.races")
  code=$?
  { cat "$log.races"; echo "$verdict"; } >>"$log"
  rm -f "$log.races"
  if [ $code = 0 ] && [ $program = 0 ]; then
    say "ok      $name"
  else
    say "FAILED  $name: judged $code, the program itself $program"
    failures=$((failures + 1))
  fi
  [ -z "$verdict" ] || say "$verdict"
}

has() { case " $parts " in *" $1 "*) true ;; *) false ;; esac; }
