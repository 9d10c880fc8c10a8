// What splines.h declares, for one number type: include once per type and instantiate.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "kernels.h"

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

// How a layer is cut into blocks and tiles: it depends on the layer's shape alone, never on the stack.
template <class T>
struct Plan {
  int bytes, vectors, width, tiles;
  std::int64_t inputs;     // inputs in a block
  bool by_interval;
  explicit Plan(const Shape& s) {
    constexpr int lanes = LANES<T>, most = REGISTER_COUNT == 32 ? 4 : 2;
    const int needed = (int)((s.outputs + lanes - 1) / lanes);
    const int limit = s.order >= 4 ? most / 2 : most;
    tiles = (needed + limit - 1) / limit;
    vectors = (needed + tiles - 1) / tiles;
    bytes = REGISTER_BYTES;
    while (bytes > 16 && s.outputs * (int)sizeof(T) <= bytes / 2) bytes /= 2;
    width = vectors * bytes / (int)sizeof(T);
    by_interval = bytes == REGISTER_BYTES && s.outputs > lanes / 2;
    inputs = std::clamp<std::int64_t>(32768 / (s.intervals() * width * (int)sizeof(T)), 2, 16);
    inputs = std::min(inputs, s.inputs);
  }
};

template <class T>
using TileFunction = void (*)(const Tile<T>&);

struct Forward {
  template <class T, int BYTES, int NV, int K>
  static TileFunction<T> get() { return forward_tile<T, BYTES, NV, K>; }
};
template <bool GX>
struct ByRow {
  template <class T, int BYTES, int NV, int K>
  static TileFunction<T> get() {
    if constexpr (NV == 1) return backward_by_row<T, BYTES, K, GX>;
    else return nullptr;
  }
};
template <bool GX>
struct ByInterval {
  template <class T, int BYTES, int NV, int K>
  static TileFunction<T> get() {
    if constexpr (BYTES == REGISTER_BYTES) return backward_by_interval<T, BYTES, NV, K, GX>;
    else return nullptr;
  }
};

template <class Kind, class T, int K>
TileFunction<T> choose_width(const Plan<T>& plan) {
  constexpr int R = REGISTER_BYTES;
  if (plan.bytes == R)
    switch (plan.vectors) {
      case 1: return Kind::template get<T, R, 1, K>();
      case 2: return Kind::template get<T, R, 2, K>();
      case 3: if constexpr (REGISTER_COUNT == 32 && K <= 3) return Kind::template get<T, R, 3, K>(); break;
      case 4: if constexpr (REGISTER_COUNT == 32 && K <= 3) return Kind::template get<T, R, 4, K>(); break;
    }
  if constexpr (R > 16) if (plan.bytes == 16) return Kind::template get<T, 16, 1, K>();
  if constexpr (R > 32) if (plan.bytes == 32) return Kind::template get<T, 32, 1, K>();
  std::abort();
}

template <class Kind, class T>
TileFunction<T> choose(const Shape& s, const Plan<T>& plan) {
  switch (s.order) {
    case 1: return choose_width<Kind, T, 1>(plan);
    case 2: return choose_width<Kind, T, 2>(plan);
    case 3: return choose_width<Kind, T, 3>(plan);
    case 4: return choose_width<Kind, T, 4>(plan);
    case 5: return choose_width<Kind, T, 5>(plan);
  }
  std::abort();
}

