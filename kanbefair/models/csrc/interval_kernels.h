// The inner loops of the KAN layer interval by interval: the K+1 rows of coefficients (or of their gradient) that an
// interval touches stay in registers while all points in it are worked off, and move up by one row from interval to
// interval, so that every coefficient is read, and every gradient written, once a block of rows.
//
// What is added to one output, and in which order, is the same whatever the tile's width and the columns beside it.
#pragma once
#include "row_kernels.h"

namespace kanbefair {

// `columns` neighbouring outputs of one layer, or all outputs of some runs that share their points.
template <class T>
struct IntervalTile {
  Points<T> points;  // numbered input * stride + row, from the block's first row
  const std::uint8_t *order, *starts;  // per input: the block's rows by interval; where each interval starts there
  std::int64_t stride, starts_stride;
  std::int64_t rows, inputs;
  int intervals, bases, columns;
  const T *coefficients, *scale, *base;  // (inputs, bases, row_stride); (inputs, edge_stride)
  T *gcoefficients, *gscale, *gbase;
  std::int64_t row_stride, edge_stride;
  T* part;         // (rows, width), added to
  const T* gy;     // (rows, width)
  const T* table;  // (inputs, K + bases + K + 1, width): scaled coefficients between zeros, then base; for gx only
  T* gx;           // (points), added to
  bool first, last;  // block of rows
};

// Row numbers sorted by interval, and for each interval (and the end) where it starts.
inline void sort_rows(const std::uint8_t* interval, std::int64_t rows, int intervals, std::uint8_t* order,
                      std::uint8_t* starts) {
#if defined(__AVX512VBMI2__)
  alignas(64) std::uint8_t numbers[64];
  for (int b = 0; b < 64; ++b) numbers[b] = b;
  const __m512i low = _mm512_load_si512(numbers), high = _mm512_add_epi8(low, _mm512_set1_epi8(64));
  const std::uint64_t low_rows = rows < 64 ? (1ull << rows) - 1 : ~0ull;
  const std::uint64_t high_rows = rows <= 64 ? 0 : rows < 128 ? (1ull << (rows - 64)) - 1 : ~0ull;
  int at = 0;
  for (int m = 0; m < intervals; ++m) {
    starts[m] = at;
    const std::uint64_t members = equal_bytes(interval, m) & low_rows;
    _mm512_storeu_si512(order + at, _mm512_maskz_compress_epi8(members, low));
    at += __builtin_popcountll(members);
    if (high_rows) {
      const std::uint64_t more = equal_bytes(interval + 64, m) & high_rows;
      _mm512_storeu_si512(order + at, _mm512_maskz_compress_epi8(more, high));
      at += __builtin_popcountll(more);
    }
  }
  starts[intervals] = at;
#else
  int count[256] = {};
  for (std::int64_t b = 0; b < rows; ++b) ++count[interval[b]];
  int at = 0;
  for (int m = 0; m < intervals; ++m) {
    starts[m] = at;
    at += count[m];
    count[m] = starts[m];
  }
  starts[intervals] = at;
  for (std::int64_t b = 0; b < rows; ++b) order[count[interval[b]]++] = b;
#endif
}

template <class T, int NV>
inline void load_columns(const T* from, int columns, vector_of<T, REGISTER_BYTES>* to) {
#pragma GCC unroll 8
  for (int n = 0; n < NV; ++n) to[n] = load_some<T>(from + n * LANES<T>, columns - n * LANES<T>);
}
template <class T, int NV>
inline void store_columns(const vector_of<T, REGISTER_BYTES>* from, int columns, T* to) {
#pragma GCC unroll 8
  for (int n = 0; n < NV; ++n) store_some<T>(from[n], columns - n * LANES<T>, to + n * LANES<T>);
}

// part += W[x]
template <class T, int NV, int K>
void forward_intervals(const IntervalTile<T>& given) {
  constexpr int BYTES = REGISTER_BYTES;
  using V = vector_of<T, BYTES>;
  const IntervalTile<T> tile = given;  // of its own, so that no store can change it
  const Points<T> points = tile.points;
  for (std::int64_t i = 0; i < tile.inputs; ++i) {
    const std::uint8_t *order = tile.order + i * tile.stride, *starts = tile.starts + i * tile.starts_stride;
    const T *c = tile.coefficients + i * tile.bases * tile.row_stride, *value = points.value + i * tile.stride;
    const T* shortcut = points.shortcut + i * tile.stride;
    V w[K + 1][NV] = {}, scale[NV], base[NV] = {};
    load_columns<T, NV>(tile.scale + i * tile.edge_stride, tile.columns, scale);
    if (points.shortcut) load_columns<T, NV>(tile.base + i * tile.edge_stride, tile.columns, base);
    for (int m = 0; m < tile.intervals; ++m) {
#pragma GCC unroll 8
      for (int r = 0; r < K; ++r)
#pragma GCC unroll 8
        for (int n = 0; n < NV; ++n) w[r][n] = w[r + 1][n];
      if (m < tile.bases) load_columns<T, NV>(c + m * tile.row_stride, tile.columns, w[K]);
#pragma GCC unroll 8
      for (int n = 0; n < NV; ++n) w[K][n] = m < tile.bases ? w[K][n] * scale[n] : V{};
      for (int k = starts[m]; k < starts[m + 1]; ++k) {
        const int b = order[k];
        V *y = (V*)tile.part + b * NV, sum[NV];
#pragma GCC unroll 8
        for (int n = 0; n < NV; ++n) sum[n] = y[n];
#pragma GCC unroll 8
        for (int r = 0; r <= K; ++r) {
          V at = fill<T, BYTES>(value[r * points.plane + b]);
#pragma GCC unroll 8
          for (int n = 0; n < NV; ++n) sum[n] = multiply_add<T, BYTES>(at, w[r][n], sum[n]);
        }
        if (points.shortcut) {
          V at = fill<T, BYTES>(shortcut[b]);
#pragma GCC unroll 8
          for (int n = 0; n < NV; ++n) sum[n] = multiply_add<T, BYTES>(at, base[n], sum[n]);
        }
#pragma GCC unroll 8
        for (int n = 0; n < NV; ++n) y[n] = sum[n];
      }
    }
  }
}

// The gradients of base: rows in four sums, so that additions need not wait for each other
template <class T, int NV>
void backward_base(const IntervalTile<T>& tile, std::int64_t i) {
  constexpr int BYTES = REGISTER_BYTES, CHAINS = 4;
  using V = vector_of<T, BYTES>;
  const T* shortcut = tile.points.shortcut + i * tile.stride;
  V sum[CHAINS][NV] = {};
  std::int64_t b = 0;
  for (; b + CHAINS <= tile.rows; b += CHAINS)
#pragma GCC unroll 8
    for (int k = 0; k < CHAINS; ++k) {
      V at = fill<T, BYTES>(shortcut[b + k]);
#pragma GCC unroll 8
      for (int n = 0; n < NV; ++n)
        sum[k][n] = multiply_add<T, BYTES>(at, ((const V*)tile.gy)[(b + k) * NV + n], sum[k][n]);
    }
  for (; b < tile.rows; ++b)
#pragma GCC unroll 8
    for (int n = 0; n < NV; ++n)
      sum[0][n] = multiply_add<T, BYTES>(fill<T, BYTES>(shortcut[b]), ((const V*)tile.gy)[b * NV + n], sum[0][n]);
  T* to = tile.gbase + i * tile.edge_stride;
  V before[NV] = {};
  if (!tile.first) load_columns<T, NV>(to, tile.columns, before);
#pragma GCC unroll 8
  for (int n = 0; n < NV; ++n) before[n] += (sum[0][n] + sum[1][n]) + (sum[2][n] + sum[3][n]);
  store_columns<T, NV>(before, tile.columns, to);
}

// The gradients of c, scale and base, and of the points. The gradient of c is that of scale * c until the last block.
template <class T, int NV, int K, bool GX>
void backward_intervals(const IntervalTile<T>& given) {
  constexpr int BYTES = REGISTER_BYTES, WIDTH = NV * LANES<T>;
  using V = vector_of<T, BYTES>;
  const IntervalTile<T> tile = given;
  const Points<T> points = tile.points;
  for (std::int64_t i = 0; i < tile.inputs; ++i) {
    const std::uint8_t *order = tile.order + i * tile.stride, *starts = tile.starts + i * tile.starts_stride;
    const T *c = tile.coefficients + i * tile.bases * tile.row_stride, *value = points.value + i * tile.stride;
    T* gc = tile.gcoefficients + i * tile.bases * tile.row_stride;
    const V* table = (const V*)(tile.table + (GX ? i * (tile.bases + 2 * K + 1) * WIDTH : 0));
    V sum[K + 1][NV] = {}, gscale[NV] = {};
    for (int m = 0; m < tile.intervals; ++m) {
      for (int k = starts[m]; k < starts[m + 1]; ++k) {
        const int b = order[k];
        const V* gy = (const V*)tile.gy + b * NV;
#pragma GCC unroll 8
        for (int r = 0; r <= K; ++r) {
          V at = fill<T, BYTES>(value[r * points.plane + b]);
#pragma GCC unroll 8
          for (int n = 0; n < NV; ++n) sum[r][n] = multiply_add<T, BYTES>(at, gy[n], sum[r][n]);
        }
        if constexpr (GX)
          tile.gx[i * tile.stride + b] += along_x<T, BYTES, NV, K>(
              points, i * tile.stride + b, table + m * NV, table + (tile.bases + 2 * K) * NV, gy);
      }
      const int g = m - K;
      if (g >= 0) {
        V total[NV] = {};
        if (!tile.first) load_columns<T, NV>(gc + g * tile.row_stride, tile.columns, total);
#pragma GCC unroll 8
        for (int n = 0; n < NV; ++n) total[n] += sum[0][n];
        if (tile.last) {
          V row[NV], scale[NV];
          load_columns<T, NV>(c + g * tile.row_stride, tile.columns, row);
          load_columns<T, NV>(tile.scale + i * tile.edge_stride, tile.columns, scale);
#pragma GCC unroll 8
          for (int n = 0; n < NV; ++n) {
            gscale[n] = multiply_add<T, BYTES>(total[n], row[n], gscale[n]);
            total[n] *= scale[n];
          }
        }
        store_columns<T, NV>(total, tile.columns, gc + g * tile.row_stride);
      }
#pragma GCC unroll 8
      for (int n = 0; n < NV; ++n) {
#pragma GCC unroll 8
        for (int r = 0; r < K; ++r) sum[r][n] = sum[r + 1][n];
        sum[K][n] = V{};
      }
    }
    if (tile.last) store_columns<T, NV>(gscale, tile.columns, tile.gscale + i * tile.edge_stride);
    if (points.shortcut) backward_base<T, NV>(tile, i);
  }
}

}  // namespace kanbefair
