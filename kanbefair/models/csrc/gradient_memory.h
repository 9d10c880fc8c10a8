// Memory of gradients, kept from step to step: fresh pages cost as much time as filling them.
#pragma once
#include <ATen/ATen.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

namespace kanbefair {

constexpr std::size_t SMALL = 1 << 20, MOST_KEPT = 256 << 20, HUGE_PAGE = 2 << 20;  // bytes

struct Kept {
  std::mutex lock;
  std::multimap<std::size_t, void*> free;
  std::size_t bytes = 0;

  void* take(std::size_t size) {
    {
      std::lock_guard<std::mutex> guard(lock);
      if (const auto found = free.find(size); found != free.end()) {
        void* p = found->second;
        free.erase(found);
        bytes -= size;
        return p;
      }
    }
    void* p = std::aligned_alloc(HUGE_PAGE, size);
    if (!p) throw std::bad_alloc();
#if defined(__linux__)
    madvise(p, size, MADV_HUGEPAGE);
#endif
    return p;
  }

  void give_back(void* p, std::size_t size) {
    std::lock_guard<std::mutex> guard(lock);
    if (bytes + size > MOST_KEPT) {
      for (const auto& [_, other] : free) std::free(other);
      free.clear();
      bytes = 0;
    }
    if (size > MOST_KEPT) return std::free(p);
    free.emplace(size, p);
    bytes += size;
  }
};

// An uninitialised tensor like `t`
inline at::Tensor gradient_like(const at::Tensor& t) {
  static Kept* const kept = new Kept;  // never destroyed, as tensors may outlive it
  if (t.nbytes() < SMALL) return at::empty_like(t);
  const std::size_t size = (t.nbytes() + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  return at::from_blob(kept->take(size), t.sizes(), [size](void* p) { kept->give_back(p, size); }, t.options());
}

}  // namespace kanbefair
