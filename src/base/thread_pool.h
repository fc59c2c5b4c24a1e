#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace bantam {

// A borrowed callable `void(int64_t begin, int64_t end, int worker)`: two words, no allocation.
class RangeBody {
 public:
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, RangeBody>)
  RangeBody(F&& f)  // NOLINT(google-explicit-constructor,bugprone-forwarding-reference-overload)
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* object, int64_t begin, int64_t end, int worker) {
          (*static_cast<std::remove_reference_t<F>*>(object))(begin, end, worker);
        }) {}
  void operator()(int64_t begin, int64_t end, int worker) const {
    call_(object_, begin, end, worker);
  }

 private:
  void* object_;
  void (*call_)(void*, int64_t, int64_t, int);
};

// A fixed team of threads that runs one parallel loop at a time. Workers spin briefly for the next
// loop and then sleep. Chunks are claimed dynamically, so that big and little cores stay busy; what
// is computed for an index must not depend on which worker or chunk it falls into.
//
// Not reentrant: a body must not call parallel_for on the same pool. One caller at a time.
class ThreadPool {
 public:
  // `threads` counts the caller; 0 means as many as base/cores.h suggests for this process. More
  // threads than processors would only wait for each other: unless `oversubscribe` asks for them,
  // the team is no larger, and works as the larger one would.
  explicit ThreadPool(int threads = 0, bool oversubscribe = false);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] int size() const;
  // Those that there are, the caller among them: what work is best cut for.
  [[nodiscard]] int team() const;
  // What 0 threads means here.
  static int default_size();

  // From now on, each worker of a new team stays on a processor of its own, in the order of
  // base/cores.h, where the system keeps masks (masks_are_kept). The caller may go where no worker
  // is: it is not bound, since threads that it starts would inherit its mask.
  static void bind_workers(bool bind = true);

  // Calls body(begin, end, worker) over disjoint ranges that cover [0, count), each at most `grain`
  // long and starting at a multiple of `grain`; 0 <= worker < size(). Returns when all are done.
  void parallel_for(int64_t count, int64_t grain, RangeBody body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bantam
