#include "detour-high.h"