// (rows, outputs) to (tiles, rows, width) and back
template <class T>
void to_tiles(const T* from, std::int64_t rows, std::int64_t outputs, const Plan<T>& plan, T* to) {
  for (int tile = 0; tile < plan.tiles; ++tile) {
    const std::int64_t first = (std::int64_t)tile * plan.width, width = std::min<std::int64_t>(plan.width, outputs - first);
    for (std::int64_t b = 0; b < rows; ++b)
      for (std::int64_t o = 0; o < width; ++o) to[(tile * rows + b) * plan.width + o] = from[b * outputs + first + o];
  }
}
template <class T>
void from_tiles(const T* from, std::int64_t rows, std::int64_t outputs, const Plan<T>& plan, T* to) {
  for (int tile = 0; tile < plan.tiles; ++tile) {
    const std::int64_t first = (std::int64_t)tile * plan.width, width = std::min<std::int64_t>(plan.width, outputs - first);
    for (std::int64_t b = 0; b < rows; ++b)
      for (std::int64_t o = 0; o < width; ++o) to[b * outputs + first + o] = from[(tile * rows + b) * plan.width + o];
  }
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

// Fill a block's tables (tiles, inputs, table_rows, width) with scale * c and base; `edge` is the first input's number in
// (runs * inputs).
template <class T>
void load_tables(const KanLinear<T>& layer, const Plan<T>& plan, std::int64_t edge, std::int64_t inputs, T* tables) {
  const Shape& s = layer.shape;
  const int rows = table_rows(s), bases = s.bases();
  for (int tile = 0; tile < plan.tiles; ++tile) {
    const std::int64_t first = (std::int64_t)tile * plan.width, width = std::min<std::int64_t>(plan.width, s.outputs - first);
    for (std::int64_t i = 0; i < inputs; ++i) {
      T* table = tables + (tile * plan.inputs + i) * rows * plan.width;
      const T* scale = layer.scale + (edge + i) * s.outputs + first;
      const T* c = layer.coefficients + (edge + i) * bases * s.outputs + first;
      for (int g = 0; g < bases; ++g)
        for (std::int64_t o = 0; o < width; ++o) table[(s.order + g) * plan.width + o] = c[g * s.outputs + o] * scale[o];
      if (s.shortcut)
        for (std::int64_t o = 0; o < width; ++o)
          table[(rows - 1) * plan.width + o] = layer.base[(edge + i) * s.outputs + first + o];
    }
  }
}

// The gradients of c, scale and base from those of the tables.
template <class T>
void store_tables(const KanLinear<T>& layer, const Plan<T>& plan, std::int64_t edge, std::int64_t inputs, const T* gtables,
                  T* gcoefficients, T* gscale, T* gbase) {
  const Shape& s = layer.shape;
  const int rows = table_rows(s), bases = s.bases();
  for (int tile = 0; tile < plan.tiles; ++tile) {
    const std::int64_t first = (std::int64_t)tile * plan.width, width = std::min<std::int64_t>(plan.width, s.outputs - first);
    for (std::int64_t i = 0; i < inputs; ++i) {
      const T* gtable = gtables + (tile * plan.inputs + i) * rows * plan.width;
      const std::int64_t at = (edge + i) * s.outputs + first, at_c = (edge + i) * bases * s.outputs + first;
      const T *scale = layer.scale + at, *c = layer.coefficients + at_c;
      T *gs = gscale + at, *gc = gcoefficients + at_c;
      for (std::int64_t o = 0; o < width; ++o) gs[o] = 0;
      for (int g = 0; g < bases; ++g)
        for (std::int64_t o = 0; o < width; ++o) {
          const T gw = gtable[(s.order + g) * plan.width + o];
          gc[g * s.outputs + o] = gw * scale[o];
          gs[o] = multiply_add_one(gw, c[g * s.outputs + o], gs[o]);
        }
      if (s.shortcut)
        for (std::int64_t o = 0; o < width; ++o) gbase[at + o] = gtable[(rows - 1) * plan.width + o];
    }
  }
}

// x (rows, columns of `stride`) to a block numbered row * inputs + input, filled up with zeros to whole registers
template <class T>
std::int64_t gather_rows(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t inputs, T* to) {
  for (std::int64_t b = 0; b < rows; ++b)
    for (std::int64_t i = 0; i < inputs; ++i) to[b * inputs + i] = x[b * stride + i];
  return rows * inputs;
}

constexpr std::int64_t ROWS_FORWARD = 64, ROWS_SUMMED = 512, ROWS_BACKWARD = 128;

template <class T>
void KanLinear<T>::forward(T* y) const {
  const Shape& s = shape;
  const Plan<T> plan(s);
  const TileFunction<T> function = choose<Forward>(s, plan);
  const int rows_of_table = table_rows(s);
  const std::int64_t table_size = plan.inputs * rows_of_table * plan.width;
  Buffer<T> tables = zeros<T>(plan.tiles * table_size);
  const std::int64_t summed = std::min(ROWS_SUMMED, s.rows);
  Buffer<T> sums = buffer<T>(plan.tiles * summed * plan.width);
  Block<T> block(std::min(ROWS_FORWARD, s.rows) * plan.inputs, s, false);
  for (std::int64_t run = 0; run < s.runs; ++run) {
    const T* x_run = x + (s.shared ? 0 : run * s.rows * s.inputs);
    for (std::int64_t b0 = 0; b0 < s.rows; b0 += summed) {
      const std::int64_t rows = std::min(summed, s.rows - b0);
      for (int tile = 0; tile < plan.tiles; ++tile)
        for (std::int64_t b = 0; b < rows; ++b)
          for (int o = 0; o < plan.width; ++o) {
            const std::int64_t output = tile * plan.width + o;
            sums[(tile * rows + b) * plan.width + o] = output < s.outputs ? bias[run * s.outputs + output] : T(0);
          }
      for (std::int64_t i0 = 0; i0 < s.inputs; i0 += plan.inputs) {
        const std::int64_t inputs = std::min(plan.inputs, s.inputs - i0);
        load_tables(*this, plan, run * s.inputs + i0, inputs, tables.get());
        for (std::int64_t b1 = 0; b1 < rows; b1 += ROWS_FORWARD) {
          const std::int64_t few = std::min(ROWS_FORWARD, rows - b1);
          const std::int64_t count =
              gather_rows(x_run + (b0 + b1) * s.inputs + i0, s.inputs, few, inputs, block.x.get());
          block.evaluate(count, s, low[run], high[run]);
          Tile<T> tile{block.points, few, inputs, rows_of_table, s.intervals()};
          for (int number = 0; number < plan.tiles; ++number) {
            tile.weight = tables.get() + number * table_size;
            tile.y = sums.get() + (number * rows + b1) * plan.width;
            function(tile);
          }
        }
      }
      from_tiles(sums.get(), rows, s.outputs, plan, y + (run * s.rows + b0) * s.outputs);
    }
  }
}

template <class T>
void KanLinear<T>::backward(const T* gy, T* gx, T* gcoefficients, T* gscale, T* gbase, T* gbias) const {
  const Shape& s = shape;
  const Plan<T> plan(s);
  const TileFunction<T> function = plan.by_interval ? (gx ? choose<ByInterval<true>>(s, plan) : choose<ByInterval<false>>(s, plan))
                                                    : (gx ? choose<ByRow<true>>(s, plan) : choose<ByRow<false>>(s, plan));
  const int rows_of_table = table_rows(s);
  const std::int64_t table_size = plan.inputs * rows_of_table * plan.width;
  Buffer<T> tables = zeros<T>(gx ? plan.tiles * table_size : 0), gtables = buffer<T>(plan.tiles * table_size);
  const bool levels = s.rows > ROWS_BACKWARD;  // then each block of rows is summed by itself first
  Buffer<T> totals = buffer<T>(levels ? plan.tiles * table_size : 0);
  Buffer<T> gys = zeros<T>(plan.tiles * s.rows * plan.width);
  const std::int64_t most = std::min(ROWS_BACKWARD, (s.rows + 63) / 64 * 64);
  Block<T> block(most * plan.inputs, s, gx != nullptr);
  Buffer<T> gblock = buffer<T>(gx ? most * plan.inputs : 0);
  if (gx && s.shared) std::memset((void*)gx, 0, s.rows * s.inputs * sizeof(T));
  for (std::int64_t run = 0; run < s.runs; ++run) {
    const T* x_run = x + (s.shared ? 0 : run * s.rows * s.inputs);
    T* gx_run = gx ? gx + (s.shared ? 0 : run * s.rows * s.inputs) : nullptr;
    const T* gy_run = gy + run * s.rows * s.outputs;
    T* gbias_run = gbias + run * s.outputs;
    sum_rows(gy_run, s.rows, s.outputs, gbias_run);
    to_tiles(gy_run, s.rows, s.outputs, plan, gys.get());
    for (std::int64_t i0 = 0; i0 < s.inputs; i0 += plan.inputs) {
      const std::int64_t inputs = std::min(plan.inputs, s.inputs - i0), edge = run * s.inputs + i0;
      if (gx) load_tables(*this, plan, edge, inputs, tables.get());
      if (levels) std::fill_n(totals.get(), plan.tiles * table_size, T(0));
      for (std::int64_t b0 = 0; b0 < s.rows || b0 == 0; b0 += most) {
        std::fill_n(gtables.get(), plan.tiles * table_size, T(0));
        const std::int64_t rows = std::min(most, s.rows - b0), padded = (rows + 63) / 64 * 64;
        const T* x_block = x_run + b0 * s.inputs + i0;
        std::int64_t count;
        if (plan.by_interval) {
          count = padded * inputs;
          for (std::int64_t b = 0; b < rows; ++b)
            for (std::int64_t i = 0; i < inputs; ++i) block.x[i * padded + b] = x_block[b * s.inputs + i];
          for (std::int64_t i = 0; i < inputs; ++i)
            for (std::int64_t b = rows; b < padded; ++b) block.x[i * padded + b] = 0;
        } else {
          count = gather_rows(x_block, s.inputs, rows, inputs, block.x.get());
        }
        block.evaluate(count, s, low[run], high[run]);
        if (plan.by_interval)
          for (std::int64_t i = 0; i < inputs; ++i)
            for (std::int64_t b = rows; b < padded; ++b) block.points.interval[i * padded + b] = 255;
        if (gx) std::memset((void*)gblock.get(), 0, count * sizeof(T));
        Tile<T> tile{block.points, plan.by_interval ? padded : rows, inputs, rows_of_table, s.intervals()};
        tile.gx = gblock.get();
        for (int number = 0; number < plan.tiles; ++number) {
          tile.weight = tables.get() + (gx ? number * table_size : 0);
          tile.gweight = gtables.get() + number * table_size;
          tile.gy = gys.get() + (number * s.rows + b0) * plan.width;
          function(tile);
        }
        if (levels)
          for (std::int64_t k = 0; k < plan.tiles * table_size; ++k) totals[k] += gtables[k];
        if (gx) {
          const std::int64_t step_b = plan.by_interval ? 1 : inputs, step_i = plan.by_interval ? padded : 1;
          for (std::int64_t b = 0; b < rows; ++b)
            for (std::int64_t i = 0; i < inputs; ++i) {
              T& to = gx_run[(b0 + b) * s.inputs + i0 + i];
              const T value = gblock[b * step_b + i * step_i];
              to = s.shared ? to + value : value;
            }
        }
      }
      store_tables(*this, plan, edge, inputs, (levels ? totals : gtables).get(), gcoefficients, gscale, gbase);
    }
  }
}

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
      for (std::int64_t f = 0; f < units; ++f)
        for (int g = 0; g < s.bases(); ++g)
          gcoefficients[first + f * s.bases() + g] = gtables[f * rows_of_table + s.order + g];
    }
}

}  // namespace kanbefair
