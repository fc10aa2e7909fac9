/* Folders for tests that throw them away. Knows one level: there are only files in them. */
#ifndef SHARDGATE_TESTS_SCRATCH_H
#define SHARDGATE_TESTS_SCRATCH_H

#include <limits.h>

/* Makes an empty folder of its own, in memory where that can be had (or in TMPDIR), and writes its canonical path. 0, or -1
 * with errno. */
int scratch_make(char path[PATH_MAX]) __attribute__((warn_unused_result));

/* Removes its files; the folder too. One that is not there is accepted. */
void scratch_empty(const char *path);
void scratch_remove(const char *path);

#endif
