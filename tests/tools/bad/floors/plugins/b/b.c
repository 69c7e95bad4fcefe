#include "a.h"
#include "detour-low.h"
