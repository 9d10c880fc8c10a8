#include "layer.h"

namespace kanbefair {
template struct KanLinear<double>;
template struct SplineActivation<double>;
}  // namespace kanbefair
