# The parts of `./ladder test --full`, each whole. Sourced by checks.sh. Each is a function named whole_PART that
# succeeds when its part does; it sets the note behind its outcome with `note TEXT`.

not_quick='^(slow|mutants)$'
not_sanitized='^(slow|mutants|no_sanitizer)$'

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

# How many Catch2 cases ran in the ctest run whose log this is.
cases_in() {
  grep -o 'in [0-9]* test cases\{0,1\}\|test cases: *[0-9]*' "$1" | tr -dc '0-9\n' | awk '{ total += $1 } END { print total + 0 }'
}

# What the tests alone cost is kept for --ci, the number of their cases for the sanitizers.
whole_tests() {
  rm -f "$report/quick_cases" "$report/test_time"
  build_preset cpu "$build" all || return 3
  children_time "$report/times_of_tests"
  began_with=$children
  ctest_in "$build" -j "$jobs" -LE "$not_quick"
  tests_result=$?
  children_time "$report/times_of_tests"
  echo $((children - began_with)) >"$report/test_time"
  [ "$tests_result" = 0 ] || return 1
  echo "$(cases_in "$build/Testing/Temporary/LastTest.log") $(checkout_state)" >"$report/quick_cases"
}

# The commit, where the checkout is that commit; nothing otherwise.
checkout_state() { tree_is_dirty || git -C "$root" rev-parse --verify --quiet HEAD; }

whole_slow() {
  build_preset cpu "$build" all || return 3
  [ "$(count_tests "$build" -L '^slow$' -LE '^mutants$')" -gt 0 ] || { note "no test is labelled slow"; return 0; }
  ctest_in "$build" -j "$jobs" -L '^slow$' -LE '^mutants$'
}

whole_clang() {
  any_clang || return 3
  compiler=$clangxx
  build_preset clang "$build-clang" all && ctest_in "$build-clang" -j "$jobs" -LE "$not_quick"
}

# Under the address sanitizer no two variables share a place on the stack: a block of the widest tile kernels, which hold
# their tiles there, takes several times the usual 8 MiB. Threads get the same.
deep_stack() { ulimit -s 65536 2>/dev/null || :; }

# At least nine tenths of the quick cases run under the sanitizers too; the label no_sanitizer marks
# executables that cannot.
whole_sanitizers() {
  quick=$(quick_cases) || { note "how many cases the quick tests have is not known: they failed"; return 1; }
  compiler=$cxx
  deep_stack
  build_preset sanitize "$build-sanitize" all || return 3
  ctest_in "$build-sanitize" -j "$jobs" -LE "$not_sanitized" || return 1
  these=$(cases_in "$build-sanitize/Testing/Temporary/LastTest.log")
  note "$(cat "$report/note"); $these of $quick cases"
  [ $((these * 10)) -ge $((quick * 9)) ]
}

# From the part `tests` of this call, or of an earlier one on the same commit; otherwise they run now, to be counted.
quick_cases() {
  counted_here || whole_tests >"$report/tests.log" 2>&1
  [ -f "$report/quick_cases" ] && cut -d ' ' -f 1 "$report/quick_cases"
}
counted_here() {
  [ -f "$report/quick_cases" ] || return 1
  [ "$tests_ran" = yes ] && return 0
  state=$(checkout_state)
  [ -n "$state" ] && grep -q " $state\$" "$report/quick_cases"
}

# The tracked files with these endings, one a line.
tracked() { (cd "$root" && git ls-files -- "$@"); }

# Another major version lays some constructs out otherwise, so only the one that the tree was formatted with can judge.
whole_format() {
  wanted=14
  tool=clang-format
  have clang-format-$wanted && tool=clang-format-$wanted
  version=$(version_of "$tool")
  if [ "${version%%.*}" != "$wanted" ]; then
    note "not judged: version $wanted is the tree's, this is $version"
    return 0
  fi
  cd "$root" && tracked '*.hpp' '*.cpp' '*.cu' '*.cuh' >"$report/laid_out" && [ -s "$report/laid_out" ] || return 1
  note "$(wc -l <"$report/laid_out" | tr -d ' ') files"
  tr '\n' '\0' <"$report/laid_out" | xargs -0 "$tool" --dry-run --Werror
}

