#include "drivers.h"

namespace kanbefair {
template struct KanLinear<float>;
template struct SplineActivation<float>;
}  // namespace kanbefair
