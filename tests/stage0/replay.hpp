// Trains stage 0 as a trace of the interpreter baseline says, and compares every double and every sample.
#pragma once

#include <string>

namespace ladder {

/// `trace` is what microgpt.py writes; `data` the text it was trained on (empty: the embedded names). Fails
/// the Catch2 test at the first loss or sample that differs in any bit.
void require_replay(const std::string& trace, const std::string& data);

/// False where libm's exp, log and pow are not those of an FMA machine: committed goldens then hold no
/// longer, and the comparison with the live interpreter is the oracle.
bool goldens_hold_here();

}  // namespace ladder
