#include "data/corpora.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "data/lines.h"

namespace bantam {

namespace {

using Json = nlohmann::json;

void add_document(std::string_view text, std::vector<std::string>& out) {
  const std::string_view trimmed = trim(text);
  if (!trimmed.empty()) out.emplace_back(trimmed);
}

// --- text ----------------------------------------------------------------------------------------

// Nothing if no line is the separator.
std::optional<std::vector<std::string>> split_at(std::string_view separator,
                                                 std::string_view text) {
  if (separator.empty() || text.find(separator) == std::string_view::npos) return {};
  std::vector<std::string> documents;
  std::string document;
  bool found = false;
  for_each_line(text, [&](std::string_view line) {
    if (trim(line) != separator) {
      document.append(line).append("\n");
      return;
    }
    found = true;
    add_document(document, documents);
    document.clear();
  });
  add_document(document, documents);
  if (!found) return {};
  return documents;
}

std::vector<std::string> cut_at_blank_lines(std::string_view text, size_t document_bytes) {
  std::vector<std::string> documents;
  std::string document;
  for_each_line(text, [&](std::string_view line) {
    const bool blank = trim(line).empty();
    if (document.size() >= (blank ? document_bytes : 2 * document_bytes)) {
      add_document(document, documents);
      document.clear();
    }
    if (!blank || !document.empty()) document.append(line).append("\n");
  });
  add_document(document, documents);
  return documents;
}

std::vector<std::string> text_documents(const SourceSpec& source, std::string_view raw) {
  if (source.document_bytes <= 0) {
    fail(ErrorKind::usage, source.path, "expected documents of at least 1 byte, got {}",
         source.document_bytes);
  }
  const std::string text = normalise(raw, source.normalisation);
  if (auto documents = split_at(source.separator, text)) return *documents;
  return cut_at_blank_lines(text, static_cast<size_t>(source.document_bytes));
}

// --- JSON lines ----------------------------------------------------------------------------------

// One record, with the place to name in errors.
struct Record {
  const SourceSpec& source;
  int64_t line;
  Json json;

  [[noreturn]] void reject(std::string_view expected, std::string_view got) const {
    fail(ErrorKind::format, source.path, "line {}: expected {}, got {}.", line, expected, got);
  }
  [[nodiscard]] const Json& field(const std::string& name) const {
    const auto found = json.find(name);
    if (found == json.end()) reject(fmt::format("a field \"{}\"", name), "none");
    return *found;
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    const Json& value = field(name);
    if (!value.is_string()) {
      reject(fmt::format("text in field \"{}\"", name), value.type_name());
    }
    return normalise(value.get_ref<const std::string&>(), source.normalisation);
  }
};

Record parse_record(const SourceSpec& source, int64_t line, std::string_view text) {
  Record record{source, line, Json::parse(text, nullptr, false)};
  if (record.json.is_discarded()) record.reject("a JSON object", "invalid JSON");
  if (!record.json.is_object()) record.reject("a JSON object", record.json.type_name());
  return record;
}

std::string_view inner_prompt(const SourceSpec& source, std::string_view prompt) {
  if (!source.prompt_after.empty()) {
    const size_t at = prompt.find(source.prompt_after);
    if (at != std::string_view::npos) prompt.remove_prefix(at + source.prompt_after.size());
  }
  if (!source.prompt_before.empty()) prompt = prompt.substr(0, prompt.rfind(source.prompt_before));
  return prompt;
}

std::vector<std::string> turns_of(const Record& record) {
  const Json& list = record.field(record.source.turns_field);
  if (!list.is_array()) record.reject("a list of turns", list.type_name());
  std::vector<std::string> turns;
  for (const Json& turn : list) {
    if (!turn.is_string()) record.reject("turns of text", turn.type_name());
    const std::string text =
        normalise(turn.get_ref<const std::string&>(), record.source.normalisation);
    turns.emplace_back(trim(text));
  }
  return turns;
}

std::string record_document(const Record& record) {
  const SourceSpec& source = record.source;
  switch (source.records) {
    case SourceSpec::Records::text:
      return record.text(source.text_field);
    case SourceSpec::Records::exchange: {
      const std::string prompt = record.text(source.prompt_field);
      const std::string response = record.text(source.response_field);
      return source.dialogue.render(
          {std::string(trim(inner_prompt(source, prompt))), std::string(trim(response))});
    }
    case SourceSpec::Records::turns:
    case SourceSpec::Records::pair:
      break;
  }
  return source.dialogue.render(turns_of(record));
}

std::vector<std::string> json_documents(const SourceSpec& source, std::string_view text) {
  std::vector<std::string> documents;
  int64_t number = 0;
  for_each_line(text, [&](std::string_view line) {
    ++number;
    if (trim(line).empty()) return;
    add_document(record_document(parse_record(source, number, line)), documents);
  });
  return documents;
}

}  // namespace

std::string DialogueFormat::render(const std::vector<std::string>& turns) const {
  std::string text;
  for (size_t i = 0; i < turns.size(); ++i) {
    const bool user = i % 2 == 0;
    text += user ? user_prefix : assistant_prefix;
    text += turns[i];
    text += user ? user_suffix : assistant_suffix;
  }
  return text;
}

std::vector<std::string> read_documents(const SourceSpec& source) {
  if (source.records == SourceSpec::Records::pair) {
    std::vector<std::string> documents;
    for (TextPair& pair : read_pairs(source)) {
      documents.push_back(std::move(pair.source));
      documents.push_back(std::move(pair.target));
    }
    return documents;
  }
  const std::string text = read_text_file(source.path);
  std::string_view name = source.path;
  if (name.ends_with(".zst")) name.remove_suffix(4);
  return name.ends_with(".jsonl") ? json_documents(source, text) : text_documents(source, text);
}

std::vector<TextPair> read_pairs(const SourceSpec& source) {
  std::vector<TextPair> pairs = read_pairs(source.path, source.pair_fields);
  for (TextPair& pair : pairs) {
    pair.source = source.source_prefix + normalise(pair.source, source.normalisation);
    pair.target = normalise(pair.target, source.normalisation);
  }
  return pairs;
}

bool is_held_out(std::string_view document, uint64_t every) {
  return every > 0 && hash_bytes(document) % every == 0;
}

}  // namespace bantam
