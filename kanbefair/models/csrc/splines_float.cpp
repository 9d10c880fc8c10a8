#include "layer.h"

namespace kanbefair {
template struct KanLinear<float>;
template struct SplineActivation<float>;
}  // namespace kanbefair
