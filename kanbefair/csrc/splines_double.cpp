#include "drivers.h"

namespace kanbefair {
template struct KanLinear<double>;
template struct SplineActivation<double>;
}  // namespace kanbefair
