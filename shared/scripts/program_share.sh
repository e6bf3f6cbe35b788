# A share of the test executables in another flavour (clang++, the sanitizers): built with the libraries they
# need and run, batch by batch, until the processor time is spent. Sourced. What each should cost comes from
# the first build's own log.

graph=$report/graph

# read_graph: what the first build knows. outputs: lines of executable, file to make for it, that file's
# source (- for the executable itself); needs: executables that run the product's program; costs: file,
# hundredths of a second; test_costs.
read_graph() {
  rm -rf "$graph"
  mkdir -p "$graph"
  programs_but '^(slow|mutants)$' | cut -d ' ' -f 1 | sort -u | while IFS= read -r program; do
    outputs_of "$program" | sed "s|^|$program |"
  done >"$graph/own_outputs"
  running_the_program >"$graph/needs"
  outputs_of ladder >"$graph/ladder"
  while IFS= read -r program; do sed "s|^|$program |" "$graph/ladder"; done <"$graph/needs" |
    cat "$graph/own_outputs" - | sort -u >"$graph/outputs"
  logged_costs "$build/.ninja_log" >"$graph/costs"
  sed '/^---/,$d' "$build/Testing/Temporary/CTestCostData.txt" | awk '{ print $1, int(100 * $3) }' >"$graph/test_costs"
}

# programs_but LABELS: lines of executable and test, of the tests without these labels. In ctest's list a test's command
# comes before its name; tests that are scripts run no executable of the build.
programs_but() {
  ctest --test-dir "$build" -N -V -LE "$1" 2>/dev/null </dev/null | awk -v folder="$build/" '
    / Test command: / { program = index($4, folder) == 1 ? substr($4, length(folder) + 1) : "" }
    /^ *Test +#[0-9]+: / { if (program != "") print program, $NF; program = "" }'
}

# outputs_of TARGET: lines of object and source of everything that the target is made from, and the target itself.
outputs_of() {
  ninja -C "$build" -t commands "$1" |
    sed -n "s|.* -o \([^ ]*\) -c \([^ ]*\).*|\1 \2|; t object
      s|.* -o \($1\) .*|\1 -|p; d
      :object
      s| $root/| |; s|\.gch |.pch |; p"
}

# Executables whose own sources call the product's program; not every one's CMakeLists.txt says that it needs it.
running_the_program() {
  awk '{ name = $1; sub(".*/", "", name); if (index($2, "/" name ".dir/") && $3 ~ /\.cpp$/) print $1, $3 }' \
    "$graph/own_outputs" | while read -r program source; do
    if grep -q LADDER_PROGRAM "$root/$source"; then echo "$program"; fi
  done | sort -u
}

# concerned_programs CHANGED: the executables that a changed file goes into. Generated sources include some as well.
concerned_programs() {
  # shellcheck disable=SC2046  # names of generated files, without spaces
  includes $(awk -v folder="${build#"$root"/}/" 'index($3, folder) == 1 { print $3 }' "$graph/outputs" | sort -u) \
    >"$graph/includes"
  concerned "$graph/includes" <"$1" >"$graph/concerned"
  awk 'FILENAME == ARGV[1] { reached[$0]; next } $3 in reached { print $1 }' "$graph/concerned" "$graph/outputs" | sort -u
}

