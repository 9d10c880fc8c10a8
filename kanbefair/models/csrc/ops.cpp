// The operators torch.ops.kanbefair.kan_linear and .spline_activation, with their gradients. What these kernels cannot do,
// the plain form does: derivatives in forward mode, gradients of gradients, batched or traced gradients.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/TorchDispatchModeTLS.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "gradient_memory.h"
#include "splines.h"

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

kanbefair::Shape shape_of(const Tensor& x, int64_t runs, int64_t inputs, int64_t outputs, int64_t grid, int64_t order,
                          int64_t shortcut) {
  TORCH_CHECK(order >= 1 && order <= kanbefair::MAX_ORDER && grid + 2 * order <= kanbefair::MAX_INTERVALS,
              "no kernel for grid ", grid, ", order ", order);
  TORCH_CHECK(x.size(-1) == inputs && (x.dim() == 2 || (x.dim() == 3 && x.size(0) == runs)),
              "x is ", x.sizes(), "; it must be (rows, ", inputs, ") or (", runs, ", rows, ", inputs, ")");
  return {runs, x.size(-2), inputs, outputs, (int)grid, (int)order, (kanbefair::Shortcut)shortcut, x.dim() == 2};
}

// Whether the kernels may read the tensor, and nothing watches: no tangent, no batch of vmap, no tracing
bool ordinary(const Tensor& t) {
  return t.has_storage() && !t.key_set().has(c10::DispatchKey::Python) && !t._fw_grad(0).defined() &&
         !c10::impl::TorchDispatchModeTLS::any_modes_set();
}

// A layer in plain operations, which is registered from Python (../plain_splines.py)
Tensor plain(const std::string& layer, const variable_list& t, const std::vector<int64_t>& numbers) {
  static const auto form = c10::Dispatcher::singleton()
                               .findSchemaOrThrow("kanbefair::plain", "")
                               .typed<Tensor(c10::string_view, at::TensorList, at::IntArrayRef)>();
  return form.call(layer, t, numbers);
}

// The gradients in plain operations, which can be differentiated again
variable_list plain_gradients(const std::string& layer, const variable_list& t, const std::vector<int64_t>& numbers,
                              const Tensor& gy, AutogradContext* context) {
  variable_list own, wanted, g(t.size() + numbers.size());
  Tensor y;
  {
    at::AutoGradMode recorded(true);
    for (const Tensor& value : t) own.push_back(value.view_as(value));  // where gradients end, whatever it was made of
    y = plain(layer, own, numbers);
  }
  for (std::size_t k = 0; k < t.size(); ++k)
    if (context->needs_input_grad(k)) wanted.push_back(own[k]);
  const variable_list found =
      torch::autograd::grad({y}, wanted, {gy}, /*retain_graph=*/std::nullopt, at::GradMode::is_enabled(), /*allow_unused=*/true);
  for (std::size_t k = 0, n = 0; k < t.size(); ++k)
    if (context->needs_input_grad(k)) g[k] = found[n++];
  return g;
}

template <class T>
const T* data(const Tensor& t) {
  return t.numel() ? t.const_data_ptr<T>() : nullptr;
}

template <class T>
kanbefair::KanLinear<T> layer_of(const kanbefair::Shape& shape, const variable_list& t) {
  return {shape, data<T>(t[0]), data<T>(t[1]), data<T>(t[2]), data<T>(t[3]), data<T>(t[4]), data<T>(t[5]), data<T>(t[6])};
}

variable_list contiguous(variable_list tensors) {
  for (Tensor& t : tensors) {
    TORCH_CHECK(t.scalar_type() == tensors[0].scalar_type() && t.device().is_cpu(), "tensors differ in type or device");
    t = t.contiguous();
  }
  return tensors;
}

