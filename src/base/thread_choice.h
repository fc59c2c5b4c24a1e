#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/cores.h"

namespace bantam {

// How many threads serve this machine best, found by timing and remembered in a file of the user's.
// Results do not depend on it, only speed. Nothing here happens by itself: the library uses
// default_thread_count() and reads no such file, the program asks for remembered_threads().
//
//   std::vector<ThreadTrial> trials = try_threads(thread_candidates(cores));
//   int best = choose_threads(trials, cores.default_threads());
//   remember_threads(best, thread_memory_path(), machine_key(cores));
struct ThreadTrial {
  int threads = 1;
  std::vector<double> seconds;  // of each round; those of one round were taken right after another
};

// Counts worth trying, smallest first: one, fast cores, all cores, all processors; none beyond what
// the quota keeps running.
std::vector<int> thread_candidates(const Cores& cores);

// Times a step like that of decoding, through a team of each size in turn: loops with a barrier
// after each, half of the time reading memory and half computing in the cache. Takes about half a
// second for each candidate.
std::vector<ThreadTrial> try_threads(std::span<const int> candidates, int rounds = 15);

// The standard count (the smallest, if it was not tried), unless another one is at least 5 % faster
// in three quarters of the rounds: neighbours on a shared machine disturb single rounds, and many
// threads more than few.
int choose_threads(std::span<const ThreadTrial> trials, int standard);

// What the answer depends on: program version, processor, cores, mask, quota, instruction sets.
std::string machine_key(const Cores& cores);

// $XDG_CACHE_HOME/bantam/threads or ~/.cache/bantam/threads; "" where neither variable is set.
std::string thread_memory_path();

// None if the file is missing, unreadable or about another machine.
std::optional<int> remembered_threads(const std::string& path, const std::string& key);
std::optional<int> remembered_threads();  // for this machine

// False if the file cannot be written; never throws for that.
bool remember_threads(int threads, const std::string& path, const std::string& key);

}  // namespace bantam