# next_batch WORK LIMIT MOST: the executables to take next, at most MOST, whose cost stays within LIMIT: lines of cost
# and executable. WORK/items has them in order; an object counts once and not at all when this flavour has it already.
next_batch() {
  awk -v limit="$2" -v most="$3" -v scale="$scale" '
    FILENAME == ARGV[1] { cost[$1] = $2; next }
    FILENAME == ARGV[2] { test_cost[$1] = $2; next }
    FILENAME == ARGV[3] { made[$1]; next }
    FILENAME == ARGV[4] { outputs[$1] = outputs[$1] " " $2; next }
    FILENAME == ARGV[5] { tests[$1] = tests[$1] " " $2; next }
    FILENAME == ARGV[6] { taken[$1]; next }
    taken_now < most && !($2 in taken) {
      count = split(outputs[$2], output, " ")
      price = 0
      for (i = 1; i <= count; ++i) if (!(output[i] in made)) price += cost[output[i]] < 20 ? 20 : cost[output[i]]
      for (i = split(tests[$2], test, " "); i > 0; --i) price += test_cost[test[i]] + 5
      price *= scale
      if (total + price > limit) next
      total += price
      for (i = 1; i <= count; ++i) made[output[i]]
      taken_now += 1
      print int(price), $2
    }' "$graph/costs" "$graph/test_costs" "$1/made" "$graph/outputs" "$1/programs" "$1/taken" "$1/items"
}

# first_batch WORK: one executable, however little there is to spend: the first that fits, or else fits into twice as
# much. It may go over the budget by a third, so that the rotation brings dear ones to the front as well.
first_batch() {
  limit=$((budget * 4 / 3))
  [ "$limit" -ge 100 ] || limit=100
  next_batch "$1" "$limit" 1 >"$1/batch"
  while [ ! -s "$1/batch" ] && [ -s "$1/items" ]; do
    limit=$((limit * 2))
    next_batch "$1" "$limit" 1 >"$1/batch"
  done
}

# later_batch WORK: what fits into half of what is left, or else one that fits into all of it.
later_batch() {
  next_batch "$1" $(((budget - spent) / 2)) 1000 >"$1/batch"
  [ -s "$1/batch" ] || next_batch "$1" $((budget - spent)) 1 >"$1/batch"
}

# run_batch WORK PRESET FOLDER: builds and runs the executables in WORK/batch.
run_batch() {
  targets=$(cut -d ' ' -f 2 "$1/batch")
  if grep -qxF "$targets" "$graph/needs"; then targets="$targets ladder"; fi
  # shellcheck disable=SC2086  # one word a target
  build_preset "$2" "$3" $targets || return 3
  tests=$(awk 'FILENAME == ARGV[1] { chosen[$2]; next } $1 in chosen { printf "%s%s", bar, $2; bar = "|" }' \
    "$1/batch" "$1/programs")
  ctest --test-dir "$3" -j "$jobs" -R "^($tests)\$" -LE "$labels_left_out" --output-on-failure --no-tests=error </dev/null
}

# program_share WORK BUDGET PRESET FOLDER SCALE: takes batches until the budget is spent. The first is one executable:
# it shows how much dearer this flavour is than the first build; SCALE is the guess. Then half of what is left at a
# time, so that the estimate is corrected while there is still room. What is dearer than that waits for --full.
program_share() {
  work=$1
  budget=$2
  scale=$5
  spent=0
  expected=0
  result=0
  : >"$work/taken"
  : >"$work/outcomes"
  children_time "$work/times"
  began_with=$children
  while :; do
    logged_costs "$4/.ninja_log" >"$work/made"
    if [ -s "$work/taken" ]; then later_batch "$work"; else first_batch "$work"; fi
    [ -s "$work/batch" ] || break
    if run_batch "$work" "$3" "$4"; then outcome=ok; else outcome=FAILED result=1; fi
    cut -d ' ' -f 2 "$work/batch" >>"$work/taken"
    awk -v outcome="$outcome" '{ print $2, outcome }' "$work/batch" >>"$work/outcomes"
    children_time "$work/times"
    spent=$((children - began_with))
    expected=$((expected + $(awk -v scale="$scale" '{ total += $1 / scale } END { printf "%d", total }' "$work/batch")))
    scale=$(awk -v spent="$spent" -v expected="$expected" 'BEGIN { print (spent > 0 && expected > 0 ? spent / expected : 0.01) }')
  done
  [ -s "$work/taken" ] && [ "$result" = 0 ]
}
