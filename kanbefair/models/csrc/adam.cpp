// The operator torch.ops.kanbefair.adam_: one step of Adam in one pass over the parameters.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/library.h>

#include <cmath>

#include "vectors.h"

namespace {

using at::Tensor;

// Rounded where kanbefair/optim.py `StackAdam` rounds, element by element, whatever the place in the vector.
template <class T>
void step(int64_t count, T* __restrict__ value, const T* __restrict__ gradient, T* __restrict__ mean, T* __restrict__ square,
          const T* __restrict__ lr, T beta2, T new1, T new2, T correction1, T correction2, T epsilon) {
  for (int64_t e = 0; e < count; ++e) {
    const T g = gradient[e];
    const T m = kanbefair::multiply_add_one(new1, g - mean[e], mean[e]);
    const T s = kanbefair::multiply_add_one(new2 * g, g, square[e] * beta2);
    mean[e] = m;
    square[e] = s;
    value[e] -= m / (std::sqrt(s) / correction2 + epsilon) * lr[e] / correction1;
  }
}

void adam_(Tensor& values, const Tensor& gradient, Tensor& mean, Tensor& square, const Tensor& lr, double beta1, double beta2,
           double correction1, double correction2, double epsilon) {
  for (const Tensor& t : {values, gradient, mean, square, lr})
    TORCH_CHECK(t.is_contiguous() && t.numel() == values.numel() && t.scalar_type() == values.scalar_type() &&
                    t.device().is_cpu(),
                "adam_ needs contiguous CPU tensors of one size and type");
  AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "adam_", [&] {
    step<scalar_t>(values.numel(), values.mutable_data_ptr<scalar_t>(), gradient.const_data_ptr<scalar_t>(),
                   mean.mutable_data_ptr<scalar_t>(), square.mutable_data_ptr<scalar_t>(), lr.const_data_ptr<scalar_t>(),
                   beta2, 1 - beta1, 1 - beta2, correction1, correction2, epsilon);
  });
  for (const Tensor& changed : {values, mean, square})
    if (!changed.is_inference()) changed.unsafeGetTensorImpl()->bump_version();  // so that a graph that needs the old ones fails
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(kanbefair, library) {
  library.def("adam_(Tensor(a!) values, Tensor gradient, Tensor(b!) mean, Tensor(c!) square, Tensor lr, float beta1, "
              "float beta2, float correction1, float correction2, float epsilon) -> ()");
}
TORCH_LIBRARY_IMPL(kanbefair, CPU, library) { library.impl("adam_", adam_); }
// A step has no derivative, and says so
TORCH_LIBRARY_IMPL(kanbefair, Autograd, library) {
  library.impl("adam_", torch::autograd::autogradNotImplementedFallback());
}
