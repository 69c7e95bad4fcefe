/* late.c: work put off. */
/* TODO: all of it */