kanbefair::Shape shape_of(const variable_list& t, int64_t grid, int64_t order, int64_t shortcut) {
  const int64_t runs = t[1].size(0), inputs = t[1].size(1), outputs = t[1].size(3);
  TORCH_CHECK(t[1].size(2) == grid + order && t[2].numel() == runs * inputs * outputs && t[4].numel() == runs * outputs &&
                  t[5].numel() == runs && t[6].numel() == runs &&
                  t[3].numel() == (shortcut ? runs * inputs * outputs : 0),
              "shapes of the parameters do not fit coefficients ", t[1].sizes());
  return shape_of(t[0], runs, inputs, outputs, grid, order, shortcut);
}

struct KanLinear : torch::autograd::Function<KanLinear> {
  static Tensor run(const variable_list& t, int64_t grid, int64_t order, int64_t shortcut) {
    const kanbefair::Shape shape = shape_of(t, grid, order, shortcut);
    Tensor y = at::empty({shape.runs, shape.rows, shape.outputs}, t[0].options());
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "kan_linear", [&] {
      layer_of<scalar_t>(shape, t).forward(y.mutable_data_ptr<scalar_t>());
    });
    return y;
  }

  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& coefficients, const Tensor& scale,
                        const Tensor& base, const Tensor& bias, const Tensor& low, const Tensor& high, int64_t grid,
                        int64_t order, int64_t shortcut) {
    const variable_list t{x, coefficients, scale, base, bias, low, high};
    context->save_for_backward(t);
    context->saved_data["numbers"] = std::vector<int64_t>{grid, order, shortcut};
    return run(t, grid, order, shortcut);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list t = context->get_saved_variables();
    const std::vector<int64_t> n = context->saved_data["numbers"].toIntVector();
    if (at::GradMode::is_enabled() || !ordinary(gradients[0]))
      return plain_gradients("kan_linear", t, n, gradients[0], context);
    const kanbefair::Shape shape = shape_of(t, n[0], n[1], n[2]);
    const Tensor gy = gradients[0].contiguous();
    variable_list g(10);
    if (context->needs_input_grad(0)) g[0] = at::empty_like(t[0]);
    for (int k = 1; k < 5; ++k) g[k] = kanbefair::gradient_like(t[k]);
    AT_DISPATCH_FLOATING_TYPES(gy.scalar_type(), "kan_linear_backward", [&] {
      auto out = [&](int k) { return g[k].defined() ? g[k].mutable_data_ptr<scalar_t>() : nullptr; };
      layer_of<scalar_t>(shape, t).backward(data<scalar_t>(gy), out(0), out(1), out(2), out(3), out(4));
    });
    return g;
  }
};

struct SplineActivation : torch::autograd::Function<SplineActivation> {
  static kanbefair::Shape shape(const variable_list& t, int64_t grid, int64_t order) {
    const int64_t runs = t[1].size(0), units = t[1].size(1);
    TORCH_CHECK(t[1].size(2) == grid + order && t[2].numel() == runs && t[3].numel() == runs,
                "shapes of the parameters do not fit coefficients ", t[1].sizes());
    return shape_of(t[0], runs, units, units, grid, order, kanbefair::NONE);
  }

  template <class T>
  static kanbefair::SplineActivation<T> layer(const variable_list& t, int64_t grid, int64_t order) {
    return {shape(t, grid, order), data<T>(t[0]), data<T>(t[1]), data<T>(t[2]), data<T>(t[3])};
  }

