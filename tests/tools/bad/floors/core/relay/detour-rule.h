/* core/relay/detour-rule.h: a header for the bad example. */
