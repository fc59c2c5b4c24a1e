#include "data/pairs.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json_field.h"
#include "data/lines.h"

namespace bantam {

namespace {

TextPair parse_tabs(std::string_view line, std::string_view where) {
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos || line.find('\t', tab + 1) != std::string_view::npos) {
    fail(ErrorKind::format, where, "expected a source and a target with a tab between, got {}",
         tab == std::string_view::npos ? "no tab" : "several tabs");
  }
  return {std::string(trim(line.substr(0, tab))), std::string(trim(line.substr(tab + 1)))};
}

TextPair parse_record(std::string_view line, const std::string& where, const PairFields& fields) {
  const auto document = parse_json(line, where);
  const JsonField record(document, where);
  if (!record.is_object()) record.wrong("an object");
  return {std::string(trim(record[fields.source].text())),
          std::string(trim(record[fields.target].text()))};
}

}  // namespace

std::vector<TextPair> read_pairs(const std::string& path, const PairFields& fields) {
  return parse_pairs(read_text_file(path), path, fields);
}

std::vector<TextPair> parse_pairs(std::string_view text, const std::string& path,
                                  const PairFields& fields) {
  std::string_view name = path;
  if (name.ends_with(".zst")) name.remove_suffix(4);
  const bool json = name.ends_with(".jsonl");
  std::vector<TextPair> pairs;
  int64_t number = 0;
  for_each_line(text, [&](std::string_view line) {
    ++number;
    if (trim(line).empty()) return;
    const std::string where = fmt::format("{}, line {}", path, number);
    TextPair pair = json ? parse_record(line, where, fields) : parse_tabs(line, where);
    if (pair.source.empty() || pair.target.empty()) {
      fail(ErrorKind::format, where, "expected a source and a target, got an empty one");
    }
    pairs.push_back(std::move(pair));
  });
  return pairs;
}

}  // namespace bantam