# tidy_files: leaves the files to be judged in $report/tidy_files and the tool in $tool. The clang++ build's commands,
# so that every flag is one that clang-tidy knows; of the build itself only the precompiled headers are needed.
tidy_files() {
  any_clang || return 3
  compiler=$clangxx
  configure_if_needed clang "$build-clang" || return 3
  # Nothing is built here that would look for files which came since: without this a new file is never judged.
  cmake "$build-clang" >/dev/null </dev/null || return 3
  for header in $(sed -n 's|.* -o \([^ ]*cmake_pch[^ ]*\.pch\) .*|\1|p' "$build-clang/compile_commands.json" | sort -u); do
    [ -s "$build-clang/$header" ] || precompile "$header" || return 3
  done
  tool=clang-tidy
  have clang-tidy-14 && tool=clang-tidy-14
  tracked '*.cpp' | while IFS= read -r file; do
    if grep -qF "\"$root/$file\"" "$build-clang/compile_commands.json"; then echo "$file"; fi
  done >"$report/tidy_files"
  [ -s "$report/tidy_files" ]
}

# precompile HEADER: by its own command; as a target it would come after every library of its executable.
precompile() {
  if have ninja; then
    (cd "$build-clang" && mkdir -p "${1%/*}" && sh -c "$(ninja -t commands "$1" | tail -n 1)") </dev/null
  else
    build_preset clang "$build-clang" all
  fi
}

whole_tidy() {
  tidy_files || return 3
  note "$(wc -l <"$report/tidy_files" | tr -d ' ') files"
  cd "$root" || return 3
  tr '\n' '\0' <"$report/tidy_files" |
    xargs -0 -n 1 -P "$jobs" "$tool" -p "$build-clang" --quiet --warnings-as-errors='*'
}

enough_mutants() {
  [ "$(count_tests "$build" -L '^mutants$')" -ge 10 ] || { echo "fewer than ten mutants are registered"; return 1; }
}

whole_mutants() {
  build_preset cpu "$build" all || return 3
  enough_mutants && ctest_in "$build" -j "$jobs" -L '^mutants$'
}

# Compiled, not run: no GPU is needed. The note has the seconds of each architecture, the log those of each file.
whole_tiles() {
  sh "$root/shared/scripts/tile_kernels.sh" "$report/cubins" >"$report/tile_kernels" 2>&1
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

# The libFuzzer programs one after the other, half a minute each or LADDER_FUZZ_SECONDS, from their own seeds and what
# earlier runs found. An input that one stumbles over stays beside them, and its name stands in the log.
whole_fuzz() {
  any_clang || return 3
  compiler=$clangxx
  build_preset fuzz "$build-fuzz" fuzz || return 3
  fuzz_programs=0
  for fuzz_program in "$build-fuzz"/tests/fuzz/fuzz_*; do
    [ -f "$fuzz_program" ] && [ -x "$fuzz_program" ] || continue
    corpus=$report/fuzz/${fuzz_program##*/}
    mkdir -p "$corpus/seeds" "$corpus/found" || return 3
    echo "--- ${fuzz_program##*/}"
    LADDER_FUZZ_SEEDS=$corpus/seeds "$fuzz_program" -max_total_time="${LADDER_FUZZ_SECONDS:-30}" -timeout=20 -print_final_stats=1 \
      -artifact_prefix="$corpus/" "$corpus/found" "$corpus/seeds" </dev/null >"$report/fuzz.out" 2>&1
    fuzz_result=$?
    tail -n 40 "$report/fuzz.out"
    [ "$fuzz_result" = 0 ] || return 1
    fuzz_programs=$((fuzz_programs + 1))
  done
  note "$fuzz_programs programs, ${LADDER_FUZZ_SECONDS:-30} s each"
  [ "$fuzz_programs" -gt 0 ]
}
