// Scratch memory, and the points of one block of rows and inputs with all that is evaluated there.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "basis.h"
#include "splines.h"

namespace kanbefair {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
template <class T>
using Buffer = std::unique_ptr<T[], Free>;

template <class T>
Buffer<T> buffer(std::int64_t count) {
  std::size_t bytes = (count * sizeof(T) / 64 + 2) * 64;
  void* p = std::aligned_alloc(64, bytes);
  if (!p) throw std::bad_alloc();
  return Buffer<T>((T*)p);
}

template <class T>
Buffer<T> zeros(std::int64_t count) {
  Buffer<T> made = buffer<T>(count);
  std::memset((void*)made.get(), 0, count * sizeof(T));
  return made;
}

// Points of one block: coordinates, and all that is evaluated there.
template <class T>
struct Block {
  Buffer<T> x, storage;
  Buffer<std::uint8_t> interval;
  Points<T> points;
  Block(std::int64_t count, const Shape& s, bool slopes) {
    count = (count + 63) / 64 * 64;
    points.plane = count + 16;
    x = zeros<T>(count);
    const int planes = s.order + 2;
    storage = buffer<T>(points.plane * planes * (slopes ? 2 : 1));
    interval = buffer<std::uint8_t>(count);
    points.interval = interval.get();
    points.value = storage.get();
    points.shortcut = s.shortcut ? points.value + points.plane * (planes - 1) : nullptr;
    points.slope = slopes ? points.value + points.plane * planes : nullptr;
    points.shortcut_slope = s.shortcut && slopes ? points.slope + points.plane * (planes - 1) : nullptr;
  }
  void evaluate(std::int64_t count, const Shape& s, T low, T high) {
    const T steps = (T(1) / (high - low)) * T(s.grid);
    static constexpr decltype(&evaluate_basis<T, 1>) by_order[] = {
        evaluate_basis<T, 1>, evaluate_basis<T, 2>, evaluate_basis<T, 3>, evaluate_basis<T, 4>, evaluate_basis<T, 5>};
    by_order[s.order - 1](count, x.get(), low, steps, s.grid, points);
    if (s.shortcut == SILU) evaluate_silu(count, x.get(), points);
    if (s.shortcut == IDENTITY) evaluate_identity(count, x.get(), points);
  }
};

// x (rows, columns of `stride`) to a block numbered row * inputs + input, filled up with zeros to whole registers
template <class T>
std::int64_t gather_rows(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t inputs, T* to) {
  for (std::int64_t b = 0; b < rows; ++b)
    for (std::int64_t i = 0; i < inputs; ++i) to[b * inputs + i] = x[b * stride + i];
  return rows * inputs;
}

constexpr std::int64_t ROWS_FORWARD = 64;
constexpr std::int64_t ROWS_SUMMED = 128;  // gradients are summed over so many rows, then over these sums

// Rows of `width` values, their starts apart by strides
template <class T>
void copy_rows(const T* from, std::int64_t from_stride, std::int64_t rows, std::int64_t width, T* to,
               std::int64_t to_stride) {
  auto copy = [&](auto bytes) {
    for (std::int64_t b = 0; b < rows; ++b) std::memcpy(to + b * to_stride, from + b * from_stride, bytes);
  };
  switch (width * sizeof(T)) {
    case 8: return copy(std::integral_constant<std::size_t, 8>());
    case 16: return copy(std::integral_constant<std::size_t, 16>());
    case 32: return copy(std::integral_constant<std::size_t, 32>());
    case 64: return copy(std::integral_constant<std::size_t, 64>());
    case 256: return copy(std::integral_constant<std::size_t, 256>());
  }
  copy(width * sizeof(T));
}

// (rows, columns) to (columns, rows), their starts apart by strides
template <class T>
void transpose(const T* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, T* to,
               std::int64_t to_stride) {
  for (std::int64_t b = 0; b < rows; ++b)
    for (std::int64_t i = 0; i < columns; ++i) to[i * to_stride + b] = from[b * from_stride + i];
}

// The sum of all rows, in two levels so that rounding errors stay small
template <class T>
void sum_rows(const T* from, std::int64_t rows, std::int64_t outputs, T* to) {
  constexpr std::int64_t FEW = 32;
  Buffer<T> part = zeros<T>(outputs);
  std::fill(to, to + outputs, T(0));
  for (std::int64_t b = 0; b < rows; ++b) {
    for (std::int64_t o = 0; o < outputs; ++o) part[o] += from[b * outputs + o];
    if (b % FEW == FEW - 1 || b == rows - 1)
      for (std::int64_t o = 0; o < outputs; ++o) {
        to[o] += part[o];
        part[o] = 0;
      }
  }
}

}  // namespace kanbefair
