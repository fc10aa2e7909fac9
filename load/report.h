/* What a load did, in words for the person who started it: the rows of each shard on standard output, and what went wrong and
 * how to go on from there on standard error. Decides nothing but the exit status. */
#ifndef SHARDGATE_REPORT_H
#define SHARDGATE_REPORT_H

#include "load/loader.h"

enum {
    REPORT_EXIT_LOADED = 0,
    REPORT_EXIT_NOT_LOADED = 1, /* some rows were not written, and it is known which */
    REPORT_EXIT_UNKNOWN = 2,
    REPORT_EXIT_USAGE = 64,     /* as in sysexits.h */
    REPORT_EXIT_NO_FILE = 66,
    REPORT_EXIT_NO_API = 69,
};

/* Prints, and returns the exit status. With `quiet` a complete load prints nothing. */
int report_print(const struct loader_options *options, const struct loader_result *result);

#endif
