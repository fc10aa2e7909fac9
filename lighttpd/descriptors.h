/* How many files and connections the cluster's processes may have open (RLIMIT_NOFILE): they inherit the launcher's limit.
 *
 * Knows nothing about who needs them.
 */
#ifndef SHARDGATE_DESCRIPTORS_H
#define SHARDGATE_DESCRIPTORS_H

/* Raises the limit to `wanted`, the hard limit too where that is allowed. Returns what it is now: `wanted` or more, or less when that
 * could not be had. */
int descriptors_raise(int wanted);

#endif
