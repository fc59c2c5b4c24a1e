// Ctrl-C while `bantam chat` replies.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <utility>

#include "program.h"

#ifdef BANTAM_PROGRAM

namespace bantam {
namespace {

// The program with a pipe to its input and one from its output.
class Talk {
 public:
  explicit Talk(const std::string& model) {
    std::array<int, 2> to{}, from{};
    if (pipe(to.data()) != 0 || pipe(from.data()) != 0) return;
    child_ = fork();
    if (child_ == 0) {
      dup2(to[0], STDIN_FILENO);
      dup2(from[1], STDOUT_FILENO);
      for (const int end : {to[0], to[1], from[0], from[1]}) close(end);
      execl(BANTAM_PROGRAM, "bantam", "--threads", "1", "chat", model.c_str(), "-n", "0", nullptr);
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    to_ = to[1];
    from_ = from[0];
  }
  ~Talk() {
    if (to_ >= 0) close(to_);
    close(from_);
  }
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;

  bool say(const std::string& line) const {
    return write(to_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  }
  // Some of what it prints; empty at the end.
  std::string hear() const {
    std::array<char, 4096> buffer{};
    const ssize_t n = read(from_, buffer.data(), buffer.size());
    return n > 0 ? std::string(buffer.data(), static_cast<size_t>(n)) : "";
  }
  void interrupt() const { kill(child_, SIGINT); }
  int end() {
    close(std::exchange(to_, -1));
    while (!hear().empty()) {
    }
    int status = 0;
    waitpid(child_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t child_ = -1;
  int to_ = -1, from_ = -1;
};

TEST(ChatInterrupt, StopsAReplyButNotTheProgram) {
  const std::string model =
      testing::TempDir() + "/bantam_chat_" + std::to_string(getpid()) + ".gguf";
  // Made-up weights talk until the context is full, which takes minutes.
  ASSERT_EQ(bantam("make-random --like stories15m --context 60000 -o '" + model + "'").code, 0);
  Talk talk(model);
  ASSERT_TRUE(talk.say("hello\n"));
  std::string reply;
  while (reply.find("word") == std::string::npos) {  // its vocabulary is word1, word2, ...
    const std::string more = talk.hear();
    ASSERT_FALSE(more.empty()) << reply;
    reply += more;
  }
  talk.interrupt();
  ASSERT_TRUE(talk.say("/quit\n"));
  EXPECT_EQ(talk.end(), 0);
  std::filesystem::remove(model);
}

}  // namespace
}  // namespace bantam

#endif
