// The layer of one spline per unit: what splines.h declares as SplineActivation, for one number type.
#pragma once
#include "block.h"

namespace kanbefair {

constexpr std::int64_t UNITS = 32;

// Coefficients (units, bases) to rows with K zeros before and behind
template <class T>
void load_units(const Shape& s, const T* coefficients, std::int64_t units, int rows, T* tables) {
  for (std::int64_t f = 0; f < units; ++f)
    for (int g = 0; g < s.bases(); ++g) tables[f * rows + s.order + g] = coefficients[f * s.bases() + g];
}

template <class T, int K>
void activation_forward(const Points<T>& points, std::int64_t rows, std::int64_t units, std::int64_t stride,
                        int table_rows, const T* tables, T* y) {
  std::int64_t e = 0;
  for (std::int64_t b = 0; b < rows; ++b)
    for (std::int64_t f = 0; f < units; ++f, ++e) {
      const T* table = tables + f * table_rows + points.interval[e];
      T sum = 0;
#pragma GCC unroll 8
      for (int r = 0; r <= K; ++r) sum = multiply_add_one(points.value[r * points.plane + e], table[r], sum);
      y[b * stride + f] = sum;
    }
}

template <class T, int K>
void activation_backward(const Points<T>& points, std::int64_t rows, std::int64_t units, std::int64_t stride,
                         int table_rows, const T* tables, const T* gy, T* gx, T* gtables) {
  std::int64_t e = 0;
  for (std::int64_t b = 0; b < rows; ++b)
    for (std::int64_t f = 0; f < units; ++f, ++e) {
      const std::int64_t first = f * table_rows + points.interval[e];
      const T g = gy[b * stride + f];
#pragma GCC unroll 8
      for (int r = 0; r <= K; ++r)
        gtables[first + r] = multiply_add_one(points.value[r * points.plane + e], g, gtables[first + r]);
      if (gx) {
        T along = 0;
#pragma GCC unroll 8
        for (int r = 0; r <= K; ++r) along = multiply_add_one(points.slope[r * points.plane + e], tables[first + r], along);
        gx[b * stride + f] += along * g;
      }
    }
}

// A unit's upstream gradient (rows, `s.inputs` apart) that is NaN makes that of all its coefficients NaN, as in layer.h
template <class T>
void spread_nan(const Shape& s, const T* gy, T* gcoefficients) {
  T sum = 0;
  for (std::int64_t b = 0; b < s.rows; ++b) sum += gy[b * s.inputs];
  if (sum != sum) std::fill_n(gcoefficients, s.bases(), sum);
}

template <class T>
void SplineActivation<T>::forward(T* y) const {
  const Shape& s = shape;
  static constexpr decltype(&activation_forward<T, 1>) by_order[] = {
      activation_forward<T, 1>, activation_forward<T, 2>, activation_forward<T, 3>, activation_forward<T, 4>,
      activation_forward<T, 5>};
  const int rows_of_table = s.grid + 3 * s.order;
  Buffer<T> tables = zeros<T>(UNITS * rows_of_table);
  Block<T> block(ROWS_FORWARD * UNITS, s, false);
  for (std::int64_t run = 0; run < s.runs; ++run)
    for (std::int64_t f0 = 0; f0 < s.inputs; f0 += UNITS) {
      const std::int64_t units = std::min(UNITS, s.inputs - f0);
      load_units(s, coefficients + (run * s.inputs + f0) * s.bases(), units, rows_of_table, tables.get());
      for (std::int64_t b0 = 0; b0 < s.rows; b0 += ROWS_FORWARD) {
        const std::int64_t rows = std::min(ROWS_FORWARD, s.rows - b0), at = b0 * s.inputs + f0;
        const std::int64_t count = gather_rows(
            x + (s.shared ? 0 : run * s.rows * s.inputs) + at, s.inputs, rows, units, block.x.get());
        block.evaluate(count, s, low[run], high[run]);
        by_order[s.order - 1](block.points, rows, units, s.inputs, rows_of_table, tables.get(),
                              y + run * s.rows * s.inputs + at);
      }
    }
}

template <class T>
void SplineActivation<T>::backward(const T* gy, T* gx, T* gcoefficients) const {
  const Shape& s = shape;
  static constexpr decltype(&activation_backward<T, 1>) by_order[] = {
      activation_backward<T, 1>, activation_backward<T, 2>, activation_backward<T, 3>, activation_backward<T, 4>,
      activation_backward<T, 5>};
  const int rows_of_table = s.grid + 3 * s.order;
  Buffer<T> tables = zeros<T>(UNITS * rows_of_table), gtables = buffer<T>(UNITS * rows_of_table);
  Block<T> block(ROWS_FORWARD * UNITS, s, gx != nullptr);
  if (gx) std::memset((void*)gx, 0, (s.shared ? 1 : s.runs) * s.rows * s.inputs * sizeof(T));
  for (std::int64_t run = 0; run < s.runs; ++run)
    for (std::int64_t f0 = 0; f0 < s.inputs; f0 += UNITS) {
      const std::int64_t units = std::min(UNITS, s.inputs - f0), first = (run * s.inputs + f0) * s.bases();
      load_units(s, coefficients + first, units, rows_of_table, tables.get());
      std::memset((void*)gtables.get(), 0, UNITS * rows_of_table * sizeof(T));
      for (std::int64_t b0 = 0; b0 < s.rows; b0 += ROWS_FORWARD) {
        const std::int64_t rows = std::min(ROWS_FORWARD, s.rows - b0), at = b0 * s.inputs + f0;
        const std::int64_t own = run * s.rows * s.inputs + at, at_x = s.shared ? at : own;
        const std::int64_t count = gather_rows(x + at_x, s.inputs, rows, units, block.x.get());
        block.evaluate(count, s, low[run], high[run]);
        by_order[s.order - 1](block.points, rows, units, s.inputs, rows_of_table, tables.get(), gy + own,
                              gx ? gx + at_x : nullptr, gtables.get());
      }
      for (std::int64_t f = 0; f < units; ++f) {
        const T* gtable = gtables.get() + f * rows_of_table + s.order;
        T* to = gcoefficients + first + f * s.bases();
        T sum = 0;
        for (int g = 0; g < s.bases(); ++g) sum += to[g] = gtable[g];
        if (sum != sum) spread_nan(s, gy + run * s.rows * s.inputs + f0 + f, to);
      }
    }
}

}  // namespace kanbefair
