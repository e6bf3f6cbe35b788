# What the GPU runs of the stages share. Sourced by tests/stage*/gpu_run.sh, which set $summary and $parts.

failures=0
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

has() { case " $parts " in *" $1 "*) true ;; *) false ;; esac; }
