// The KAN layer interval by interval: for wide outputs, and for many inputs. Runs with the same points and the same range
// share all that is evaluated there, and where outputs are narrow also the registers.
#pragma once
#include "block.h"
#include "interval_kernels.h"

namespace kanbefair {

template <class T>
using IntervalFunction = void (*)(const IntervalTile<T>&);

template <class T, int NV, int K>
struct IntervalFunctions {
  static constexpr IntervalFunction<T> forward = forward_intervals<T, NV, K>;
  static constexpr IntervalFunction<T> backward = backward_intervals<T, NV, K, false>;
  static constexpr IntervalFunction<T> backward_points = backward_intervals<T, NV, K, true>;
};

// How outputs are cut into tiles. It changes no result.
template <class T>
struct Tiling {
  static constexpr int LIMIT = REGISTER_COUNT == 32 ? 4 : 2;
  const Shape& s;
  std::int64_t together;  // runs that share their points
  std::int64_t group;     // runs in a tile
  std::int64_t per_run;   // tiles of a run, if it has its own
  std::int64_t tiles;
  int vectors, width;
  Tiling(const Shape& shape, bool merge) : s(shape) {
    constexpr std::int64_t lanes = LANES<T>;
    const std::int64_t limit = REGISTER_COUNT == 16 && s.order > 3 ? 1 : LIMIT, needed = (s.outputs + lanes - 1) / lanes;
    together = merge ? s.runs : 1;
    group = std::max<std::int64_t>(1, std::min(together, limit * lanes / s.outputs));
    per_run = (needed + limit - 1) / limit;
    vectors = group > 1 ? (group * s.outputs + lanes - 1) / lanes : (needed + per_run - 1) / per_run;
    width = vectors * LANES<T>;
    tiles = group > 1 ? (together + group - 1) / group : together * per_run;
  }
  std::int64_t run(std::int64_t tile) const { return group > 1 ? tile * group : tile / per_run; }
  std::int64_t runs(std::int64_t tile) const { return std::min(group, together - run(tile)); }
  std::int64_t first(std::int64_t tile) const { return group > 1 ? 0 : tile % per_run * width; }
  std::int64_t outputs(std::int64_t tile) const { return std::min<std::int64_t>(width, s.outputs - first(tile)); }

