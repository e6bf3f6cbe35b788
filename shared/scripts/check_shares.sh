# The dear parts of `./ladder test --ci`: of each as many items as fit into its share of a first test run's processor
# time, what a change concerns first. Sourced by checks.sh; each part is a function named share_PART and reads $unit,
# $budget (both in hundredths of a second) and $turn.

# share_of PART: how much of a first `./ladder test` it may cost, in hundredths. Together under 2.8, because an item
# that has started is not stopped, and the whole is to stay under 3.
share_of() {
  case $1 in
    clang) echo 25 ;;
    sanitizers) echo 65 ;;
    format) echo 2 ;;
    tidy) echo 30 ;;
    mutants) echo 25 ;;
    tiles) echo 25 ;;
  esac
}

# prepare PART: its folder of work, with the files that changed since its last whole run and passed.
prepare() {
  work=$report/$1
  rm -rf "$work"
  mkdir -p "$work" || return 3
  since=$(recorded_commit "$1")
  git -C "$root" cat-file -e "${since:-none}^{commit}" 2>/dev/null || since=
  if [ -n "$since" ]; then changed_files "$since"; fi | sort -u >"$work/changed"
}

# line_up: standard input's items in the order in which they are taken, those in $work/concerned first.
line_up() { in_order "$turn" "$work/concerned" >"$work/items"; }

# time_box COMMAND...: the items of $work with what is left of the budget; what preparing them cost counts.
time_box() {
  children_time "$work/times"
  sh "$root/shared/scripts/queue.sh" "$work" $((budget - children)) "$@"
  box_result=$?
  awk 'FILENAME == ARGV[1] { if ($3 != "left") ran[$1]; next } FNR in ran' "$work/outcomes" "$work/items" >"$work/ran"
  report_share
  return "$box_result"
}

lines() { wc -l <"$1" | tr -d ' '; }

# report_share: the note, and which items ran and which did not, from the lists $work/items, ran and concerned.
report_share() {
  grep -xF -f "$work/concerned" "$work/items" >"$work/changed_items"
  grep -xF -f "$work/ran" "$work/changed_items" >"$work/changed_ran"
  if [ -n "$since" ]; then
    note "$(lines "$work/ran") of $(lines "$work/items"), of them" \
      "$(lines "$work/changed_ran") of the $(lines "$work/changed_items") that changed since $(printf '%.10s' "$since")"
  else
    note "$(lines "$work/ran") of $(lines "$work/items"); what changed is not known: no record of a whole run, or not its commit"
  fi
  plain_names <"$work/ran" >"$report/ran"
  grep -vxF -f "$work/ran" "$work/items" | plain_names >"$report/left"
}

# Items without their costs, mutants without the pattern that names them to ctest, architectures as nvcc calls them.
plain_names() { sed 's/^[0-9]* //; s/^^mutant_\(.*\)\$$/\1/; s/^\([0-9][0-9]*\) /sm_\1 /'; }

# share_programs PART PRESET LABELS SCALE: the executables whose tests have none of the labels, in the preset's flavour,
# which costs SCALE times the first build at a guess.
share_programs() {
  prepare "$1" || return 3
  labels_left_out=$3
  programs_but "$labels_left_out" >"$work/programs"
  concerned_programs "$work/changed" | sed 's/^/0 /' >"$work/concerned"
  cut -d ' ' -f 1 "$work/programs" | sort -u | sed 's/^/0 /' | line_up
  program_share "$work" "$budget" "$2" "$build-$2" "$4"
  programs_result=$?
  sed 's/^/0 /' "$work/taken" >"$work/ran"
  report_share
  return "$programs_result"
}

share_clang() {
  any_clang || return 3
  compiler=$clangxx
  share_programs clang clang "$not_quick" 0.6
}

share_sanitizers() {
  compiler=$cxx
  deep_stack
  share_programs sanitizers sanitize "$not_sanitized" 2
}

share_tidy() {
  prepare tidy && tidy_files || return 3
  includes >"$work/includes"
  concerned "$work/includes" <"$work/changed" | sed "s/^/$((unit / 100)) /" >"$work/concerned"
  sed "s/^/$((unit / 100)) /" "$report/tidy_files" | line_up
  cd "$root" && time_box "$tool" -p "$build-clang" --quiet --warnings-as-errors='*'
}

share_mutants() {
  prepare mutants && enough_mutants || return 1
  for mutant in "$root"/tests/mutants/list/*.mutant; do
    name=$(basename "$mutant" .mutant)
    echo "$((unit / 30)) ^mutant_$name\$"
    if mutant_is_concerned "$mutant"; then echo "$((unit / 30)) ^mutant_$name\$" >&3; fi
  done 3>"$work/concerned" | line_up
  time_box ctest --test-dir "$build" --output-on-failure --no-tests=error -R
}

# A mutant concerns the file that it changes and the sources of the test that must catch it.
mutant_is_concerned() {
  {
    echo "${1#"$root"/}"
    sed -n 's/^file: //p' "$1"
    awk -v own="/$(sed -n 's/^test: //p' "$1").dir/" 'index($2, own) { print $3 }' "$graph/own_outputs"
  } | grep -qxF -f "$work/changed" -
}

share_tiles() {
  prepare tiles || return 3
  nvcc=$(sh "$root/shared/scripts/cuda_toolchain.sh") || { note "no compiler"; return 3; }
  includes >"$work/includes"
  concerned "$work/includes" <"$work/changed" >"$work/files"
  sh "$root/shared/scripts/tile_kernels.sh" --list | awk -v unit="$unit" '{ $1 = int($1 * unit / 1000); print }' >"$work/all"
  awk 'FILENAME == ARGV[1] { concerned[$0]; next } $3 in concerned' "$work/files" "$work/all" >"$work/concerned"
  line_up <"$work/all"
  mkdir -p "$work/cubins"
  time_box sh "$root/shared/scripts/tile_kernels.sh" --one "$nvcc" "$work/cubins"
}
