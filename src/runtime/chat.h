#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/chat_format.h"
#include "runtime/session.h"

namespace bantam {

// A conversation: its messages, and a session that has read them. Only what differs from the last
// turn is read again, so a turn costs its own tokens and not the whole history.
//
//   Chat chat(engine);
//   chat.set_system("Answer briefly.");
//   chat.say("What is a bantam?", options, [](std::string_view piece) {
//     std::cout << piece << std::flush;
//     return true;  // false stops the reply; what was written of it stays in the history
//   });
//
// Owns one sequence of the engine. Not safe to use from two threads at once.
class Chat {
 public:
  explicit Chat(std::shared_ptr<Engine> engine, std::string_view template_name = "",
                int32_t sequence = 0);

  // Adds the user's message and the reply. If that fails (the context is full, the template refuses
  // the messages), the chat is as it was.
  GenerateResult say(std::string_view message, const GenerateOptions& options,
                     const Session::OnText& on_text = {});
  // Another reply to the last message of the user. Throws ErrorKind::usage if there is none.
  GenerateResult retry(const GenerateOptions& options, const Session::OnText& on_text = {});
  // Takes back the last message of the user and its reply; gives the message, "" if there is none.
  std::string undo();
  void clear();  // all but the system message

  void set_system(std::string_view text);  // "" removes it
  [[nodiscard]] std::string_view system() const;
  [[nodiscard]] const std::vector<ChatMessage>& messages() const { return messages_; }
  void set_messages(std::vector<ChatMessage> messages) { messages_ = std::move(messages); }

  [[nodiscard]] const ChatFormat& format() const { return format_; }
  [[nodiscard]] const Session& session() const { return session_; }

 private:
  GenerateResult reply(const GenerateOptions& options, const Session::OnText& on_text);

  std::shared_ptr<Engine> engine_;
  ChatFormat format_;
  Session session_;
  std::vector<ChatMessage> messages_;
};

// A chat as JSON, {"messages": [{"role": ..., "content": ...}]}, as other programs write it too.
std::string chat_to_json(const std::vector<ChatMessage>& messages);
// Takes a bare list as well. Throws ErrorKind::format with the message that is wrong.
std::vector<ChatMessage> chat_from_json(std::string_view text, std::string_view where);

}  // namespace bantam
