/* plugins/a/a.h: a header for the bad example. */
