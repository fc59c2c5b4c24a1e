#pragma once

#include <string>
#include <vector>

namespace bantam {

// The processors that this process may use.
struct Cores {
  int logical = 1;         // in its affinity mask
  int physical = 1;        // those that share a core counted once
  int fast = 1;            // of these, without ones of less than half the largest one's capacity
  double quota = 0;        // processors' worth of time that its control group grants; 0: no limit
  std::vector<int> mask;   // the processors themselves
  std::vector<int> order;  // as threads are best bound: one of each core, the fastest first, then
                           // those that share a core with them

  // One thread for each fast core, but no more than the quota keeps running.
  [[nodiscard]] int default_threads() const;
};

// `root` stands before /sys and /proc; `mask`: the processors to look at, all that this process may
// run on if empty. What a system does not tell counts as not limited.
Cores find_cores(const std::string& root = "", std::vector<int> mask = {});

// BANTAM_THREADS, or what the cores of this machine suggest. Throws ErrorKind::usage if the
// variable holds no number from 1 to 1024.
int default_thread_count();

// Binds this thread to a processor; whether its mask reads back so and it moved there.
bool bind_thread(int processor);

// Whether threads run where their affinity mask says: one thread is bound to each of two processors
// of this process in turn. Some sandboxes accept masks and ignore them. True where a system has
// none.
bool masks_are_kept();

}  // namespace bantam
