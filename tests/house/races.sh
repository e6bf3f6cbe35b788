#!/bin/sh
# tests/support/races.awk on what racecheck prints: redundant copies pass, a race does not, nor does
# a check that never ended.
#
#   tests/house/races.sh SOURCE_FOLDER
set -u
judge=$1/tests/support/races.awk
failures=0

# expect CODE NAME: standard input is the tool's output.
expect() {
  awk -f "$judge" >/dev/null
  code=$?
  [ "$code" = "$1" ] || { echo "FAILED $2: exit $code, wanted $1"; failures=$((failures + 1)); }
}
# hazard FIRST SECOND: one report.
hazard() {
  echo "========= Error: Race reported between $1"
  echo "=========     and $2 [1792 hazards]"
}
kernel="void ladder::on_gpu::stage3::add_kernel<float, (int)16>(int, const T1 *)"
end="========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)"
none="========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)"

{ hazard "Write access at $kernel+0xcf0" "Write access at $kernel+0xcf0"; echo "$end"; } | expect 0 "one instruction with itself"
{ hazard "Write access at $kernel+0xcf0" "Write access at $kernel+0xd00"; echo "$end"; } | expect 1 "two instructions"
{ hazard "Write access at $kernel+0xcf0" "Read access at $kernel+0xcf0"; echo "$end"; } | expect 1 "a read"
{ hazard "Write access at $kernel+0xcf0" "Write access at void other_kernel(int)+0xcf0"; echo "$end"; } | expect 1 "two kernels"
{ hazard "Write access at $kernel+0xcf0" "Write access at $kernel+0xcf0"
  echo "=========     and Read access at $kernel+0xd40 [8 hazards]"; echo "$end"; } | expect 1 "a third access"
{ echo "========= Error: Race reported between Write access at $kernel+0xcf0"; echo "$end"; } | expect 1 "half a report"
{ hazard "Write access at $kernel+0xcf0" "Write access at $kernel+0xcf0"
  echo "========= RACECHECK SUMMARY: 3 hazards displayed (3 errors, 0 warnings)"; } | expect 1 "reports that are missing"
{ echo "========= Error: process didn't terminate successfully"; echo "$none"; } | expect 1 "another error"
{ echo "========= Target application returned an error"; echo "$none"; } | expect 1 "a program that failed"
echo "$none" | expect 0 "no hazard"
echo "=== racecheck" | expect 1 "no summary"
[ $failures = 0 ] && echo "11 outputs judged rightly"
exit $failures
