#include "shared/report/evidence.hpp"

#include "stage3_tiled_kernels/configs.hpp"

namespace ladder {

std::set<std::string> evidence_of_configurations() {
  std::set<std::string> evidence;
  for (const table::ProductRow& row : table::kProductRows)
    evidence.insert({row.forward_evidence, row.input_evidence, row.beside_evidence, row.weight_evidence});
  for (const table::AttentionRow& row : table::kAttentionRows) evidence.insert(row.evidence);
  for (const table::NormRow& row : table::kNorms)
    evidence.insert({row.forward_evidence, row.backward_evidence});
  for (const table::LossRow& row : table::kLosses) evidence.insert(row.evidence);
  return evidence;
}

}  // namespace ladder
