// What splines.h declares, for one number type: include once per type and instantiate.
#pragma once
#include "activation.h"
#include "by_interval.h"
#include "by_row.h"

namespace kanbefair {

// By the layer's shape alone, never the stack, as the two forms add up in different orders
template <class T>
bool by_interval(const Shape& s) {
  return s.outputs > LANES<T> / 2 || s.inputs >= 32;
}

template <class T>
void KanLinear<T>::forward(T* y) const {
  by_interval<T>(shape) ? forward_by_interval(*this, y) : forward_by_row(*this, y);
}

template <class T>
void KanLinear<T>::backward(const T* gy, T* gx, T* gcoefficients, T* gscale, T* gbase, T* gbias) const {
  const auto function = by_interval<T>(shape) ? backward_by_interval<T> : backward_by_row<T>;
  function(*this, gy, gx, gcoefficients, gscale, gbase, gbias);
}

}  // namespace kanbefair
