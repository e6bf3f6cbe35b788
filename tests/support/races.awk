# Judges what `compute-sanitizer --tool racecheck` printed of tile kernels: exit code 0 unless there is a hazard that is not
# of one instruction with itself, or an error of another kind.
#
# A tile kernel's text knows neither threads nor shared memory. nvcc copies a one-dimensional tile of n elements with every
# thread of the block, thread t element t mod n, so that several write one value to one place (insights-0003): hazards of one
# writing instruction with itself. They are counted by kernel, with the instruction's offset, so that it can be looked up.
# Anything else orders something by chance.

# A report is one access and every "and" line below it.
function close_report() {
  if (first != "" && judged == 0) { print "ERROR a report without its second access: " first; others++ }
  first = ""
}
# The name without arguments, and "+0x12ab" at the end.
function offset(line) { return match(line, /\+0x[0-9a-f]+/) ? substr(line, RSTART) : "" }
function end_of(line) { sub(/ \[[0-9]+ hazards\]$/, "", line); return offset(line) }
function kernel(line) {
  sub(/^.* access at (void )?/, "", line)
  sub(/[<(].*/, "", line)
  sub(/.*::/, "", line)
  return line
}

/Race reported between/ { first = $0; reports++; judged = 0; next }
first != "" && / and (Write|Read) access at / {
  one = end_of(first); other = end_of($0); judged++
  if (first ~ /Write access/ && $0 ~ /and Write access/ && one == other && one != "" && kernel(first) == kernel($0)) {
    itself[kernel(first) " " one]++
  } else {
    print "RACE  " kernel(first) one ", " kernel($0) other
    others++
  }
  next
}
{ close_report() }
/^=+ (Error|Fatal)|application returned an error|Maximum number of hazards/ { print "ERROR " $0; others++ }
/RACECHECK SUMMARY/ { summaries++; displayed = $4 }
END {
  close_report()
  if (summaries > 0 && reports != displayed) { print "ERROR " reports + 0 " reports, but the summary counts " displayed; others++ }
  for (place in itself) { split(place, parts, " "); places[parts[1]]++; text[parts[1]] = text[parts[1]] " " parts[2] }
  for (name in places) print "redundant copies: " name ", " places[name] " instructions:" text[name]
  if (summaries == 0) { print "ERROR no summary: the check did not end"; others++ }
  exit others > 0
}
