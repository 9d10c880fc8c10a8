// Spline layers over a stack of runs, without PyTorch. All arrays are contiguous.
#pragma once
#include <cstdint>

namespace kanbefair {

enum Shortcut : int { NONE = 0, IDENTITY = 1, SILU = 2 };

constexpr int MAX_ORDER = 5;
constexpr int MAX_INTERVALS = 254;  // G+2K: interval numbers are bytes, and 255 marks "no row here"

struct Shape {
  std::int64_t runs, rows, inputs, outputs;
  int grid, order;
  Shortcut shortcut;
  bool shared;  // x is (rows, inputs) for all runs, else (runs, rows, inputs)
  int intervals() const { return grid + 2 * order; }
  int bases() const { return grid + order; }
};

// y (runs, rows, outputs) = bias + sum over inputs of base * shortcut(x) + scale * sum_g c_g * B_g(x)
// c (runs, inputs, bases, outputs); scale, base (runs, inputs, outputs); bias (runs, outputs); low, high (runs)
template <class T>
struct KanLinear {
  Shape shape;
  const T *x, *coefficients, *scale, *base, *bias, *low, *high;
  void forward(T* y) const;
  // gx may be null: then it is not computed. All gradients are overwritten.
  void backward(const T* gy, T* gx, T* gcoefficients, T* gscale, T* gbase, T* gbias) const;
};

// y (runs, rows, features) = sum_g c_g * B_g(x), c (runs, features, bases): shape.inputs is the number of features
template <class T>
struct SplineActivation {
  Shape shape;
  const T *x, *coefficients, *low, *high;
  void forward(T* y) const;
  void backward(const T* gy, T* gx, T* gcoefficients) const;
};

}  // namespace kanbefair
