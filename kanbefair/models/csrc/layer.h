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
}

}  // namespace kanbefair
