#include "runtime/chat.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/unicode.h"

namespace bantam {

using Json = nlohmann::ordered_json;

Chat::Chat(std::shared_ptr<Engine> engine, std::string_view template_name, int32_t sequence)
    : engine_(std::move(engine)),
      format_(engine_->shared_model(), template_name),
      session_(engine_, sequence) {
  expect_no_source(engine_->model());
}

GenerateResult Chat::reply(const GenerateOptions& options, const Session::OnText& on_text) {
  GenerateOptions all = options;
  const std::vector<int32_t>& ends = format_.end_tokens();
  all.end_tokens.insert(all.end_tokens.end(), ends.begin(), ends.end());
  const std::vector<std::string>& stops = format_.stops();
  all.stop.insert(all.stop.end(), stops.begin(), stops.end());

  const std::vector<int32_t> ids = format_.encode(messages_, true);
  if (static_cast<int64_t>(ids.size()) >= session_.context()) {
    fail(ErrorKind::usage, "chat",
         "expected a chat that leaves room for a reply in the context of {} tokens, got {} tokens",
         session_.context(), ids.size());
  }
  const std::vector<int32_t>& known = session_.tokens();
  const auto split = std::mismatch(ids.begin(), ids.end(), known.begin(), known.end()).first;
  // The logits of the last token are needed even if it is known.
  const auto same = std::min<int64_t>(split - ids.begin(), static_cast<int64_t>(ids.size()) - 1);
  session_.rewind(std::max<int64_t>(same, 0));
  GenerateResult result = session_.generate(
      std::span(ids).subspan(static_cast<size_t>(std::max<int64_t>(same, 0))), all, on_text);
  messages_.push_back({"assistant", result.text});
  return result;
}

GenerateResult Chat::say(std::string_view message, const GenerateOptions& options,
                         const Session::OnText& on_text) {
  const size_t before = messages_.size();
  messages_.push_back({"user", to_valid_utf8(message)});
  try {
    return reply(options, on_text);
  } catch (...) {
    messages_.resize(before);
    throw;
  }
}

GenerateResult Chat::retry(const GenerateOptions& options, const Session::OnText& on_text) {
  const std::vector<ChatMessage> before = messages_;
  while (!messages_.empty() && messages_.back().role == "assistant") messages_.pop_back();
  if (messages_.empty() || messages_.back().role != "user") {
    messages_ = before;
    fail(ErrorKind::usage, "chat", "expected a message to answer again, got none");
  }
  try {
    return reply(options, on_text);
  } catch (...) {
    messages_ = before;
    throw;
  }
}

std::string Chat::undo() {
  while (!messages_.empty() && messages_.back().role == "assistant") messages_.pop_back();
  if (messages_.empty() || messages_.back().role != "user") return "";
  std::string message = std::move(messages_.back().content);
  messages_.pop_back();
  return message;
}

void Chat::clear() {
  std::erase_if(messages_, [](const ChatMessage& m) { return m.role != "system"; });
}

void Chat::set_system(std::string_view text) {
  std::erase_if(messages_, [](const ChatMessage& m) { return m.role == "system"; });
  if (!text.empty()) messages_.insert(messages_.begin(), {"system", to_valid_utf8(text)});
}

std::string_view Chat::system() const {
  return !messages_.empty() && messages_.front().role == "system" ? messages_.front().content
                                                                  : std::string_view();
}

std::string chat_to_json(const std::vector<ChatMessage>& messages) {
  Json list = Json::array();
  for (const ChatMessage& m : messages) list.push_back({{"role", m.role}, {"content", m.content}});
  return Json{{"messages", std::move(list)}}.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::vector<ChatMessage> chat_from_json(std::string_view text, std::string_view where) {
  const Json json = Json::parse(text, nullptr, false);
  const Json* list = &json;
  if (json.is_object() && json.contains("messages")) list = &json["messages"];
  if (json.is_discarded() || !list->is_array()) {
    fail(ErrorKind::format, where, "expected a JSON list of messages, got something else");
  }
  std::vector<ChatMessage> messages;
  for (const Json& m : *list) {
    const auto is_text = [&](const char* key) { return m.contains(key) && m[key].is_string(); };
    if (!m.is_object() || !is_text("role") || !is_text("content")) {
      fail(ErrorKind::format, where, "message {}: expected a \"role\" and a \"content\" of text",
           messages.size() + 1);
    }
    messages.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
  }
  return messages;
}

}  // namespace bantam
