/* core/session/detour-high.h: a header for the bad example. */
