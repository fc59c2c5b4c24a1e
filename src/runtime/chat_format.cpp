#include "runtime/chat_format.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace bantam {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kKey = "tokenizer.chat_template";

constexpr std::string_view kPlain =
    "{% for m in messages %}"
    "{% if m.role == 'system' %}{{ m.content }}\n\n"
    "{% else %}{{ 'User: ' if m.role == 'user' else 'Assistant:' }}{{ m.content }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}";

// How published models call their ends of turns.
constexpr std::array<std::string_view, 16> kEnds = {
    "<|im_end|>",      "<|eot_id|>",      "<|eom_id|>",
    "<end_of_turn>",   "<|end|>",         "<|endoftext|>",
    "<|end_of_text|>", "<|end_of_turn|>", "<|END_OF_TURN_TOKEN|>",
    "[|endofturn|]",   "<|return|>",      "<|call|>",
    "<|eot|>",         "<|EOT|>",         "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
    "<turn|>"};

const std::string* text_of(const Model& model, std::string_view key) {
  for (const auto& [name, value] : model.metadata) {
    if (name != key) continue;
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) {
      fail(ErrorKind::format, model.name, "{}: expected string, got {}", key,
           gguf_type_name(value));
    }
    return text;
  }
  return nullptr;
}

std::string key_of(std::string_view name) {
  return name.empty() ? std::string(kKey) : fmt::format("{}.{}", kKey, name);
}

std::optional<int64_t> integer_of(const Model& model, std::string_view key) {
  for (const auto& [name, value] : model.metadata) {
    if (name != key) continue;
    return std::visit(
        [](const auto& v) -> std::optional<int64_t> {
          if constexpr (std::is_integral_v<std::decay_t<decltype(v)>>) {
            return static_cast<int64_t>(v);
          } else {
            return {};
          }
        },
        value);
  }
  return {};
}

// The model's template of that name; null where the plain transcript stands in.
const std::string* find_template(const Model& model, std::string_view name) {
  if (model.tokenizer == nullptr) fail_without_tokenizer(model);
  const std::string* found = text_of(model, key_of(name));
  if (found == nullptr && !name.empty()) {
    fail(ErrorKind::model, model.name, "expected a chat template \"{}\" ({}), got none", name,
         key_of(name));
  }
  return found;
}

bool is_special(const Tokenizer& tokenizer, int32_t id) {
  const TokenType type = tokenizer.type(id);
  return id == tokenizer.eos() || type == TokenType::control || type == TokenType::user_defined;
}

}  // namespace

ChatFormat::ChatFormat(std::shared_ptr<const Model> model, std::string_view name)
    : model_(std::move(model)),
      own_(find_template(*model_, name) != nullptr),
      template_(own_ ? std::string_view(*find_template(*model_, name)) : kPlain,
                fmt::format("{}: {}", model_->name, key_of(name))) {
  if (!own_) stops_ = {"\nUser:"};
  find_end_tokens();
}

std::string ChatFormat::spelled(int32_t token) const {
  return token < 0 ? "" : std::string(model_->tokenizer->spec().tokens[static_cast<size_t>(token)]);
}

std::string ChatFormat::render(std::span<const ChatMessage> messages, bool reply_follows) const {
  Json list = Json::array();
  for (const ChatMessage& m : messages) list.push_back({{"role", m.role}, {"content", m.content}});
  return template_
      .render({{"messages", std::move(list)},
               {"add_generation_prompt", reply_follows},
               {"bos_token", spelled(model_->tokenizer->bos())},
               {"eos_token", spelled(model_->tokenizer->eos())}})
      .text;
}

std::vector<int32_t> ChatFormat::encode(std::span<const ChatMessage> messages,
                                        bool reply_follows) const {
  const Tokenizer& tokenizer = *model_->tokenizer;
  EncodeOptions options;
  options.special = false;
  std::vector<int32_t> ids = tokenizer.encode(render(messages, reply_follows), options);
  const int32_t bos = tokenizer.bos();
  const bool wants = tokenizer.spec().add_bos && bos >= 0;
  if (wants && (ids.empty() || ids.front() != bos)) ids.insert(ids.begin(), bos);
  return ids;
}

void ChatFormat::find_end_tokens() {
  const Tokenizer& tokenizer = *model_->tokenizer;
  const auto add = [&](int64_t id) {
    const bool known = std::find(end_tokens_.begin(), end_tokens_.end(), id) != end_tokens_.end();
    if (id >= 0 && id < tokenizer.vocab_size() && !known) {
      end_tokens_.push_back(static_cast<int32_t>(id));
    }
  };
  add(tokenizer.eos());
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    add(integer_of(*model_, key).value_or(-1));
  }
  // Where a reply has several parts, <|end|> closes one of them only.
  const bool in_parts = tokenizer.find("<|return|>").has_value();
  for (const std::string_view name : kEnds) {
    const std::optional<int32_t> id = tokenizer.find(name);
    if (id && is_special(tokenizer, *id) && !(in_parts && name == "<|end|>")) add(*id);
  }
  end_of_turn_ = token_behind_reply();
  if (own_ && !in_parts && end_of_turn_) add(*end_of_turn_);
}

std::optional<int32_t> ChatFormat::token_behind_reply() const {
  static constexpr std::string_view kReply = "Certainly.";
  std::string text;
  try {
    text = render(std::vector<ChatMessage>{{"user", "Hello"}, {"assistant", std::string(kReply)}},
                  false);
  } catch (const Error&) {
    return {};  // the first real chat shows the error
  }
  const size_t at = text.rfind(kReply);
  if (at == std::string::npos) return {};
  const size_t rest = text.find_first_not_of(" \n", at + kReply.size());
  if (rest == std::string::npos) return {};
  EncodeOptions options;
  options.special = false;
  for (const int32_t id : model_->tokenizer->encode(text.substr(rest), options)) {
    return is_special(*model_->tokenizer, id) ? std::optional(id) : std::nullopt;
  }
  return {};
}

}  // namespace bantam