  template <int K, class Pick>
  IntervalFunction<T> of_order(Pick pick) const {
    switch (vectors) {
      case 1: return pick(IntervalFunctions<T, 1, K>());
      case 2: return pick(IntervalFunctions<T, 2, K>());
      case 3: if constexpr (LIMIT == 4) return pick(IntervalFunctions<T, 3, K>()); break;
      case 4: if constexpr (LIMIT == 4) return pick(IntervalFunctions<T, 4, K>()); break;
    }
    std::abort();
  }
  template <class Pick>
  IntervalFunction<T> choose(Pick pick) const {
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

// Points of some inputs at some rows, sorted into intervals block by block.
template <class T>
struct SortedPoints {
  const Shape& s;
  std::int64_t stride;  // rows, filled up
  std::int64_t blocks, inputs;
  Block<T> block;
  Buffer<std::uint8_t> order, starts;
  SortedPoints(const Shape& shape, std::int64_t rows, std::int64_t most_inputs, bool slopes)
      : s(shape),
        stride((rows + 63) / 64 * 64),
        blocks(std::max<std::int64_t>(1, (rows + ROWS_SUMMED - 1) / ROWS_SUMMED)),
        inputs(most_inputs),
        block(stride * most_inputs, shape, slopes),
        order(buffer<std::uint8_t>(stride * most_inputs + 64)),
        starts(buffer<std::uint8_t>(most_inputs * blocks * (shape.intervals() + 1))) {}
  static std::int64_t rows_of(std::int64_t number, std::int64_t rows) {
    return std::min(ROWS_SUMMED, rows - number * ROWS_SUMMED);
  }
  void evaluate(const T* x, std::int64_t rows, std::int64_t count, T low, T high) {
    transpose(x, s.inputs, rows, count, block.x.get(), stride);
    block.evaluate(stride * count, s, low, high);
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t number = 0; number < blocks && (number * ROWS_SUMMED < rows || number == 0); ++number) {
        const std::int64_t at = i * stride + number * ROWS_SUMMED;
        sort_rows(block.interval.get() + at, rows_of(number, rows), s.intervals(), order.get() + at,
                  starts.get() + (i * blocks + number) * (s.intervals() + 1));
      }
  }
  // A tile's points in one block of rows
  void enter(std::int64_t number, std::int64_t rows, std::int64_t count, IntervalTile<T>& tile) const {
    const std::int64_t at = number * ROWS_SUMMED;
    auto moved = [&](T* p) { return p ? p + at : nullptr; };
    const Points<T>& p = block.points;
    tile.points = {p.interval + at, p.value + at, moved(p.slope), moved(p.shortcut), moved(p.shortcut_slope), p.plane};
    tile.order = order.get() + at;
    tile.starts = starts.get() + number * (s.intervals() + 1);
    tile.stride = stride;
    tile.starts_stride = blocks * (s.intervals() + 1);
    tile.rows = rows_of(number, rows);
    tile.inputs = count;
    tile.intervals = s.intervals();
    tile.bases = s.bases();
  }
};

// The parameters, or their gradients, of some inputs and a tile's outputs: where they are, or gathered from several runs.
template <class T>
struct Parameters {
  const Shape& s;
  const Tiling<T>& tiling;
  Buffer<T> storage;
  T *coefficients, *scale, *base;
  Parameters(const Shape& shape, const Tiling<T>& t, std::int64_t inputs) : s(shape), tiling(t) {
    const std::int64_t edges = t.group > 1 ? inputs * t.width : 0;
    storage = buffer<T>(edges * (s.bases() + 2));
    coefficients = storage.get();
    scale = coefficients + edges * s.bases();
    base = scale + edges;
  }
  std::int64_t stride() const { return tiling.group > 1 ? tiling.width : s.outputs; }
  // visit(array here, values there, rows) with `there` at the run's and the first input's values
  template <class Each>
  void of_runs(std::int64_t tile, std::int64_t run0, std::int64_t i0, Each each) const {
    for (std::int64_t q = 0; q < tiling.runs(tile); ++q)
      each(q * s.outputs, ((run0 + tiling.run(tile) + q) * s.inputs + i0) * s.outputs);
  }
  void gather(const KanLinear<T>& layer, std::int64_t tile, std::int64_t run0, std::int64_t i0, std::int64_t inputs,
              bool with_base) {
    of_runs(tile, run0, i0, [&](std::int64_t here, std::int64_t there) {
      auto get = [&](const T* from, std::int64_t rows, T* to) {
        copy_rows(from + there * rows, s.outputs, inputs * rows, s.outputs, to + here, tiling.width);
      };
      get(layer.coefficients, s.bases(), coefficients);
      get(layer.scale, 1, scale);
      if (with_base && s.shortcut) get(layer.base, 1, base);
    });
  }
  void scatter(std::int64_t tile, std::int64_t run0, std::int64_t i0, std::int64_t inputs, T* gc, T* gscale, T* gbase) const {
    of_runs(tile, run0, i0, [&](std::int64_t here, std::int64_t there) {
      auto put = [&](const T* from, std::int64_t rows, T* to) {
        copy_rows(from + here, tiling.width, inputs * rows, s.outputs, to + there * rows, s.outputs);
      };
      put(coefficients, s.bases(), gc);
      put(scale, 1, gscale);
      if (s.shortcut) put(base, 1, gbase);
    });
  }
};

// The runs' points are the same, so that they are evaluated once
template <class T>
bool same_points(const KanLinear<T>& layer) {
  for (std::int64_t run = 1; run < layer.shape.runs; ++run)
    if (layer.low[run] != layer.low[0] || layer.high[run] != layer.high[0]) return false;
  return layer.shape.shared;
}

constexpr std::int64_t INPUTS_SUMMED = 16, ROWS_EVALUATED = 1024;

template <class T>
void forward_by_interval(const KanLinear<T>& layer, T* y) {
  const Shape& s = layer.shape;
  const Tiling<T> tiling(s, same_points(layer));
  const IntervalFunction<T> function = tiling.choose([](auto f) { return f.forward; });
  const std::int64_t width = tiling.width, most = std::min(ROWS_EVALUATED, s.rows);
  SortedPoints<T> points(s, most, std::min(INPUTS_SUMMED, s.inputs), false);
  Parameters<T> gathered(s, tiling, points.inputs);
  Buffer<T> sums = buffer<T>(tiling.tiles * most * width), part = buffer<T>(ROWS_SUMMED * width);
  for (std::int64_t run0 = 0; run0 < s.runs; run0 += tiling.together)
    for (std::int64_t b0 = 0; b0 < s.rows; b0 += most) {
      const std::int64_t rows = std::min(most, s.rows - b0);
      std::fill_n(sums.get(), tiling.tiles * rows * width, T(0));
      for (std::int64_t i0 = 0; i0 < s.inputs; i0 += points.inputs) {
        const std::int64_t inputs = std::min(points.inputs, s.inputs - i0);
        points.evaluate(layer.x + ((s.shared ? 0 : run0 * s.rows) + b0) * s.inputs + i0, rows, inputs, layer.low[run0],
                        layer.high[run0]);
        for (std::int64_t number = 0; number < tiling.tiles; ++number) {
          IntervalTile<T> tile{};
          tile.columns = tiling.runs(number) * tiling.outputs(number);
          tile.row_stride = tile.edge_stride = gathered.stride();
          if (tiling.group > 1) {
            gathered.gather(layer, number, run0, i0, inputs, true);
            tile.coefficients = gathered.coefficients, tile.scale = gathered.scale, tile.base = gathered.base;
          } else {
            const std::int64_t edge = (run0 + tiling.run(number)) * s.inputs + i0, first = tiling.first(number);
            tile.coefficients = layer.coefficients + edge * s.bases() * s.outputs + first;
            tile.scale = layer.scale + edge * s.outputs + first;
            tile.base = layer.base + edge * s.outputs + first;
          }
          tile.part = part.get();
          for (std::int64_t n = 0; n * ROWS_SUMMED < rows; ++n) {
            points.enter(n, rows, inputs, tile);
            std::memset((void*)part.get(), 0, tile.rows * width * sizeof(T));
            function(tile);
            T* sum = sums.get() + (number * rows + n * ROWS_SUMMED) * width;
            for (std::int64_t k = 0; k < tile.rows * width; ++k) sum[k] += part[k];
          }
        }
      }
      for (std::int64_t number = 0; number < tiling.tiles; ++number)
        for (std::int64_t q = 0; q < tiling.runs(number); ++q) {
          const std::int64_t run = run0 + tiling.run(number) + q, outputs = tiling.outputs(number);
          const T *bias = layer.bias + run * s.outputs + tiling.first(number);
          const T *sum = sums.get() + number * rows * width + q * s.outputs;
          T* to = y + (run * s.rows + b0) * s.outputs + tiling.first(number);
          for (std::int64_t b = 0; b < rows; ++b)
            for (std::int64_t o = 0; o < outputs; ++o) to[b * s.outputs + o] = sum[b * width + o] + bias[o];
        }
    }
}

// A tile's scaled coefficients between K rows of zeros (those that are there already), and base
template <class T>
void load_table(const IntervalTile<T>& tile, const Shape& s, std::int64_t inputs, std::int64_t width, T* table) {
  for (std::int64_t i = 0; i < inputs; ++i, table += (s.bases() + 2 * s.order + 1) * width) {
    const T *c = tile.coefficients + i * s.bases() * tile.row_stride, *scale = tile.scale + i * tile.edge_stride;
    for (int g = 0; g < s.bases(); ++g)
      for (int o = 0; o < tile.columns; ++o) table[(s.order + g) * width + o] = c[g * tile.row_stride + o] * scale[o];
    if (s.shortcut)
      std::memcpy(table + (s.bases() + 2 * s.order) * width, tile.base + i * tile.edge_stride, tile.columns * sizeof(T));
  }
}

template <class T>
void backward_by_interval(const KanLinear<T>& layer, const T* gy, T* gx, T* gcoefficients, T* gscale, T* gbase,
                          T* gbias) {
  const Shape& s = layer.shape;
  const Tiling<T> tiling(s, !gx && same_points(layer));
  const IntervalFunction<T> function = tiling.choose([&](auto f) { return gx ? f.backward_points : f.backward; });
  const std::int64_t width = tiling.width, bases = s.bases();
  const std::int64_t fit = 4096 / std::max<std::int64_t>(s.rows, 1);  // inputs whose points stay in the cache
  const std::int64_t most = std::min(s.inputs, std::clamp<std::int64_t>(fit, 1, gx ? 4 : 16));
  SortedPoints<T> points(s, s.rows, most, gx != nullptr);
  Parameters<T> gathered(s, tiling, most), gradients(s, tiling, most);
  Buffer<T> gys = zeros<T>(tiling.tiles * s.rows * width), gpoints = buffer<T>(gx ? points.stride * most : 0);
  Buffer<T> table = zeros<T>(gx ? most * (bases + 2 * s.order + 1) * width : 0);
  if (gx && s.shared) std::fill_n(gx, s.rows * s.inputs, T(0));
  for (std::int64_t run = 0; run < s.runs; ++run)
    sum_rows(gy + run * s.rows * s.outputs, s.rows, s.outputs, gbias + run * s.outputs);
  for (std::int64_t run0 = 0; run0 < s.runs; run0 += tiling.together) {
    const std::int64_t own = s.shared ? 0 : run0 * s.rows * s.inputs;
    for (std::int64_t number = 0; number < tiling.tiles; ++number)
      for (std::int64_t q = 0; q < tiling.runs(number); ++q)
        copy_rows(gy + (run0 + tiling.run(number) + q) * s.rows * s.outputs + tiling.first(number), s.outputs, s.rows,
                  tiling.outputs(number), gys.get() + number * s.rows * width + q * s.outputs, width);
    for (std::int64_t i0 = 0; i0 < s.inputs; i0 += most) {
      const std::int64_t inputs = std::min(most, s.inputs - i0);
      points.evaluate(layer.x + own + i0, s.rows, inputs, layer.low[run0], layer.high[run0]);
      if (gx) std::fill_n(gpoints.get(), points.stride * inputs, T(0));
      for (std::int64_t number = 0; number < tiling.tiles; ++number) {
        IntervalTile<T> tile{};
        tile.columns = tiling.runs(number) * tiling.outputs(number);
        tile.row_stride = tile.edge_stride = gathered.stride();
        if (tiling.group > 1) {
          gathered.gather(layer, number, run0, i0, inputs, false);
          tile.coefficients = gathered.coefficients, tile.scale = gathered.scale;
          tile.gcoefficients = gradients.coefficients;
          tile.gscale = gradients.scale, tile.gbase = gradients.base;
        } else {
          const std::int64_t edge = (run0 + tiling.run(number)) * s.inputs + i0;
          const std::int64_t at = edge * s.outputs + tiling.first(number);
          const std::int64_t at_c = at + edge * (bases - 1) * s.outputs;
          tile.coefficients = layer.coefficients + at_c, tile.scale = layer.scale + at, tile.base = layer.base + at;
          tile.gcoefficients = gcoefficients + at_c, tile.gscale = gscale + at, tile.gbase = gbase + at;
        }
        tile.table = table.get();
        if (gx) load_table(tile, s, inputs, width, table.get());
        for (std::int64_t n = 0; n < points.blocks; ++n) {
          points.enter(n, s.rows, inputs, tile);
          tile.gy = gys.get() + (number * s.rows + n * ROWS_SUMMED) * width;
          tile.gx = gpoints.get() + n * ROWS_SUMMED;
          tile.first = n == 0, tile.last = n == points.blocks - 1;
          function(tile);
        }
        if (tiling.group > 1) gradients.scatter(number, run0, i0, inputs, gcoefficients, gscale, gbase);
      }
      if (gx)
        for (std::int64_t b = 0; b < s.rows; ++b)
          for (std::int64_t i = 0; i < inputs; ++i) {
            T& to = gx[own + b * s.inputs + i0 + i];
            to = s.shared ? to + gpoints[i * points.stride + b] : gpoints[i * points.stride + b];
          }
    }
  }
}

}  // namespace kanbefair
