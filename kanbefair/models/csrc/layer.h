// What splines.h declares, for one number type: include once per type and instantiate.
#pragma once
#include "unit_splines.h"
#include "by_interval.h"
#include "by_row.h"

namespace kanbefair {

// By the layer's shape alone, never the stack, as the two forms add up in different orders
template <class T>
bool by_interval(const Shape& s) {
  return s.outputs > LANES<T> / 2 || s.inputs >= 32;
}

// The runs first ... first + runs - 1 as a layer of their own
template <class T>
KanLinear<T> part(const KanLinear<T>& layer, std::int64_t first, std::int64_t runs) {
  KanLinear<T> made = layer;
  const Shape& s = layer.shape;
  const std::int64_t edges = s.inputs * s.outputs;
  made.shape.runs = runs;
  if (!s.shared) made.x += first * s.rows * s.inputs;
  made.coefficients += first * edges * s.bases();
  made.scale += first * edges;
  if (s.shortcut) made.base += first * edges;
  made.bias += first * s.outputs;
  made.low += first;
  made.high += first;
  return made;
}

// How many runs from `first` on share their grid, and so, if x is shared, all that is evaluated at its points
template <class T>
std::int64_t same_grid(const KanLinear<T>& layer, std::int64_t first) {
  std::int64_t run = first + 1;
  while (run < layer.shape.runs && layer.low[run] == layer.low[first] && layer.high[run] == layer.high[first]) ++run;
  return run - first;
}

// An upstream gradient that is NaN makes that of all parameters of its output NaN, as in a matrix product: at a point only
// K+1 bases are worked off, and 0 * NaN is NaN for the others, too.
template <class T>
void spread_nan(const Shape& s, const T* gbias, T* gcoefficients, T* gscale, T* gbase) {
  for (std::int64_t run = 0; run < s.runs; ++run)
    for (std::int64_t o = 0; o < s.outputs; ++o) {
      const T sum = gbias[run * s.outputs + o];
      if (sum == sum) continue;
      for (std::int64_t i = 0; i < s.inputs; ++i) {
        const std::int64_t edge = run * s.inputs + i;
        for (int g = 0; g < s.bases(); ++g) gcoefficients[(edge * s.bases() + g) * s.outputs + o] = sum;
        gscale[edge * s.outputs + o] = sum;
        if (s.shortcut) gbase[edge * s.outputs + o] = sum;
      }
    }
}

template <class T>
void KanLinear<T>::forward(T* y) const {
  if (!by_interval<T>(shape)) return forward_by_row(*this, y);
  std::int64_t runs;
  for (std::int64_t run = 0; run < shape.runs; run += runs) {
    runs = shape.shared ? same_grid(*this, run) : shape.runs;
    forward_by_interval(part(*this, run, runs), y + run * shape.rows * shape.outputs);
  }
}

template <class T>
void KanLinear<T>::backward(const T* gy, T* gx, T* gcoefficients, T* gscale, T* gbase, T* gbias) const {
  const auto function = by_interval<T>(shape) ? backward_by_interval<T> : backward_by_row<T>;
  const bool whole = gx || !shape.shared || !by_interval<T>(shape);
  const std::int64_t edges = shape.inputs * shape.outputs;
  std::int64_t runs;
  for (std::int64_t run = 0; run < shape.runs; run += runs) {
    runs = whole ? shape.runs : same_grid(*this, run);
    function(part(*this, run, runs), gy + run * shape.rows * shape.outputs, gx, gcoefficients + run * edges * shape.bases(),
             gscale + run * edges, shape.shortcut ? gbase + run * edges : nullptr, gbias + run * shape.outputs);
  }
  spread_nan(shape, gbias, gcoefficients, gscale, gbase);
}

}  // namespace kanbefair
