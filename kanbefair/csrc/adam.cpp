// The operator torch.ops.kanbefair.adam_: one step of Adam in one pass over the parameters.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <cmath>

#include "vectors.h"

namespace {

using at::Tensor;

// The parameters of one tensor and run. Rounded where kanbefair/optim.py `StackAdam` rounds, element by element, whatever the
// place in the vector.
template <class T>
void step(int64_t count, T* __restrict__ value, const T* __restrict__ gradient, T* __restrict__ mean, T* __restrict__ square,
          T lr, T beta2, T new1, T new2, T correction1, T correction2, T epsilon) {
  for (int64_t e = 0; e < count; ++e) {
    const T g = gradient[e];
    const T m = kanbefair::multiply_add_one(new1, g - mean[e], mean[e]);
    const T s = kanbefair::multiply_add_one(new2 * g, g, square[e] * beta2);
    mean[e] = m;
    square[e] = s;
    value[e] -= m / (std::sqrt(s) / correction2 + epsilon) * lr / correction1;
  }
}

// gradients (S, ...) in the order of the parameters in the flat vectors values, mean and square; lr (S)
void adam_(Tensor& values, at::TensorList gradients, Tensor& mean, Tensor& square, const Tensor& lr, double beta1,
           double beta2, double correction1, double correction2, double epsilon) {
  for (const Tensor& t : {values, mean, square, lr})
    TORCH_CHECK(t.is_contiguous() && t.scalar_type() == values.scalar_type() && t.device().is_cpu(),
                "adam_ needs contiguous CPU tensors of one type");
  AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "adam_", [&] {
    scalar_t *v = values.mutable_data_ptr<scalar_t>(), *m = mean.mutable_data_ptr<scalar_t>(),
             *s = square.mutable_data_ptr<scalar_t>();
    const scalar_t* rate = lr.const_data_ptr<scalar_t>();
    int64_t start = 0;
    for (const Tensor& given : gradients) {
      const Tensor gradient = given.contiguous();
      TORCH_CHECK(gradient.size(0) == lr.numel() && gradient.scalar_type() == values.scalar_type() &&
                      start + gradient.numel() <= values.numel(),
                  "adam_: gradients and parameters differ");
      const scalar_t* g = gradient.const_data_ptr<scalar_t>();
      const int64_t count = gradient.numel() / lr.numel();
      for (int64_t run = 0; run < lr.numel(); ++run, start += count, g += count)
        step<scalar_t>(count, v + start, g, m + start, s + start, rate[run], beta2, 1 - beta1, 1 - beta2, correction1,
                       correction2, epsilon);
    }
  });
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(kanbefair, library) {
  library.def("adam_(Tensor(a!) values, Tensor[] gradients, Tensor(b!) mean, Tensor(c!) square, Tensor lr, float beta1, "
              "float beta2, float correction1, float correction2, float epsilon) -> ()");
}
TORCH_LIBRARY_IMPL(kanbefair, CPU, library) { library.impl("adam_", adam_); }
