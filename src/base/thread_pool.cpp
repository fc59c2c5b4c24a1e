#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/cores.h"

namespace bantam {

namespace {

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

// Waking a halted core takes milliseconds on virtual machines, so a team in use must not fall
// asleep between two loops: not over a serial step, nor while a token is sampled.
constexpr std::chrono::microseconds kSpin{2000};

std::atomic<bool> workers_are_bound{false};

// Polls `ready` for a short while; true if it came true.
template <typename Ready>
bool spin_until(bool may_spin, const Ready& ready) {
  if (ready()) return true;
  if (!may_spin) return false;
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      relax();
      if (ready()) return true;
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

// One word describes the current loop: its number, whether workers may still join, and how many
// have. The loop's other fields are written only while it is closed and nobody is in it, and read
// only by those who joined; so a worker that wakes late finds the loop closed and no one waits
// for it.
struct ThreadPool::Impl {
  static constexpr uint64_t kOpen = uint64_t{1} << 31;
  static constexpr uint64_t kJoined = kOpen - 1;
  static constexpr uint64_t kNextLoop = uint64_t{1} << 32;

  Impl(int threads, bool oversubscribe) {
    const Cores cores = find_cores();
    const int processors = cores.logical;
    size = threads > 0 ? threads : default_thread_count();
    const int team = oversubscribe ? size : std::min(size, processors);
    may_spin = team <= processors;
    const bool bound = workers_are_bound.load();
    for (int worker = 1; worker < team; ++worker) {
      const int place = cores.order[static_cast<size_t>(worker % processors)];
      workers.emplace_back([this, worker, bound, place] {
        if (bound) bind_thread(place);
        serve(worker);
      });
    }
  }

  ~Impl() {
    {
      std::lock_guard lock(mutex);
      stopping.store(true);
    }
    wake.notify_all();
    for (std::thread& thread : workers) thread.join();
  }

  void serve(int worker) {
    uint64_t seen = 0;  // the number of the last loop that this worker joined or missed
    for (;;) {
      const auto news = [&] {
        return state.load() / kNextLoop != seen || stopping.load(std::memory_order_relaxed);
      };
      if (!spin_until(may_spin, news)) {
        std::unique_lock lock(mutex);
        sleeping.fetch_add(1);
        wake.wait(lock, news);
        sleeping.fetch_sub(1);
      }
      if (stopping.load(std::memory_order_relaxed)) return;
      uint64_t now = state.load();
      while ((now & kOpen) && !state.compare_exchange_weak(now, now + 1)) {
      }
      seen = now / kNextLoop;
      if (!(now & kOpen)) continue;
      work(worker);
      const uint64_t left = state.fetch_sub(1) - 1;
      if (!(left & (kOpen | kJoined)) && caller_sleeps.load()) {
        std::lock_guard lock(mutex);
        done.notify_one();
      }
    }
  }

  void work(int worker) {
    for (;;) {
      const int64_t chunk = next.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= chunks) return;
      try {
        (*body)(chunk* grain, std::min(count, (chunk + 1) * grain), worker);
      } catch (...) {
        next.store(chunks, std::memory_order_relaxed);
        std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
      }
    }
  }

  void run(int64_t n, int64_t grain_size, const RangeBody& range_body) {
    count = n;
    grain = grain_size;
    chunks = (n + grain_size - 1) / grain_size;
    body = &range_body;
    error = nullptr;
    next.store(0, std::memory_order_relaxed);
    state.store((state.load() / kNextLoop + 1) * kNextLoop | kOpen);
    wake_workers();
    work(0);
    finish();
    if (error) std::rethrow_exception(error);
  }

  void wake_workers() {
    const int64_t asleep = sleeping.load();
    if (asleep == 0) return;
    { std::lock_guard lock(mutex); }  // whoever saw no news is now inside wait()
    if (chunks - 1 >= asleep) {
      wake.notify_all();
    } else {
      for (int64_t i = 1; i < chunks; ++i) wake.notify_one();
    }
  }

  void finish() {
    state.fetch_and(~kOpen);
    const auto idle = [&] { return (state.load() & kJoined) == 0; };
    if (spin_until(may_spin, idle)) return;
    std::unique_lock lock(mutex);
    caller_sleeps.store(true);
    done.wait(lock, idle);
    caller_sleeps.store(false);
  }

  int size = 1;
  bool may_spin = true;
  int64_t count = 0, grain = 1, chunks = 0;
  const RangeBody* body = nullptr;
  std::exception_ptr error;

  alignas(64) std::atomic<uint64_t> state{0};
  alignas(64) std::atomic<int64_t> next{0};
  alignas(64) std::atomic<int64_t> sleeping{0};
  std::atomic<bool> caller_sleeps{false}, stopping{false};
  std::mutex mutex;
  std::condition_variable wake, done;
  std::vector<std::thread> workers;
};

ThreadPool::ThreadPool(int threads, bool oversubscribe)
    : impl_(std::make_unique<Impl>(threads, oversubscribe)) {}
int ThreadPool::default_size() {
  return default_thread_count();
}

ThreadPool::~ThreadPool() = default;

int ThreadPool::size() const {
  return impl_->size;
}

int ThreadPool::team() const {
  return static_cast<int>(impl_->workers.size()) + 1;
}

void ThreadPool::bind_workers(bool bind) {
  workers_are_bound.store(bind);
}

void ThreadPool::parallel_for(int64_t count, int64_t grain, RangeBody body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  if (!impl_->workers.empty() && count > grain) {
    impl_->run(count, grain, body);
    return;
  }
  for (int64_t begin = 0; begin < count; begin += grain) {
    body(begin, std::min(count, begin + grain), 0);
  }
}

}  // namespace bantam
