// The K+1 non-zero B-spline bases at each of many points, their slopes, and the shortcut function.
#pragma once
#include "vectors.h"

namespace kanbefair {

// at[r][p] multiplies t^p in the r-th non-zero basis from the left (the Cox-de Boor recursion, multiplied out)
template <int K>
struct Pieces {
  double at[K + 1][K + 1] = {};
  constexpr Pieces() {
    at[0][0] = 1;
    for (int k = 1; k <= K; ++k)
      for (int r = k; r >= 0; --r) {
        double made[K + 1] = {};
        for (int p = 0; p < k; ++p) {
          double left = r > 0 ? at[r - 1][p] / k : 0, right = r < k ? at[r][p] / k : 0;
          made[p] += left * (k - r) + right * (1 + r);
          made[p + 1] += left - right;
        }
        for (int p = 0; p <= K; ++p) at[r][p] = made[p];
      }
  }
};

// What is known about a point. Arrays of the r-th basis start `plane` apart; `slope` (with respect to x) may be null.
template <class T>
struct Points {
  std::uint8_t* interval;
  T *value, *slope, *shortcut, *shortcut_slope;
  std::int64_t plane;
};

template <class T>
constexpr int LANES = REGISTER_BYTES / (int)sizeof(T);

// `count` is rounded up to whole registers. Points outside the extended grid get interval 0 and zeros, NaN interval 0 and NaN.
// The expressions are those of kanbefair/basis.py `locate`, rounded in the same places.
template <class T, int K>
void evaluate_basis(std::int64_t count, const T* x, T low, T steps, int grid, const Points<T>& points) {
  using V = vector_of<T, REGISTER_BYTES>;
  using Int = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  using I = vector_of<Int, REGISTER_BYTES>;
  using Bytes = vector_of<std::uint8_t, LANES<T>>;
  constexpr Pieces<K> pieces;
  const T end = grid + 2 * K;
  for (std::int64_t e = 0; e < count; e += LANES<T>) {
    V u = (*(const V*)(x + e) - low) * steps + T(K);
    I inside = ~((u < T(0)) | (u >= end));  // NaN, too
    u = (V)((I)u & inside);
    I interval = __builtin_convertvector((V)((I)u & (u == u)), I);
    V t = u - __builtin_convertvector(interval, V);
    Bytes number = __builtin_convertvector(interval, Bytes);
    std::memcpy(points.interval + e, &number, sizeof number);
#pragma GCC unroll 8
    for (int r = 0; r <= K; ++r) {
      V value = fill<T, REGISTER_BYTES>(pieces.at[r][K]);
#pragma GCC unroll 8
      for (int p = K - 1; p >= 0; --p)
        value = multiply_add<T, REGISTER_BYTES>(value, t, fill<T, REGISTER_BYTES>(pieces.at[r][p]));
      *(V*)(points.value + r * points.plane + e) = (V)((I)value & inside);
    }
    if (points.slope) {
#pragma GCC unroll 8
      for (int r = 0; r <= K; ++r) {
        V slope = fill<T, REGISTER_BYTES>(K * pieces.at[r][K]);
#pragma GCC unroll 8
        for (int p = K - 1; p >= 1; --p)
          slope = multiply_add<T, REGISTER_BYTES>(slope, t, fill<T, REGISTER_BYTES>(p * pieces.at[r][p]));
        *(V*)(points.slope + r * points.plane + e) = (V)((I)(slope * steps) & inside);
      }
    }
  }
}

template <class T>
constexpr T EXPONENT_LIMIT = sizeof(T) == 4 ? 87 : 700;

// exp by reduction to |r| <= log(2)/2 and a Taylor polynomial; the argument is cut where 1 + exp no longer changes.
template <class T>
inline vector_of<T, REGISTER_BYTES> exponential(vector_of<T, REGISTER_BYTES> z) {
  using V = vector_of<T, REGISTER_BYTES>;
  using Int = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  using I = vector_of<Int, REGISTER_BYTES>;
  constexpr bool single = sizeof(T) == 4;
  constexpr int degree = single ? 7 : 13, mantissa = single ? 23 : 52, bias = single ? 127 : 1023;
  constexpr T limit = EXPONENT_LIMIT<T>, rounder = single ? 12582912.0 : 6755399441055744.0;
  z = z > limit ? fill<T, REGISTER_BYTES>(limit) : z;
  z = z < -limit ? fill<T, REGISTER_BYTES>(-limit) : z;
  V k = (z * T(1.4426950408889634) + rounder) - rounder;
  V r = multiply_add<T, REGISTER_BYTES>(k, fill<T, REGISTER_BYTES>(single ? -0.693359375 : -6.93147180369123816490e-01), z);
  r = multiply_add<T, REGISTER_BYTES>(k, fill<T, REGISTER_BYTES>(single ? 2.12194440e-4 : -1.90821492927058770002e-10), r);
  double factor[degree + 1] = {1};
  for (int p = 1; p <= degree; ++p) factor[p] = factor[p - 1] / p;
  V y = fill<T, REGISTER_BYTES>(factor[degree]);
#pragma GCC unroll 16
  for (int p = degree - 1; p >= 0; --p) y = multiply_add<T, REGISTER_BYTES>(y, r, fill<T, REGISTER_BYTES>(factor[p]));
  I power = (__builtin_convertvector(k, I) + Int(bias)) << mantissa;
  return y * (V)power;
}

template <class T>
void evaluate_silu(std::int64_t count, const T* x, const Points<T>& points) {
  using V = vector_of<T, REGISTER_BYTES>;
  using I = vector_of<std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>, REGISTER_BYTES>;
  for (std::int64_t e = 0; e < count; e += LANES<T>) {
    V at = *(const V*)(x + e);
    V gate = T(1) / (T(1) + exponential<T>(-at));
    gate = (V)((I)gate & ~(at < -EXPONENT_LIMIT<T>));  // 0 where exp was cut
    *(V*)(points.shortcut + e) = at * gate;
    if (points.shortcut_slope) *(V*)(points.shortcut_slope + e) = gate * (T(1) + at * (T(1) - gate));
  }
}

template <class T>
void evaluate_identity(std::int64_t count, const T* x, const Points<T>& points) {
  for (std::int64_t e = 0; e < count; ++e) points.shortcut[e] = x[e];
  if (points.shortcut_slope)
    for (std::int64_t e = 0; e < count; ++e) points.shortcut_slope[e] = 1;
}

}  // namespace kanbefair
