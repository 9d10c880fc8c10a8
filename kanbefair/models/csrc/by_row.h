// The KAN layer row by row, with tables of scaled coefficients: for narrow outputs and few inputs.
#pragma once
#include "block.h"
#include "row_kernels.h"

namespace kanbefair {

template <class T>
using TileFunction = void (*)(const Tile<T>&);

template <class T, int BYTES, int K>
struct TileFunctions {
  static constexpr TileFunction<T> forward = forward_tile<T, BYTES, K>;
  static constexpr TileFunction<T> backward = backward_tile<T, BYTES, K, false>;
  static constexpr TileFunction<T> backward_points = backward_tile<T, BYTES, K, true>;
};

// Registers and blocks, by the layer's shape alone.
template <class T>
struct Plan {
  const Shape& s;
  int bytes, width;
  std::int64_t inputs, table_size;  // of a block
  explicit Plan(const Shape& shape) : s(shape) {
    bytes = REGISTER_BYTES;
    while (bytes > 16 && s.outputs * (int)sizeof(T) <= bytes / 2) bytes /= 2;
    width = bytes / (int)sizeof(T);
    inputs = std::min(s.inputs, std::clamp<std::int64_t>(32768 / (s.intervals() * bytes), 2, 16));
    table_size = inputs * table_rows(s) * width;
  }
  template <int K, class Pick>
  TileFunction<T> of_order(Pick pick) const {
    if constexpr (REGISTER_BYTES > 32) if (bytes == 64) return pick(TileFunctions<T, 64, K>());
    if constexpr (REGISTER_BYTES > 16) if (bytes == 32) return pick(TileFunctions<T, 32, K>());
    return pick(TileFunctions<T, 16, K>());
  }
  template <class Pick>
  TileFunction<T> choose(Pick pick) const {
    switch (s.order) {
      case 1: return of_order<1>(pick);
      case 2: return of_order<2>(pick);
      case 3: return of_order<3>(pick);
      case 4: return of_order<4>(pick);
      case 5: return of_order<5>(pick);
    }
    std::abort();
  }
};

// Fill a block's tables (inputs, table_rows, width) with scale * c and base; `edge` is the first input's number in
// (runs * inputs).
template <class T>
void load_tables(const KanLinear<T>& layer, const Plan<T>& plan, std::int64_t edge, std::int64_t inputs, T* tables) {
  const Shape& s = layer.shape;
  const int rows = table_rows(s), bases = s.bases();
  for (std::int64_t i = 0; i < inputs; ++i) {
    T* table = tables + i * rows * plan.width;
    const T *scale = layer.scale + (edge + i) * s.outputs, *c = layer.coefficients + (edge + i) * bases * s.outputs;
    for (int g = 0; g < bases; ++g)
      for (std::int64_t o = 0; o < s.outputs; ++o) table[(s.order + g) * plan.width + o] = c[g * s.outputs + o] * scale[o];
    if (s.shortcut)
      for (std::int64_t o = 0; o < s.outputs; ++o) table[(rows - 1) * plan.width + o] = layer.base[(edge + i) * s.outputs + o];
  }
}

// The gradients of c, scale and base from those of the tables.
template <class T>
void store_tables(const KanLinear<T>& layer, const Plan<T>& plan, std::int64_t edge, std::int64_t inputs, const T* gtables,
                  T* gcoefficients, T* gscale, T* gbase) {
  const Shape& s = layer.shape;
  const int rows = table_rows(s), bases = s.bases();
  for (std::int64_t i = 0; i < inputs; ++i) {
    const T* gtable = gtables + i * rows * plan.width;
    const std::int64_t at = (edge + i) * s.outputs, at_c = (edge + i) * bases * s.outputs;
    const T *scale = layer.scale + at, *c = layer.coefficients + at_c;
    T *gs = gscale + at, *gc = gcoefficients + at_c;
    std::fill_n(gs, s.outputs, T(0));
    for (int g = 0; g < bases; ++g)
      for (std::int64_t o = 0; o < s.outputs; ++o) {
        const T gw = gtable[(s.order + g) * plan.width + o];
        gc[g * s.outputs + o] = gw * scale[o];
        gs[o] = multiply_add_one(gw, c[g * s.outputs + o], gs[o]);
      }
    if (s.shortcut)
      for (std::int64_t o = 0; o < s.outputs; ++o) gbase[at + o] = gtable[(rows - 1) * plan.width + o];
  }
}

template <class T>
void forward_by_row(const KanLinear<T>& layer, T* y) {
  const Shape& s = layer.shape;
  const Plan<T> plan(s);
  const TileFunction<T> function = plan.choose([](auto f) { return f.forward; });
  const std::int64_t most = std::min(ROWS_FORWARD, s.rows);
  Buffer<T> tables = zeros<T>(plan.table_size), sums = buffer<T>(s.rows * plan.width);
  Block<T> block(most * plan.inputs, s, false);
  for (std::int64_t run = 0; run < s.runs; ++run) {
    const T* x = layer.x + (s.shared ? 0 : run * s.rows * s.inputs);
    for (std::int64_t b = 0; b < s.rows; ++b)
      for (int o = 0; o < plan.width; ++o) sums[b * plan.width + o] = o < s.outputs ? layer.bias[run * s.outputs + o] : T(0);
    for (std::int64_t i0 = 0; i0 < s.inputs; i0 += plan.inputs) {
      const std::int64_t inputs = std::min(plan.inputs, s.inputs - i0);
      load_tables(layer, plan, run * s.inputs + i0, inputs, tables.get());
      for (std::int64_t b0 = 0; b0 < s.rows; b0 += most) {
        const std::int64_t rows = std::min(most, s.rows - b0);
        const std::int64_t count = gather_rows(x + b0 * s.inputs + i0, s.inputs, rows, inputs, block.x.get());
        block.evaluate(count, s, layer.low[run], layer.high[run]);
        Tile<T> tile{block.points, rows, inputs, table_rows(s)};
        tile.weight = tables.get();
        tile.y = sums.get() + b0 * plan.width;
        function(tile);
      }
    }
    copy_rows(sums.get(), plan.width, s.rows, s.outputs, y + run * s.rows * s.outputs, s.outputs);
  }
}

template <class T>
void backward_by_row(const KanLinear<T>& layer, const T* gy, T* gx, T* gcoefficients, T* gscale, T* gbase, T* gbias) {
  const Shape& s = layer.shape;
  const Plan<T> plan(s);
  const TileFunction<T> function = plan.choose([&](auto f) { return gx ? f.backward_points : f.backward; });
  Buffer<T> tables = zeros<T>(gx ? plan.table_size : 0), gtables = buffer<T>(plan.table_size);
  const std::int64_t most = std::min(ROWS_SUMMED, s.rows);
  const bool levels = s.rows > most;  // then each block of rows is summed by itself first
  Buffer<T> totals = buffer<T>(levels ? plan.table_size : 0), gys = zeros<T>(s.rows * plan.width);
  Block<T> block(most * plan.inputs, s, gx != nullptr);
  Buffer<T> gblock = buffer<T>(gx ? most * plan.inputs : 0);
  if (gx && s.shared) std::fill_n(gx, s.rows * s.inputs, T(0));
  for (std::int64_t run = 0; run < s.runs; ++run) {
    const std::int64_t own = s.shared ? 0 : run * s.rows * s.inputs;
    const T* gy_run = gy + run * s.rows * s.outputs;
    sum_rows(gy_run, s.rows, s.outputs, gbias + run * s.outputs);
    copy_rows(gy_run, s.outputs, s.rows, s.outputs, gys.get(), plan.width);
    for (std::int64_t i0 = 0; i0 < s.inputs; i0 += plan.inputs) {
      const std::int64_t inputs = std::min(plan.inputs, s.inputs - i0), edge = run * s.inputs + i0;
      if (gx) load_tables(layer, plan, edge, inputs, tables.get());
      if (levels) std::fill_n(totals.get(), plan.table_size, T(0));
      std::fill_n(gtables.get(), plan.table_size, T(0));
      for (std::int64_t b0 = 0; b0 < s.rows; b0 += most) {
        if (b0 > 0) std::fill_n(gtables.get(), plan.table_size, T(0));
        const std::int64_t rows = std::min(most, s.rows - b0);
        const std::int64_t count =
            gather_rows(layer.x + own + b0 * s.inputs + i0, s.inputs, rows, inputs, block.x.get());
        block.evaluate(count, s, layer.low[run], layer.high[run]);
        Tile<T> tile{block.points, rows, inputs, table_rows(s)};
        tile.weight = tables.get();
        tile.gweight = gtables.get();
        tile.gy = gys.get() + b0 * plan.width;
        tile.gx = gblock.get();
        if (gx) std::fill_n(gblock.get(), count, T(0));
        function(tile);
        if (levels)
          for (std::int64_t k = 0; k < plan.table_size; ++k) totals[k] += gtables[k];
        if (gx)
          for (std::int64_t b = 0; b < rows; ++b)
            for (std::int64_t i = 0; i < inputs; ++i) {
              T& to = gx[own + (b0 + b) * s.inputs + i0 + i];
              to = s.shared ? to + gblock[b * inputs + i] : gblock[b * inputs + i];
            }
      }
      store_tables(layer, plan, edge, inputs, (levels ? totals : gtables).get(), gcoefficients, gscale, gbase);
    }
  }
}

}  // namespace kanbefair
