#include "shared/report/pytorch_table.hpp"

#include <fmt/format.h>

#include "shared/report/tables.hpp"

namespace ladder {
namespace {

constexpr const char* kGroups[] = {"logits", "residual stream", "gradients"};

/// A number of a record, which has null for what is not finite.
std::string number_text(const Json& json, const char* key, const char* format) {
  const Json& at = json.at(key);
  return at.is_number() ? fmt::format(fmt::runtime(format), at.get<double>()) : "not finite";
}

std::string ratio_text(const Json& group) {
  const std::string ratio = number_text(group, "ratio", "{:.2f}");
  return group.at("ratio").is_number() ? ratio + " ×" : ratio;
}

/// The worst tensor of a group, as its type's rule counts, and how many tensors are over the limit.
std::string group_cell(const Json& group) {
  std::string text;
  if (group.at("rule").get<std::string>() == "ratio")
    text = ratio_text(group);
  else
    text = number_text(group, "scaled", "{:.1e}") +
           (group.contains("ratio") ? " (" + ratio_text(group) + ")" : "");
  if (group.at("passed").get<bool>()) return text;
  return text + fmt::format(" FAILED: {} of {}", group.at("over").get<int>(), group.at("tensors").get<int>());
}

std::string limit_cell(const Json& group) {
  const bool ratio = group.at("rule").get<std::string>() == "ratio";
  return number_text(group, "limit", ratio ? "{:.2f}" : "{:.0e}") +
         (ratio ? " × PyTorch's error" : " of an element");
}

std::string loss_cell(const Json& loss) {
  return number_text(loss, "scaled", "{:.1e}") + " of " + number_text(loss, "limit", "{:.0e}") +
         (loss.at("passed").get<bool>() ? "" : " FAILED");
}

/// How many tensors PyTorch itself misses by the same rule; empty where its own error is the rule.
std::string misses_cell(const Json& groups) {
  int over = 0, tensors = 0;
  for (const char* name : kGroups) {
    const Json& group = groups.at(name);
    if (!group.contains("pytorch_over")) return {};
    over += group.at("pytorch_over").get<int>();
    tensors += group.at("tensors").get<int>();
  }
  return fmt::format("{} of {}", over, tensors);
}

std::string differences_cell(const Json& groups) {
  std::string text;
  for (const char* name : kGroups)
    text += (text.empty() ? "" : ", ") + number_text(groups.at(name), "difference", "{:.1e}");
  return text;
}

std::string published_cell(const Json& values) {
  const Json& limits = values.at("published");
  std::string list = number_text(limits, "expanded", "{:.0e}");
  if (values.at("dtype").get<std::string>() != "fp16") return list;
  return list + ", of a kernel " + number_text(limits, "kernel_fp16", "{:.0e}");
}

std::string greedy_cell(const Json& greedy) {
  return fmt::format("{} of {}{}", greedy.at("same").get<int>(), greedy.at("of").get<int>(),
                     greedy.at("excused").get<bool>()  ? ", then a tie"
                     : greedy.at("passed").get<bool>() ? ""
                                                       : " FAILED");
}

}  // namespace

Cells pytorch_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale) {
  Cells cells = {{"", "limit", "logits", "residual stream", "gradients", "tensors that PyTorch itself misses",
                  "loss", "greedy text", "largest difference of logits, stream, gradients",
                  "published limit of it"}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Json &values = rows[i].values, &groups = values.at("groups");
    std::vector<std::string> line = {marked_name(rows[i], i < stale.size() && stale[i]),
                                     limit_cell(groups.at(kGroups[0]))};
    for (const char* name : kGroups) line.push_back(group_cell(groups.at(name)));
    for (std::string text :
         {misses_cell(groups), loss_cell(groups.at("loss")), greedy_cell(values.at("greedy")),
          differences_cell(groups), published_cell(values)})
      line.push_back(std::move(text));
    cells.push_back(std::move(line));
  }
  return cells;
}

}  // namespace ladder
