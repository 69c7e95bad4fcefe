/* core/net/detour-wire.h: a header for the bad example. */
