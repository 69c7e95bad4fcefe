/* core/base/detour-low.h: a header for the bad example. */
