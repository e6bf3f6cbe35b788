# The parts of `./ladder test --full`, which is what CI runs. Sourced by ./ladder after set-up; every part runs, whatever
# the ones before it said; one line a part, and the whole fails when one of them failed.

report=$build/full
passed=0
failed=0

# part NAME FUNCTION: runs the function with its output in a log, prints the outcome and, after a failure, the log's end.
# A function that sets $note (through `note TEXT`) has it printed behind the outcome.
part() {
  part_log=$report/$(printf '%s' "$1" | tr -c 'a-zA-Z0-9\n' '_').log
  rm -f "$report/note"
  began=$(date +%s)
  ("$2") >"$part_log" 2>&1
  outcome=$?
  seconds=$(($(date +%s) - began))
  if [ "$outcome" = 0 ]; then passed=$((passed + 1)); word=ok; else failed=$((failed + 1)); word=FAILED; fi
  printf 'part %-32s %5d s  %-6s %s\n' "$1" "$seconds" "$word" "$(cat "$report/note" 2>/dev/null)"
  [ "$outcome" = 0 ] && return
  echo "--- the end of $part_log"
  tail -n 60 "$part_log"
  echo "---"
}
note() { printf '%s\n' "$*" >"$report/note"; }

# ctest in FOLDER with further options; its closing summary becomes the part's note.
ctest_in() {
  ctest_output=$report/ctest_output.$$
  ctest --test-dir "$@" --output-on-failure --no-tests=error </dev/null >"$ctest_output" 2>&1
  ctest_result=$?
  cat "$ctest_output"
  note "$(grep 'tests passed' "$ctest_output" | tail -n 1)"
  rm -f "$ctest_output"
  return "$ctest_result"
}

count_tests() { ctest --test-dir "$@" -N | sed -n 's/^Total Tests: //p'; }

quick_tests() {
  build_preset cpu "$build" all && ctest_in "$build" -j "$jobs" -LE '^(slow|mutants)$' || return 1
  cases_in "$build/Testing/Temporary/LastTest.log" >"$report/quick_cases"
}

slow_tests() {
  [ "$(count_tests "$build" -L '^slow$' -LE '^mutants$')" -gt 0 ] || { note "no test is labelled slow"; return 0; }
  ctest_in "$build" -j "$jobs" -L '^slow$' -LE '^mutants$'
}

clang_build() {
  any_clang || return 3
  compiler=$clangxx
  build_preset clang "$build-clang" all && ctest_in "$build-clang" -j "$jobs" -LE '^(slow|mutants)$'
}

# How many Catch2 cases ran in the ctest run whose log this is.
cases_in() {
  grep -o 'in [0-9]* test cases\{0,1\}\|test cases: *[0-9]*' "$1" | tr -dc '0-9\n' | awk '{ total += $1 } END { print total + 0 }'
}

# At least nine tenths of the quick cases run under the sanitizers too; the label no_sanitizer marks executables that cannot.
sanitizers() {
  compiler=$cxx
  build_preset sanitize "$build-sanitize" all || return 3
  ctest_in "$build-sanitize" -j "$jobs" -LE '^(slow|mutants|no_sanitizer)$' || return 1
  these=$(cases_in "$build-sanitize/Testing/Temporary/LastTest.log")
  quick=$(cat "$report/quick_cases")
  note "$(cat "$report/note"); $these of $quick cases"
  [ $((these * 10)) -ge $((quick * 9)) ]
}

# The tracked files with these endings, one a line.
tracked() { (cd "$root" && git ls-files -- "$@"); }

# Another major version lays some constructs out otherwise, so only the one that the tree was formatted with can judge.
layout() {
  wanted=14
  tool=clang-format
  have clang-format-$wanted && tool=clang-format-$wanted
  version=$(version_of "$tool")
  if [ "${version%%.*}" != "$wanted" ]; then
    note "not judged: version $wanted is the tree's, this is $version"
    return 0
  fi
  cd "$root" && tracked '*.hpp' '*.cpp' '*.cu' '*.cuh' | tr '\n' '\0' | xargs -0 "$tool" --dry-run --Werror
}

# Over the clang++ build's commands, so that every flag is one that clang-tidy knows.
static_checks() {
  commands=$build-clang
  [ -f "$commands/compile_commands.json" ] || { echo "no $commands/compile_commands.json"; return 3; }
  tool=clang-tidy
  have clang-tidy-14 && tool=clang-tidy-14
  cd "$root" || return 3
  tracked '*.cpp' | while IFS= read -r file; do
    if grep -qF "\"$root/$file\"" "$commands/compile_commands.json"; then printf '%s\0' "$file"; fi
  done | xargs -0 -n 1 -P "$jobs" "$tool" -p "$commands" --quiet --warnings-as-errors='*'
}

mutants() {
  [ "$(count_tests "$build" -L '^mutants$')" -ge 10 ] || { echo "fewer than ten mutants are registered"; return 1; }
  ctest_in "$build" -j "$jobs" -L '^mutants$'
}

# Compiled, not run: no GPU is needed. The note has the seconds of each architecture, the log those of each file.
tile_kernels() {
  cubins=$report/cubins
  sh "$root/shared/scripts/tile_kernels.sh" "$cubins" >"$report/tile_kernels" 2>&1
  tile_result=$?
  cat "$report/tile_kernels"
  if [ "$tile_result" = 3 ]; then
    note "$(tail -n 1 "$report/tile_kernels")"
  else
    note "$(awk '/^sm_/ { files += 1; seconds[$1] += $3; if (!seen[$1]++) order[++count] = $1 }
      END { printf "%d objects, of processor time:", files
            for (i = 1; i <= count; ++i) printf " %s %d s", order[i], seconds[order[i]] }' "$report/tile_kernels")"
  fi
  return "$tile_result"
}

full_checks() {
  mkdir -p "$report" || return 3
  compiler=
  part "tests" quick_tests
  part "slow tests" slow_tests
  part "clang++ build" clang_build
  part "sanitizers" sanitizers
  part "clang-format" layout
  part "clang-tidy" static_checks
  part "mutants" mutants
  part "tile kernels, four architectures" tile_kernels
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}
