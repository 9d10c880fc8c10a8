// The inner loops of the KAN layer row by row, for one run and one block of inputs; outputs fit into one register.
//
// Weights and their gradients lie in tables: per input `table_rows` rows of one register. Rows K ... K+G+K-1 are the bases, K
// rows of zeros before and behind them stand for bases that do not exist, so that interval m always uses rows m ... m+K;
// the last row belongs to the shortcut.
#pragma once
#include "basis.h"
#include "splines.h"

namespace kanbefair {

inline int table_rows(const Shape& s) { return s.grid + 3 * s.order + 1; }

template <class T>
struct Tile {
  Points<T> points;
  std::int64_t rows, inputs;  // of this block
  int table_rows;
  const T* weight = nullptr;  // (inputs, table_rows, width)
  T* y = nullptr;             // (rows, width)
  const T* gy = nullptr;      // (rows, width)
  T* gweight = nullptr;       // like weight
  T* gx = nullptr;            // (points), null if not wanted
};

// y += W[x]. Points are numbered row * inputs + input.
template <class T, int BYTES, int K>
void forward_tile(const Tile<T>& tile) {
  using V = vector_of<T, BYTES>;
  constexpr int WIDTH = BYTES / sizeof(T);
  const Points<T> points = tile.points;
  const std::int64_t stride = (std::int64_t)tile.table_rows * WIDTH;
  std::int64_t e = 0;
  for (std::int64_t b = 0; b < tile.rows; ++b) {
    V* y = (V*)(tile.y + b * WIDTH);
    V sum[K + 1] = {};
    const T* table = tile.weight;
    for (std::int64_t i = 0; i < tile.inputs; ++i, ++e, table += stride) {
      const V* weight = (const V*)(table + (int)points.interval[e] * WIDTH);
#pragma GCC unroll 8
      for (int r = 0; r <= K; ++r)
        sum[r] = multiply_add<T, BYTES>(fill<T, BYTES>(points.value[r * points.plane + e]), weight[r], sum[r]);
      if (points.shortcut)
        sum[0] = multiply_add<T, BYTES>(fill<T, BYTES>(points.shortcut[e]), *(const V*)(table + stride - WIDTH), sum[0]);
    }
#pragma GCC unroll 8
    for (int r = 1; r <= K; ++r) sum[0] += sum[r];
    *y += sum[0];
  }
}

// The derivative of the layer along x, times gy: sum over outputs of gy * (slope . W + shortcut' * base).
template <class T, int BYTES, int NV, int K>
inline T along_x(const Points<T>& points, std::int64_t e, const vector_of<T, BYTES>* weight,
                 const vector_of<T, BYTES>* base, const vector_of<T, BYTES>* gy) {
  using V = vector_of<T, BYTES>;
  V slope = fill<T, BYTES>(points.slope[e]), along[NV];
#pragma GCC unroll 8
  for (int n = 0; n < NV; ++n) along[n] = slope * weight[n];
#pragma GCC unroll 8
  for (int r = 1; r <= K; ++r) {
    slope = fill<T, BYTES>(points.slope[r * points.plane + e]);
#pragma GCC unroll 8
    for (int n = 0; n < NV; ++n) along[n] = multiply_add<T, BYTES>(slope, weight[r * NV + n], along[n]);
  }
  if (points.shortcut) {
    slope = fill<T, BYTES>(points.shortcut_slope[e]);
#pragma GCC unroll 8
    for (int n = 0; n < NV; ++n) along[n] = multiply_add<T, BYTES>(slope, base[n], along[n]);
  }
  V sum = along[0] * gy[0];
#pragma GCC unroll 8
  for (int n = 1; n < NV; ++n) sum = multiply_add<T, BYTES>(along[n], gy[n], sum);
  return sum_lanes<T, BYTES>(sum);
}

// gW[x] += gy. Points are numbered row * inputs + input.
template <class T, int BYTES, int K, bool GX>
void backward_tile(const Tile<T>& tile) {
  using V = vector_of<T, BYTES>;
  constexpr int WIDTH = BYTES / sizeof(T);
  const Points<T> points = tile.points;
  const std::int64_t stride = (std::int64_t)tile.table_rows * WIDTH;
  std::int64_t e = 0;
  for (std::int64_t b = 0; b < tile.rows; ++b) {
    const V gy = *(const V*)(tile.gy + b * WIDTH);
    std::int64_t table = 0;
    for (std::int64_t i = 0; i < tile.inputs; ++i, ++e, table += stride) {
      const std::int64_t first = table + (int)points.interval[e] * WIDTH, last = table + stride - WIDTH;
      V* gweight = (V*)(tile.gweight + first);
#pragma GCC unroll 8
      for (int r = 0; r <= K; ++r)
        gweight[r] = multiply_add<T, BYTES>(fill<T, BYTES>(points.value[r * points.plane + e]), gy, gweight[r]);
      if (points.shortcut) {
        V* gbase = (V*)(tile.gweight + last);
        *gbase = multiply_add<T, BYTES>(fill<T, BYTES>(points.shortcut[e]), gy, *gbase);
      }
      if constexpr (GX)
        tile.gx[e] += along_x<T, BYTES, 1, K>(
            points, e, (const V*)(tile.weight + first), (const V*)(tile.weight + last), &gy);
    }
  }
}

}  // namespace kanbefair
