#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/model.h"
#include "text/templates/template.h"

namespace bantam {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;
  bool operator==(const ChatMessage&) const = default;
};

// How a model wants chats to be written: its template, and the tokens that end a reply.
//
//   ChatFormat format(model);
//   std::vector<int32_t> prompt = format.encode({{{"user", "Hello"}}}, true);
//
// A model without a template gets a plain transcript ("User: ... Assistant: ..."); own() tells.
class ChatFormat {
 public:
  // `name` picks one of several templates (tokenizer.chat_template.NAME). Throws ErrorKind::model
  // if the model has no tokenizer or no such template, ErrorKind::format if it is no template.
  explicit ChatFormat(std::shared_ptr<const Model> model, std::string_view name = "");

  [[nodiscard]] bool own() const { return own_; }
  // With `reply_follows` the text ends where the assistant begins to write. Throws what
  // Template::render throws: ErrorKind::usage where the template refuses the messages.
  [[nodiscard]] std::string render(std::span<const ChatMessage> messages, bool reply_follows) const;
  // The same as tokens: exactly one BOS if the model wants one, whether or not the template writes
  // it, and no EOS of the tokenizer's own.
  [[nodiscard]] std::vector<int32_t> encode(std::span<const ChatMessage> messages,
                                            bool reply_follows) const;

  // Each of these ends a reply: EOS, the file's end-of-turn and end-of-message tokens, those of
  // well-known names, and the one that the template puts behind a reply.
  [[nodiscard]] const std::vector<int32_t>& end_tokens() const { return end_tokens_; }
  // The token that stands behind a reply in a test chat. None: a model that learnt from this
  // template never learnt to stop.
  [[nodiscard]] std::optional<int32_t> end_of_turn() const { return end_of_turn_; }
  // Strings that end a reply, for the plain transcript.
  [[nodiscard]] const std::vector<std::string>& stops() const { return stops_; }

 private:
  [[nodiscard]] std::string spelled(int32_t token) const;
  void find_end_tokens();
  [[nodiscard]] std::optional<int32_t> token_behind_reply() const;

  std::shared_ptr<const Model> model_;
  bool own_;
  Template template_;
  std::vector<int32_t> end_tokens_;
  std::optional<int32_t> end_of_turn_;
  std::vector<std::string> stops_;
};

}  // namespace bantam
