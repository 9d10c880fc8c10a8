// Vectors of one machine register, and a multiply-add that rounds once wherever the processor can.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace kanbefair {

#if defined(__AVX512F__) && defined(__AVX512BW__)
constexpr int REGISTER_BYTES = 64, REGISTER_COUNT = 32;
#elif defined(__AVX2__)
constexpr int REGISTER_BYTES = 32, REGISTER_COUNT = 16;
#elif defined(__aarch64__)
constexpr int REGISTER_BYTES = 16, REGISTER_COUNT = 32;
#else
constexpr int REGISTER_BYTES = 16, REGISTER_COUNT = 16;
#endif

template <class T, int BYTES>
struct Vector {
  typedef T type __attribute__((vector_size(BYTES)));
};
template <class T, int BYTES>
using vector_of = typename Vector<T, BYTES>::type;

template <class T>
inline T multiply_add_one(T a, T b, T c) {
#if defined(__FMA__) || defined(__aarch64__)
  if constexpr (std::is_same_v<T, float>) return __builtin_fmaf(a, b, c);
  else return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

template <class T, int BYTES>
inline vector_of<T, BYTES> multiply_add(vector_of<T, BYTES> a, vector_of<T, BYTES> b, vector_of<T, BYTES> c) {
  using V [[maybe_unused]] = vector_of<T, BYTES>;
  [[maybe_unused]] constexpr bool single = std::is_same_v<T, float>;
#if defined(__AVX512F__)
  if constexpr (BYTES == 64 && single) return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
  if constexpr (BYTES == 64 && !single) return (V)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#endif
#if defined(__FMA__)
  if constexpr (BYTES == 32 && single) return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
  if constexpr (BYTES == 32 && !single) return (V)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
  if constexpr (BYTES == 16 && single) return (V)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)c);
  if constexpr (BYTES == 16 && !single) return (V)_mm_fmadd_pd((__m128d)a, (__m128d)b, (__m128d)c);
#elif defined(__aarch64__)
  if constexpr (single) return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
  else return (V)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#endif
  return a * b + c;
}

template <class T, int BYTES>
inline vector_of<T, BYTES> fill(T value) {
  return value - vector_of<T, BYTES>{};
}

// The sum of all lanes, halves first.
template <class T, int BYTES>
inline T sum_lanes(vector_of<T, BYTES> a) {
  if constexpr (BYTES == sizeof(T) * 2) {
    return a[0] + a[1];
  } else {
    vector_of<T, BYTES / 2> half[2];
    std::memcpy(half, &a, BYTES);
    return sum_lanes<T, BYTES / 2>(half[0] + half[1]);
  }
}

// The first `count` values at `from`, if there are so many, and zeros; and back.
template <class T>
inline vector_of<T, REGISTER_BYTES> load_some(const T* from, int count) {
  using V = vector_of<T, REGISTER_BYTES>;
  constexpr int lanes = REGISTER_BYTES / (int)sizeof(T);
  V v{};
  if (count >= lanes) std::memcpy(&v, from, sizeof v);
  else if (count > 0) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) return (V)_mm512_maskz_loadu_ps((1u << count) - 1, from);
    else return (V)_mm512_maskz_loadu_pd((1u << count) - 1, from);
#else
    T part[lanes] = {};
    for (int l = 0; l < count; ++l) part[l] = from[l];
    std::memcpy(&v, part, sizeof v);
#endif
  }
  return v;
}
template <class T>
inline void store_some(vector_of<T, REGISTER_BYTES> v, int count, T* to) {
  constexpr int lanes = REGISTER_BYTES / (int)sizeof(T);
  if (count >= lanes) std::memcpy(to, &v, sizeof v);
  else if (count > 0) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) _mm512_mask_storeu_ps(to, (1u << count) - 1, (__m512)v);
    else _mm512_mask_storeu_pd(to, (1u << count) - 1, (__m512d)v);
#else
    T part[lanes];
    std::memcpy(part, &v, sizeof v);
    for (int l = 0; l < count; ++l) to[l] = part[l];
#endif
  }
}

// Bit b tells whether byte b of 64 equals `value`.
inline std::uint64_t equal_bytes(const std::uint8_t* bytes, std::uint8_t value) {
#if defined(__AVX512BW__)
  return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(bytes), _mm512_set1_epi8((char)value));
#elif defined(__AVX2__)
  std::uint64_t bits = 0;
  for (int half = 0; half < 2; ++half) {
    __m256i same = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i*)bytes + half), _mm256_set1_epi8((char)value));
    bits |= (std::uint64_t)(std::uint32_t)_mm256_movemask_epi8(same) << (32 * half);
  }
  return bits;
#else
  std::uint64_t bits = 0;
  for (int b = 0; b < 64; ++b) bits |= (std::uint64_t)(bytes[b] == value) << b;
  return bits;
#endif
}

}  // namespace kanbefair