  static Tensor run(const variable_list& t, int64_t grid, int64_t order) {
    const kanbefair::Shape s = shape(t, grid, order);
    Tensor y = at::empty({s.runs, s.rows, s.outputs}, t[0].options());
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "spline_activation", [&] {
      layer<scalar_t>(t, grid, order).forward(y.mutable_data_ptr<scalar_t>());
    });
    return y;
  }

  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& coefficients, const Tensor& low,
                        const Tensor& high, int64_t grid, int64_t order) {
    const variable_list t{x, coefficients, low, high};
    context->save_for_backward(t);
    context->saved_data["numbers"] = std::vector<int64_t>{grid, order};
    return run(t, grid, order);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list t = context->get_saved_variables();
    const std::vector<int64_t> n = context->saved_data["numbers"].toIntVector();
    if (at::GradMode::is_enabled() || !ordinary(gradients[0]))
      return plain_gradients("spline_activation", t, n, gradients[0], context);
    const Tensor gy = gradients[0].contiguous();
    variable_list g(6);
    if (context->needs_input_grad(0)) g[0] = at::empty_like(t[0]);
    g[1] = kanbefair::gradient_like(t[1]);
    AT_DISPATCH_FLOATING_TYPES(gy.scalar_type(), "spline_activation_backward", [&] {
      layer<scalar_t>(t, n[0], n[1])
          .backward(data<scalar_t>(gy), g[0].defined() ? g[0].mutable_data_ptr<scalar_t>() : nullptr,
                    g[1].mutable_data_ptr<scalar_t>());
    });
    return g;
  }
};

Tensor kan_linear(const Tensor& x, const Tensor& coefficients, const Tensor& scale, const Tensor& base, const Tensor& bias,
                  const Tensor& low, const Tensor& high, int64_t grid, int64_t order, int64_t shortcut) {
  return KanLinear::run(contiguous({x, coefficients, scale, base, bias, low, high}), grid, order, shortcut);
}

Tensor spline_activation(const Tensor& x, const Tensor& coefficients, const Tensor& low, const Tensor& high, int64_t grid,
                         int64_t order) {
  return SplineActivation::run(contiguous({x, coefficients, low, high}), grid, order);
}

// Whether kernels and their gradients do; the grid's ends have none there
bool ordinary(const variable_list& t) {
  const bool fixed = !t[t.size() - 2].requires_grad() && !t[t.size() - 1].requires_grad();
  return fixed && std::all_of(t.begin(), t.end(), [](const Tensor& value) { return ordinary(value); });
}

Tensor kan_linear_autograd(const Tensor& x, const Tensor& coefficients, const Tensor& scale, const Tensor& base,
                           const Tensor& bias, const Tensor& low, const Tensor& high, int64_t grid, int64_t order,
                           int64_t shortcut) {
  variable_list t{x, coefficients, scale, base, bias, low, high};
  if (!ordinary(t)) return plain("kan_linear", t, {grid, order, shortcut});
  t = contiguous(std::move(t));
  at::AutoDispatchBelowADInplaceOrView guard;
  return KanLinear::apply(t[0], t[1], t[2], t[3], t[4], t[5], t[6], grid, order, shortcut);
}

Tensor spline_activation_autograd(const Tensor& x, const Tensor& coefficients, const Tensor& low, const Tensor& high,
                                  int64_t grid, int64_t order) {
  variable_list t{x, coefficients, low, high};
  if (!ordinary(t)) return plain("spline_activation", t, {grid, order});
  t = contiguous(std::move(t));
  at::AutoDispatchBelowADInplaceOrView guard;
  return SplineActivation::apply(t[0], t[1], t[2], t[3], grid, order);
}

}  // namespace

TORCH_LIBRARY(kanbefair, library) {
  library.def("kan_linear(Tensor x, Tensor coefficients, Tensor scale, Tensor base, Tensor bias, Tensor low, Tensor high, "
              "int grid, int order, int shortcut) -> Tensor");
  library.def("spline_activation(Tensor x, Tensor coefficients, Tensor low, Tensor high, int grid, int order) -> Tensor");
}
TORCH_LIBRARY_IMPL(kanbefair, CPU, library) {
  library.impl("kan_linear", kan_linear);
  library.impl("spline_activation", spline_activation);
}
TORCH_LIBRARY_IMPL(kanbefair, AutogradCPU, library) {
  library.impl("kan_linear", kan_linear_autograd);
  library.impl("spline_activation", spline_activation_autograd);
}
